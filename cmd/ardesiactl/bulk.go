package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/cloud"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/output"
)

const (
	// atOnce is how many requests of a bulk act are under way at a time; bulkRate is how many a second begin: what the server
	// gives one key by default.
	atOnce   = 4
	bulkRate = 10
	// previewed is how many objects a preview names.
	previewed = 20
)

var errPartial = errors.New("some of them failed")

// A kind is what can be chosen by tag and by name.
type kind struct {
	noun, nouns string
	list        string // address
	one         string // address, before an ID
	deletes     string // address for DELETE, before an ID
	tags        string // address of tags, with %s for an ID
	sorts       string
}

var (
	devices    = kind{"device", "devices", "/iot/v2/devices", "/iot/v2/devices/", "/iot/v2/devices/", "/iot/v2/devices/%s/tags", "name, type, created_at, updated_at, last_activity_at"}
	things     = kind{"thing", "things", "/iot/v2/things", "/iot/v2/things/", "/iot/v2/things/", "/iot/v2/things/%s/tags", "name, timezone, created_at, updated_at"}
	dashboards = kind{"dashboard", "dashboards", "/iot/v3/dashboards", "/iot/v3/dashboards/", "/iot/v2/dashboards/", "/v1/dashboards/%s/tags", "name, created_at, updated_at"}
	triggers   = kind{"trigger", "triggers", "/iot/v1/triggers", "/iot/v1/triggers/", "/iot/v1/triggers/", "/v1/triggers/%s/tags", "name, created_at, updated_at"}
)

// A choice is how a user says which objects are meant.
type choice struct {
	kind   kind
	ids    []string
	tags   []string
	filter string
	all    bool
}

// flags are those of lists.
func (w *choice) flags(c *cobra.Command) {
	c.Flags().StringArrayVar(&w.tags, "tag", nil, "only those with this tag, KEY=VALUE; repeated: with all of them")
	c.Flags().StringVar(&w.filter, "filter", "", "only those with this in their name")
}

// bulkFlags are those of acts on many.
func (w *choice) bulkFlags(c *cobra.Command, ids bool) {
	w.flags(c)
	if ids {
		c.Flags().StringArrayVar(&w.ids, "id", nil, "the one with this id, repeated")
	}
	c.Flags().BoolVar(&w.all, "all", false, "all "+w.kind.nouns+" of the space")
}

// query is the choice as the server takes it.
func (w *choice) query() (url.Values, error) {
	q := url.Values{}
	for _, text := range w.tags {
		key, value, err := tagOf(text)
		if err != nil {
			return nil, err
		}
		q.Add("tags", key+":"+value)
	}
	if w.filter != "" {
		q.Set("q", w.filter)
	}
	return q, nil
}

// tagOf reads KEY=VALUE; KEY:VALUE, as the API writes it, is understood, too.
func tagOf(text string) (key, value string, err error) {
	i := strings.IndexAny(text, "=:")
	if i <= 0 || i == len(text)-1 {
		return "", "", usage{fmt.Errorf("a tag is written KEY=VALUE, not %q", text)}
	}
	return text[:i], text[i+1:], nil
}

// An item is one object that was chosen.
type item struct {
	ID   string `json:"id" yaml:"id"`
	Name string `json:"name" yaml:"name"`
}

// A listed is an item as lists tell of it. What others share is theirs.
type listed struct {
	item
	SharedBy *struct{} `json:"shared_by"`
}

// chosen finds what is meant. That of nothing is meant everything is a mistake unless it is said.
func (w *choice) chosen(ctx context.Context, s *client.Client) ([]item, error) {
	if len(w.ids)+len(w.tags) == 0 && w.filter == "" && !w.all {
		return nil, usage{fmt.Errorf("say which %s: their ids, --tag, --filter or --all", w.kind.nouns)}
	}
	q, err := w.query()
	if err != nil {
		return nil, err
	}
	var told []listed
	if err := s.Do(ctx, "GET", w.kind.list+query(q), nil, &told); err != nil {
		return nil, err
	}
	var all []item
	for _, one := range told {
		if one.SharedBy == nil {
			all = append(all, one.item)
		}
	}
	if len(w.ids) == 0 {
		return all, nil
	}
	byID := map[string]item{}
	for _, one := range all {
		byID[one.ID] = one
	}
	var some []item
	for _, id := range w.ids {
		one, there := byID[strings.ToLower(id)]
		if !there {
			return nil, missing{fmt.Errorf("there is no %s %s here, or it is not among those that the other flags choose; nothing was changed", w.kind.noun, id)}
		}
		some = append(some, one)
	}
	return some, nil
}

