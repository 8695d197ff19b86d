package transfer

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/cloud"
)

func (t *Transfer) copyTriggers(ctx context.Context) error {
	all, c := t.source.triggers, &t.report.Triggers
	var people *recipients
	for i := range all {
		one := &all[i]
		t.progress(Triggers, int64(i), int64(len(all)), one.Name)
		_, there := t.there.triggers.of(one.ID)
		if t.cfg.DryRun || there {
			if err := t.told(one); err != nil {
				return err
			}
			t.count(one.ID, c)
			continue
		}
		if people == nil {
			var err error
			if people, err = t.recipients(ctx); err != nil {
				return err
			}
		}
		if err := t.copyTrigger(ctx, one, people, c); err != nil {
			return fmt.Errorf("trigger %s: %w", one.ID, err)
		}
	}
	t.progress(Triggers, int64(len(all)), int64(len(all)), "done")
	return nil
}

// told marks secrets of webhooks of a trigger that is there as ones that can be told.
func (t *Transfer) told(one *cloud.Trigger) error {
	for _, a := range one.Actions {
		if _, kept := t.state.Secrets[a.ID]; kept && !t.cfg.DryRun {
			if err := t.state.finish(a.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Transfer) copyTrigger(ctx context.Context, one *cloud.Trigger, people *recipients, c *Count) error {
	in := map[string]any{"name": one.Name, "description": one.Description, "tags": tags(one.Tags, one.ID), "active": one.Active == nil || *one.Active}
	switch {
	case one.Status != nil:
		status, lost := t.status(one.Status)
		if len(status.Devices) == 0 && status.Criteria == "INCLUDE" {
			c.skip(one.ID, one.Name, "none of the devices that it watches was copied")
			return nil
		}
		if lost > 0 {
			c.note(one.ID, one.Name, fmt.Sprintf("%d of the devices that it names were not copied", lost))
		}
		in["device_status_source"] = status
	default:
		property, known := t.ids[one.Property]
		if !known {
			c.skip(one.ID, one.Name, "the property that it watches was not copied")
			return nil
		}
		in["property_id"] = property
		if len(one.Condition) > 0 && string(one.Condition) != "null" {
			in["condition"] = one.Condition
		}
	}
	actions := []any{}
	for i := range one.Actions {
		a, why, err := t.action(one, &one.Actions[i], people, c)
		if err != nil {
			return err
		}
		if why != "" {
			c.note(one.ID, one.Name, "without its action "+one.Actions[i].Name+": "+why)
			continue
		}
		actions = append(actions, a)
	}
	in["actions"] = actions
	made, err := t.create(ctx, Triggers, t.there.triggers, "/iot/v1/triggers?tags=", one.ID, http.MethodPut, "/iot/v1/triggers", in)
	if why, no := refused(err); no {
		c.fail(one.ID, one.Name, why)
		for _, a := range one.Actions {
			delete(t.state.Secrets, a.ID)
		}
		return t.state.save()
	}
	if err != nil {
		return err
	}
	t.count(one.ID, c)
	for _, a := range one.Actions {
		if secret, kept := t.state.Secrets[a.ID]; kept {
			secret.ID = made.ID
			t.state.Secrets[a.ID] = secret
		}
	}
	return t.told(one)
}

func (t *Transfer) status(s *cloud.Status) (cloud.Status, int) {
	out, lost := *s, 0
	out.Devices = []string{}
	for _, id := range s.Devices {
		if to, known := t.ids[id]; known {
			out.Devices = append(out.Devices, to)
		} else {
			lost++
		}
	}
	return out, lost
}

// action is an action as the target takes it; why says why there is none.
func (t *Transfer) action(of *cloud.Trigger, a *cloud.Action, people *recipients, c *Count) (out map[string]any, why string, err error) {
	out = map[string]any{"kind": a.Kind, "name": a.Name, "description": a.Description}
	switch a.Kind {
	case "NOTIFY-EMAIL", "NOTIFY-PUSH":
		field, raw := "email", a.Email
		if a.Kind == "NOTIFY-PUSH" {
			field, raw = "push_notification", a.Push
		}
		notice := map[string]any{}
		if json.Unmarshal(t.translate(raw), &notice) != nil {
			return nil, "it has no text", nil
		}
		strangers := people.deliver(notice)
		if strangers > 0 {
			c.note(of.ID, of.Name, fmt.Sprintf("%d recipients of its action %s are not known here: it goes to you instead", strangers, a.Name))
		}
		out[field] = notice
	case "CALL-WEBHOOK":
		var hook struct {
			URL string `json:"url"`
		}
		if json.Unmarshal(a.Webhook, &hook) != nil {
			return nil, "it has no address", nil
		}
		secret, kept := t.state.Secrets[a.ID]
		if !kept {
			key := make([]byte, 32)
			_, _ = rand.Read(key) // never fails
			secret = Secret{Kind: "webhook", Name: of.Name + ": " + a.Name, Key: "whsec_" + base64.StdEncoding.EncodeToString(key)}
			t.state.Secrets[a.ID] = secret
			if err := t.state.save(); err != nil {
				return nil, "", err
			}
		}
		out["webhook"] = map[string]any{"url": hook.URL, "secret": secret.Key}
	case "SET-PROPERTY":
		var set struct {
			Property string          `json:"property_id"`
			Value    json.RawMessage `json:"value"`
		}
		property, known := "", json.Unmarshal(a.Set, &set) == nil
		if known {
			property, known = t.ids[strings.ToLower(set.Property)]
		}
		if !known {
			return nil, "the property that it sets was not copied", nil
		}
		out["set_property"] = map[string]any{"property_id": property, "thing_id": t.owner[property], "value": set.Value}
	default:
		return nil, fmt.Sprintf("nothing here is a %.64q", a.Kind), nil
	}
	return out, "", nil
}

// recipients are the members of the target's space, by what they may be called on the source.
type recipients struct {
	me    string
	known map[string]string // user IDs by ID, by e-mail address and by name, in lower case
}

func (t *Transfer) recipients(ctx context.Context) (*recipients, error) {
	token, err := t.cfg.Target.Token(ctx)
	if err != nil {
		return nil, err
	}
	r := &recipients{known: map[string]string{}}
	if r.me, err = holder(token); err != nil {
		return nil, err
	}
	r.known[r.me] = r.me
	if t.cfg.Space == "" {
		return r, nil
	}
	var members []client.Member
	err = t.do(ctx, http.MethodGet, "/v1/spaces/"+url.PathEscape(t.cfg.Space)+"/members", nil, &members)
	var e *client.Error
	if err != nil && !errors.As(err, &e) { // who may not see them knows nobody
		return nil, err
	}
	for _, m := range members {
		for _, name := range []string{m.User, m.Email, m.Name} {
			if name != "" {
				r.known[strings.ToLower(name)] = m.User
			}
		}
	}
	return r, nil
}

// holder reads whose an access token is; cloud-api reference, section 3.2. What it is good for is the server's business.
func holder(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("the target's token does not say whose it is")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", fmt.Errorf("the target's token: %w", err)
	}
	var claims struct {
		ID      string `json:"http://arduino.cc/id"`
		Subject string `json:"sub"`
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		return "", fmt.Errorf("the target's token: %w", err)
	}
	if claims.ID == "" {
		claims.ID = claims.Subject
	}
	if !anID.MatchString(claims.ID) {
		return "", errors.New("the target's token does not say whose it is")
	}
	return strings.ToLower(claims.ID), nil
}

// deliver puts people of the target in the place of those of the source, and counts those whom it does not find: for them,
// the one who copies gets the notice.
func (r *recipients) deliver(notice map[string]any) (strangers int) {
	delivery, _ := notice["delivery"].(map[string]any)
	if delivery == nil {
		delivery = map[string]any{}
		notice["delivery"] = delivery
	}
	for _, list := range []string{"to", "cc", "bcc"} {
		given, _ := delivery[list].([]any)
		delete(delivery, list)
		found, seen := []any{}, map[string]bool{}
		for _, one := range given {
			person, _ := one.(map[string]any)
			user := ""
			for _, field := range []string{"id", "email", "username"} {
				if text, _ := person[field].(string); text != "" && user == "" {
					user = r.known[strings.ToLower(text)]
				}
			}
			if user == "" {
				strangers++
				if list != "to" {
					continue
				}
				user = r.me
			}
			if !seen[user] {
				seen[user] = true
				found = append(found, map[string]any{"id": user})
			}
		}
		if list == "to" && len(found) == 0 {
			found = append(found, map[string]any{"id": r.me})
		}
		if len(found) > 0 {
			delivery[list] = found
		}
	}
	return strangers
}
