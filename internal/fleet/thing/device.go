package thing

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// ErrStart is no place in a history.
var ErrStart = problem.New(problem.Invalid, "invalid-start", "Start is a date and time as in RFC 3339; what is older follows.")

// ForDevices is what the room of devices needs of this one.
func (s *Service) ForDevices() device.Things { return forDevices{s} }

type forDevices struct{ s *Service }

// Attached tells which thing a device belongs to.
func (f forDevices) Attached(device string) (string, bool) { return f.s.Attached(device) }

// LastValues makes the pack that a device of generation 2 gets; nil without a thing.
func (f forDevices) LastValues(_ context.Context, device string) ([]byte, error) {
	r, err := f.s.routes.ofDevice(device)
	if err != nil || r == nil {
		return nil, err
	}
	return f.s.lastValues(r), nil
}

// Embed makes the JSON value of the thing of each device that has one. One device's
// comes with its properties; in lists that would be too much.
func (f forDevices) Embed(ctx context.Context, who access.Actor, devices []string) (map[string]any, error) {
	organization, err := f.s.needs.Organization(ctx, who.Space)
	if err != nil {
		return nil, fmt.Errorf("organization of space %s: %w", who.Space, err)
	}
	all := make(map[string]any, len(devices))
	for part := range slices.Chunk(devices, perStatement) {
		things, err := f.s.List(ctx, who, Filter{Devices: part, Properties: len(devices) == 1})
		if err != nil {
			return nil, err
		}
		for _, t := range things {
			all[t.Device] = f.s.wire(t, presentation{organization: organization, properties: len(devices) == 1, webhook: who.Edits()})
		}
	}
	return all, nil
}

// of finds the thing of a device, with its properties; ErrNotFound when it has none.
func (f forDevices) of(ctx context.Context, who access.Actor, device string) (Thing, error) {
	all, err := f.s.List(ctx, who, Filter{Devices: []string{device}, Properties: true})
	if err != nil {
		return Thing{}, err
	}
	if len(all) != 1 {
		return Thing{}, ErrNotFound
	}
	return all[0], nil
}

// foreverDays is what the API says of values that are kept until they are erased: it has
// no word for that, and clients take 0 for "nothing is kept".
const foreverDays = 100 * 365

// Properties lists the properties of a device's thing; none when it has no thing.
func (f forDevices) Properties(ctx context.Context, who access.Actor, id string, deleted bool) (device.Properties, error) {
	age, err := f.s.needs.Series.Age(ctx, who.Space)
	if err != nil {
		return device.Properties{}, err
	}
	p := device.Properties{RetentionDays: age.Hours() / 24, List: []wireProperty{}}
	if age <= 0 {
		p.RetentionDays = foreverDays
	}
	t, err := f.of(ctx, who, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return p, nil
	case err != nil:
		return device.Properties{}, err
	}
	p.List = f.s.wireProperties(t, deleted)
	return p, nil
}

const (
	historyDefault = 100
	historyMax     = 1000
)

// History pages through the values of one property of a device's thing, the newest
// first. start is a time, such as the Next of the page before, or "".
func (f forDevices) History(ctx context.Context, who access.Actor, id, property string, limit int, start string) (device.History, error) {
	t, err := f.of(ctx, who, id)
	if err != nil {
		return device.History{}, err
	}
	p, err := t.Property(property)
	if err != nil {
		return device.History{}, err
	}
	if limit <= 0 {
		limit = historyDefault
	}
	limit = min(limit, historyMax)
	q := series.Query{Series: p.ID, Space: t.Space, Limit: limit + 1, Desc: true}
	if start != "" {
		if q.To, err = readMoment(start); err != nil {
			return device.History{}, ErrStart
		}
	}
	points, err := f.s.needs.Series.Raw(ctx, q)
	if err != nil {
		return device.History{}, fmt.Errorf("history of property %s: %w", p.ID, err)
	}
	h := device.History{ID: p.ID, Name: p.Name, Values: []device.Sample{}}
	if len(points) > limit {
		points = points[:limit]
		h.Next = points[limit-1].At.Format(time.RFC3339Nano) // exclusive: the rest is older
	}
	for _, point := range points {
		h.Values = append(h.Values, device.Sample{At: point.At, Payload: string(appendJSON(nil, point.Value))})
	}
	return h, nil
}

// Publish writes values on behalf of a device, or to it when input is set.
func (f forDevices) Publish(ctx context.Context, who access.Actor, id string, values []device.Value, input bool) error {
	t, err := f.of(ctx, who, id)
	if err != nil {
		return err
	}
	writes := make([]Write, len(values))
	for i, v := range values {
		raw, err := readAs(v)
		if err != nil {
			return err
		}
		writes[i] = Write{Name: v.Name, JSON: raw}
	}
	if input {
		id = ""
	}
	return f.s.Set(ctx, who, t.ID, id, writes)
}

// readAs makes JSON of a value as the device's API can say it.
func readAs(v device.Value) (json.RawMessage, error) {
	if v.Type == "" || v.Type == "infer" || v.Type == "json" {
		// A JSON value in a text is meant by "json" alone.
		var text string
		if v.Type == "json" && json.Unmarshal(v.JSON, &text) == nil && json.Valid([]byte(text)) {
			return json.RawMessage(text), nil
		}
		return v.JSON, nil
	}
	var text string
	if err := json.Unmarshal(v.JSON, &text); err != nil {
		return nil, ErrWrongKind.With("A value of type " + v.Type + " is a text.")
	}
	var plain []byte
	var err error
	switch v.Type {
	case "base64":
		plain, err = base64.StdEncoding.DecodeString(text)
	case "hex":
		plain, err = hex.DecodeString(text)
	default:
		return nil, ErrWrongKind.With("The type of a value is one of infer, base64, hex, json.")
	}
	if err != nil || !utf8.Valid(plain) {
		return nil, ErrWrongKind.With("This value is not " + v.Type + " of a text.")
	}
	if json.Valid(plain) {
		return plain, nil
	}
	return quote(string(plain))
}

// Detach leaves the thing of a device without one. It is repeatable, and nothing
// to do when the device has no thing.
func (f forDevices) Detach(ctx context.Context, who access.Actor, space, id string) error {
	who.Space = space
	all, err := f.s.List(ctx, who, Filter{Devices: []string{id}})
	if errors.Is(err, keys.ErrErased) {
		return nil // the space was erased, and its things go with it
	}
	if err != nil {
		return err
	}
	for _, t := range all {
		_, err := f.s.change(ctx, who, t.ID, step{action: "thing:detach"}, func(t *Thing) error {
			if t.Device == id {
				t.Device = ""
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("detach device %s from thing %s: %w", id, t.ID, err)
		}
	}
	return nil
}
