package signin

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// A Deed is an entry of the journal that concerns a person, as the person sees it.
type Deed struct {
	Number   int64
	At       time.Time
	Action   string // "apikey:create"
	By       string // you, your-key, member, device, house, somebody
	Actor    string // as the journal names it
	Space    string // id; "" for none
	Resource string // the noun
	ID       string // of the noun
	Detail   map[string]string
}

// ErrPage is a page of deeds that cannot be.
var ErrPage = problem.New(problem.Invalid, "signin-page", "There is no such page: begin at the first.")

const (
	deedsShown    = 50     // on a page
	deedsRead     = 200    // at once
	deedsLooked   = 2_000  // for one page that shows one kind only
	deedsExported = 10_000 // in one file
)

// kinds of deeds that people choose from, with the nouns of their actions.
var kinds = []struct {
	Key   string
	nouns []string
}{
	{"signin", []string{"session", "factor", "guard"}},
	{"account", []string{"account", "post", "consent", "grant", "client"}},
	{"keys", []string{"apikey", "spacekey"}},
	{"spaces", []string{"org", "member", "invitation"}},
	{"devices", []string{"device", "ca"}},
	{"things", []string{"thing", "property"}},
	{"refused", []string{"access"}},
}

// nounsOf are the nouns of a kind; nil for all kinds.
func nounsOf(kind string) []string {
	for _, k := range kinds {
		if k.Key == kind {
			return k.nouns
		}
	}
	return nil
}

// deeds are the newest most ones of a kind before a number, of as many as looked at most. next is
// what to ask for as before to go on; 0 when there is nothing more.
func (s *Service) deeds(v *visit, kind string, before int64, most, looked int) (all []Deed, next int64, err error) {
	nouns := nounsOf(kind)
	for seen := 0; seen < looked; {
		some, err := s.needs.Deeds(v.r.Context(), v.who(), before, deedsRead)
		if err != nil {
			return nil, 0, fmt.Errorf("what concerns account %s: %w", v.user.ID, err)
		}
		for _, d := range some {
			if before, seen = d.Number, seen+1; nouns != nil && !slices.Contains(nouns, noun(d.Action)) {
				continue
			}
			if all = append(all, d); len(all) == most {
				return all, before, nil
			}
		}
		if len(some) < deedsRead {
			return all, 0, nil
		}
	}
	return all, before, nil
}

func noun(action string) string {
	name, _, _ := strings.Cut(action, ":")
	return name
}

// A told deed is one in words.
type toldDeed struct {
	Deed
	Text  string
	ByWho string
	Where string // name of the space; "" for none, or one that the person is not in
	What  string // name of an own key; "" for anything else
}

// tell puts deeds into words.
func (s *Service) tell(v *visit, all []Deed) ([]toldDeed, error) {
	names := map[string]string{}
	if s.needs.Spaces != nil {
		spaces, err := s.needs.Spaces.Of(v.r.Context(), v.user.ID)
		if err != nil {
			return nil, err
		}
		for _, m := range spaces {
			names[m.ID] = m.Name
		}
		if v.user.Space != "" {
			names[v.user.Space] = s.texts.Text(v.lang, "spaces.private")
		}
	}
	keys, err := s.needs.APIKeys.List(v.r.Context(), v.user.ID)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		names[k.ID] = k.Name
	}
	out := make([]toldDeed, 0, len(all))
	for _, d := range all {
		told := toldDeed{Deed: d, Text: s.Say(v.lang, d.Action), ByWho: s.texts.Text(v.lang, "by."+d.By), Where: names[d.Space]}
		if d.Resource == "apikey" {
			told.What = names[d.ID]
		}
		out = append(out, told)
	}
	return out, nil
}

// Say is an action of the journal in a person's words; the action itself where there are none.
func (s *Service) Say(lang, action string) string {
	if text, ok := s.texts.Texts[lang]["act."+action]; ok {
		return text
	}
	return action
}

type activityData struct {
	Deeds []toldDeed
	Kinds []kindView
	Kind  string
	Older string // address of the next page; "" when this is the last
	First bool
}