// outcome is what became of one object.
type outcome struct {
	item   `yaml:",inline"`
	Result string `json:"result" yaml:"result"` // done or failed
	Error  string `json:"error,omitempty" yaml:"error,omitempty"`
}

// bulk does something to everything that is chosen: it shows what that is, asks, does it several at a time, and tells what became of each.
// What is there and what fails stand by themselves.
func (a *app) bulk(c *cobra.Command, w *choice, verb string, do func(ctx context.Context, s *client.Client, id string) error) error {
	s, err := a.server()
	if err != nil {
		return err
	}
	all, err := w.chosen(c.Context(), s)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return a.print(c, []outcome{}, nil, nil)
	}
	preview(c, all)
	if err := a.agree(c, verb, fmt.Sprintf("%d %s", len(all), w.kind.nouns)); err != nil {
		return err
	}
	results := make([]outcome, len(all))
	pace := cloud.NewPace(bulkRate, time.Now)
	show := newBar(c.ErrOrStderr())
	var (
		mu    sync.Mutex
		ended int64
		work  sync.WaitGroup
		next  = make(chan int)
	)
	for range min(atOnce, len(all)) {
		work.Go(func() {
			for i := range next {
				again := false
				err := pace.Call(c.Context(), func() error {
					err := do(c.Context(), s, all[i].ID)
					if e := (*client.Error)(nil); again && verb == "delete" && errors.As(err, &e) && e.Status == http.StatusNotFound {
						return nil // the try before did it, and its answer was lost
					}
					again = true
					return err
				})
				results[i] = outcome{item: all[i], Result: "done"}
				if err != nil {
					results[i].Result, results[i].Error = "failed", err.Error()
				}
				mu.Lock()
				ended++
				show.draw(ended, int64(len(all)), fmt.Sprintf("%d of %d", ended, len(all)))
				mu.Unlock()
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	work.Wait()
	show.end()
	if err := c.Context().Err(); err != nil {
		return err
	}
	rows, failed := [][]string{}, 0
	for _, r := range results {
		rows = append(rows, []string{r.ID, r.Name, r.Result, r.Error})
		if r.Error != "" {
			failed++
		}
	}
	if err := a.print(c, results, []string{"id", "name", "result", "error"}, rows); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d %s: %w", failed, len(all), w.kind.nouns, errPartial)
	}
	return nil
}

func preview(c *cobra.Command, all []item) {
	for i, one := range all {
		if i == previewed {
			fmt.Fprintf(c.ErrOrStderr(), "  and %d more\n", len(all)-previewed)
			break
		}
		fmt.Fprintf(c.ErrOrStderr(), "  %s  %s\n", one.ID, output.Printable(one.Name))
	}
}

// agree asks before many are changed, or something is lost; without a terminal it wants --yes.
func (a *app) agree(c *cobra.Command, verb, what string) error {
	if a.yes {
		return nil
	}
	if !interactive() {
		return usage{fmt.Errorf("this would %s %s: say --yes", verb, what)}
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s %s? [y/N] ", strings.ToUpper(verb[:1])+verb[1:], what)
	text, err := bufio.NewReader(c.InOrStdin()).ReadString('\n')
	if err != nil {
		return err
	}
	if t := strings.ToLower(strings.TrimSpace(text)); t != "y" && t != "yes" {
		return fmt.Errorf("nothing was changed")
	}
	return nil
}

// deletes makes the verb that deletes one, by its id, or many.
func (a *app) deletes(k kind, short, with string) *cobra.Command {
	w := &choice{kind: k}
	c := &cobra.Command{
		Use: "delete [ID...]", Short: short,
		Long:    short + ".\n\nMany are deleted at once by --tag and --filter: they are shown, you are asked unless you say --yes,\nand what became of each is told. The exit code is 1 when some failed.",
		Example: fmt.Sprintf("  ardesiactl %s delete ID\n  ardesiactl %s delete --tag room=attic --yes", k.noun, k.noun),
		Args:    args(cobra.ArbitraryArgs),
		RunE: func(c *cobra.Command, given []string) error {
			remove := func(ctx context.Context, s *client.Client, id string) error {
				return s.Do(ctx, "DELETE", k.deletes+url.PathEscape(id), nil, nil)
			}
			if len(given) == 1 && len(w.tags) == 0 && w.filter == "" && !w.all {
				s, err := a.server()
				if err != nil {
					return err
				}
				if err := a.agree(c, "delete", k.noun+" "+given[0]+with); err != nil {
					return err
				}
				return remove(c.Context(), s, given[0])
			}
			w.ids = given
			return a.bulk(c, w, "delete", remove)
		},
	}
	w.bulkFlags(c, false)
	return c
}

// tag makes the verbs that put tags on many, and take them off.
func (a *app) tag(k kind) *cobra.Command {
	add, remove := &choice{kind: k}, &choice{kind: k}
	put := &cobra.Command{
		Use: "add KEY=VALUE...", Short: "Put tags on " + k.nouns, Example: fmt.Sprintf("  ardesiactl %s tag add floor=2 --tag room=attic --yes", k.noun),
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			for _, text := range given {
				if _, _, err := tagOf(text); err != nil {
					return err
				}
			}
			return a.bulk(c, add, "tag", func(ctx context.Context, s *client.Client, id string) error {
				for _, text := range given {
					key, value, _ := tagOf(text)
					if err := s.Do(ctx, "PUT", fmt.Sprintf(k.tags, url.PathEscape(id)), map[string]string{"key": key, "value": value}, nil); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	take := &cobra.Command{
		Use: "remove KEY...", Short: "Take tags off " + k.nouns, Example: fmt.Sprintf("  ardesiactl %s tag remove floor --filter attic --yes", k.noun),
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			return a.bulk(c, remove, "take tags off", func(ctx context.Context, s *client.Client, id string) error {
				for _, key := range given {
					if err := s.Do(ctx, "DELETE", fmt.Sprintf(k.tags, url.PathEscape(id))+"/"+url.PathEscape(key), nil, nil); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	add.bulkFlags(put, true)
	remove.bulkFlags(take, true)
	return group("tag", "Tags of "+k.nouns+", many at once", put, take)
}

// updates makes a verb that changes the same of many; read says what, from flags that were given.
func (a *app) updates(k kind, method, short, example string, flags func(c *cobra.Command), read func(c *cobra.Command) map[string]any) *cobra.Command {
	w := &choice{kind: k}
	c := &cobra.Command{
		Use: "update", Short: short, Example: example, Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			in := read(c)
			if len(in) == 0 {
				return usage{errors.New("say what to change")}
			}
			return a.bulk(c, w, "change", func(ctx context.Context, s *client.Client, id string) error {
				return s.Do(ctx, method, k.one+url.PathEscape(id), in, nil)
			})
		},
	}
	flags(c)
	w.bulkFlags(c, true)
	return c
}

// changed are the values of those flags that were given, by their names in the API.
func changed(c *cobra.Command, values map[string]any) map[string]any {
	in := map[string]any{}
	for flag, v := range values {
		if c.Flags().Changed(flag) {
			in[strings.ReplaceAll(flag, "-", "_")] = v
		}
	}
	return in
}

// listing makes the verb that lists objects of a kind.
func listing[Out any](a *app, k kind, short string, columns []string, row func(Out) []string, more func(c *cobra.Command) func(url.Values)) *cobra.Command {
	w := &choice{kind: k}
	var tags []string
	var sort string
	var add func(url.Values)
	c := &cobra.Command{Use: "list", Short: short, Args: args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error {
		q, err := w.query()
		if err != nil {
			return err
		}
		for _, one := range tags {
			q.Add("tags", one)
		}
		if sort != "" {
			q.Set("sort", sort)
		}
		if add != nil {
			add(q)
		}
		s, err := a.server()
		if err != nil {
			return err
		}
		all := []Out{}
		if err := s.Do(c.Context(), "GET", k.list+query(q), nil, &all); err != nil {
			return err
		}
		var rows [][]string
		for _, one := range all {
			rows = append(rows, row(one))
		}
		return a.print(c, all, columns, rows)
	}}
	w.flags(c)
	c.Flags().StringSliceVar(&tags, "tags", nil, "as --tag, KEY:VALUE with commas between them")
	c.Flags().StringVar(&sort, "sort", "", "by one of "+k.sorts+"; with a hyphen before it, the other way round (default: the oldest first)")
	if more != nil {
		add = more(c)
	}
	return c
}