type kindView struct {
	Key, Name string
	Now       bool
}

func (s *Service) getActivity(v *visit) error {
	q := v.r.URL.Query()
	d := activityData{Kind: q.Get("kind"), First: q.Get("before") == ""}
	if nounsOf(d.Kind) == nil {
		d.Kind = ""
	}
	var before int64
	if text := q.Get("before"); text != "" {
		var err error
		if before, err = strconv.ParseInt(text, 10, 64); err != nil || before < 1 {
			return ErrPage
		}
	}
	all, next, err := s.deeds(v, d.Kind, before, deedsShown, deedsLooked)
	if err != nil {
		return err
	}
	if d.Deeds, err = s.tell(v, all); err != nil {
		return err
	}
	d.Kinds = append(d.Kinds, kindView{"", s.texts.Text(v.lang, "kind.all"), d.Kind == ""})
	for _, k := range kinds {
		d.Kinds = append(d.Kinds, kindView{k.Key, s.texts.Text(v.lang, "kind."+k.Key), k.Key == d.Kind})
	}
	if next > 0 {
		at := url.Values{"before": {strconv.FormatInt(next, 10)}}
		if d.Kind != "" {
			at.Set("kind", d.Kind)
		}
		d.Older = "/account/activity?" + at.Encode()
	}
	return s.home(v, "activity", d, nil)
}

// wireDeed is a deed in a file.
type wireDeed struct {
	Number   int64             `json:"number"`
	At       time.Time         `json:"at"`
	Action   string            `json:"action"`
	Text     string            `json:"text"`
	By       string            `json:"by"`
	Actor    string            `json:"actor"`
	Space    string            `json:"space,omitempty"`
	Resource string            `json:"resource"`
	ID       string            `json:"id,omitempty"`
	Name     string            `json:"name,omitempty"`
	Detail   map[string]string `json:"detail,omitempty"`
}

func (s *Service) postActivityExport(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	all, _, err := s.deeds(v, v.r.PostForm.Get("kind"), 0, deedsExported, deedsExported)
	if err != nil {
		return err
	}
	told, err := s.tell(v, all)
	if err != nil {
		return err
	}
	said, err := s.needs.Accounts.Profile(v.r.Context(), v.user.ID)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	name, media := "ardesia-activity.json", "application/json"
	if v.r.PostForm.Get("format") == "csv" {
		name, media = "ardesia-activity.csv", "text/csv; charset=utf-8"
		err = writeDeeds(&body, told, said.Location())
	} else {
		out := make([]wireDeed, 0, len(told))
		for _, d := range told {
			out = append(out, wireDeed{d.Number, d.At.In(said.Location()), d.Action, d.Text, d.By, d.Actor, d.Space, d.Resource, d.ID, d.What, d.Detail})
		}
		enc := json.NewEncoder(&body)
		enc.SetIndent("", "  ")
		err = enc.Encode(out)
	}
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	v.w.WriteHeader(http.StatusOK)
	_, _ = v.w.Write(body.Bytes()) // who has gone away reads nothing
	return nil
}

// writeDeeds writes deeds as CSV (RFC 4180).
func writeDeeds(to *bytes.Buffer, all []toldDeed, zone *time.Location) error {
	w := csv.NewWriter(to)
	rows := [][]string{{"number", "at", "action", "text", "by", "actor", "space", "resource", "id", "name", "detail"}}
	for _, d := range all {
		detail, err := json.Marshal(d.Detail)
		if err != nil {
			return err
		}
		if len(d.Detail) == 0 {
			detail = nil
		}
		row := []string{strconv.FormatInt(d.Number, 10), d.At.In(zone).Format(time.RFC3339), d.Action, d.Text, d.By, d.Actor, d.Space, d.Resource, d.ID, d.What, string(detail)}
		for i, cell := range row {
			row[i] = tameCell(cell)
		}
		rows = append(rows, row)
	}
	return w.WriteAll(rows)
}

// tameCell keeps spreadsheets from reading a name that somebody wrote as a formula.
func tameCell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
