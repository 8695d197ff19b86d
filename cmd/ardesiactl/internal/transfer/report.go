package transfer

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/cloud"
)

// A Report is what became of everything.
type Report struct {
	From      string    `json:"from" yaml:"from"`
	To        string    `json:"to" yaml:"to"`
	Space     string    `json:"space,omitempty" yaml:"space,omitempty"`
	DryRun    bool      `json:"dry_run" yaml:"dry_run"`
	StartedAt time.Time `json:"started_at" yaml:"started_at"`
	EndedAt   time.Time `json:"ended_at" yaml:"ended_at"`
	Until     time.Time `json:"until" yaml:"until"` // of history

	Devices    Count     `json:"devices" yaml:"devices"`
	Things     Count     `json:"things" yaml:"things"`
	Properties Count     `json:"properties" yaml:"properties"`
	Dashboards Count     `json:"dashboards" yaml:"dashboards"`
	Triggers   Count     `json:"triggers" yaml:"triggers"`
	History    Histories `json:"history" yaml:"history"`
	// Reprovision are boards that need a certificate of the target.
	Reprovision []Line `json:"reprovision,omitempty" yaml:"reprovision,omitempty"`
	Verified    *Proof `json:"verified,omitempty" yaml:"verified,omitempty"` // nil when nobody asked
	KeysFile    string `json:"keys_file,omitempty" yaml:"keys_file,omitempty"`
	NewKeys     int    `json:"new_keys" yaml:"new_keys"` // in KeysFile, of this run
}

// A Count is what became of objects of one kind. Copied are all copies that this transfer made, in whichever run; There
// those that were there before it began. In a dry run the former are those that would be made.
type Count struct {
	Found   int    `json:"found" yaml:"found"`
	Copied  int    `json:"copied" yaml:"copied"`
	There   int    `json:"there" yaml:"there"`
	Skipped []Line `json:"skipped,omitempty" yaml:"skipped,omitempty"` // cannot be copied by nature
	Failed  []Line `json:"failed,omitempty" yaml:"failed,omitempty"`   // the target, or their own shape, refused them
	Notes   []Line `json:"notes,omitempty" yaml:"notes,omitempty"`     // copied, but for something
}

// A Line is about one object of the source.
type Line struct {
	ID   string `json:"id" yaml:"id"`
	Name string `json:"name" yaml:"name"`
	Why  string `json:"why" yaml:"why"`
}

// Histories are the sums of all properties.
type Histories struct {
	Properties int    `json:"properties" yaml:"properties"`
	Complete   int    `json:"complete" yaml:"complete"`
	Read       int64  `json:"read" yaml:"read"`
	Written    int64  `json:"written" yaml:"written"`
	Same       int64  `json:"same" yaml:"same"`
	Occupied   int64  `json:"occupied" yaml:"occupied"`
	Expired    int64  `json:"expired" yaml:"expired"`
	Refused    int64  `json:"refused" yaml:"refused"`
	Nulls      int64  `json:"nulls" yaml:"nulls"`
	Odd        int64  `json:"odd" yaml:"odd"`
	Double     int64  `json:"double" yaml:"double"`
	Failed     []Line `json:"failed,omitempty" yaml:"failed,omitempty"` // properties of which nothing more can be read or written
	Notes      []Line `json:"notes,omitempty" yaml:"notes,omitempty"`   // the first refusal of properties that have some
}

// A Proof is what a comparison of both sides found.
type Proof struct {
	Properties int    `json:"properties" yaml:"properties"`
	Counted    int    `json:"counted" yaml:"counted"`   // compared by count, sum, least and greatest
	Compared   int    `json:"compared" yaml:"compared"` // compared value by value
	Values     int64  `json:"values" yaml:"values"`     // that the target has of these
	Wrong      []Line `json:"wrong,omitempty" yaml:"wrong,omitempty"`
	Notes      []Line `json:"notes,omitempty" yaml:"notes,omitempty"`
}

func found(wanted bool, n int, strange []cloud.Strange) Count {
	if !wanted {
		return Count{}
	}
	c := Count{Found: n + len(strange)}
	for _, s := range strange {
		c.Failed = append(c.Failed, Line{s.ID, s.Name, s.Why})
	}
	return c
}

func (c *Count) skip(id, name, why string) { c.Skipped = append(c.Skipped, Line{id, name, why}) }
func (c *Count) fail(id, name, why string) { c.Failed = append(c.Failed, Line{id, name, why}) }
func (c *Count) note(id, name, why string) { c.Notes = append(c.Notes, Line{id, name, why}) }

// Failures is how many objects and properties should have been copied and were not, or were found wrong.
func (r *Report) Failures() int {
	n := len(r.History.Failed)
	for _, c := range []Count{r.Devices, r.Things, r.Properties, r.Dashboards, r.Triggers} {
		n += len(c.Failed)
	}
	if r.Verified != nil {
		n += len(r.Verified.Wrong)
	}
	return n
}

// Text writes the report for people. clean makes what others wrote safe to show.
func (r *Report) Text(w io.Writer, clean func(string) string) error {
	var b strings.Builder
	verb := "copied"
	if r.DryRun {
		verb = "to copy"
	}
	fmt.Fprintf(&b, "From %s to %s, in %v\n\n", clean(r.From), clean(r.To), r.EndedAt.Sub(r.StartedAt).Round(time.Second))
	kinds := []struct {
		name string
		c    Count
	}{{"devices", r.Devices}, {"things", r.Things}, {"properties", r.Properties}, {"dashboards", r.Dashboards}, {"triggers", r.Triggers}}
	for _, k := range kinds {
		if k.c.Found > 0 {
			fmt.Fprintf(&b, "%-11s %d found, %d %s, %d there already, %d skipped, %d failed\n", k.name, k.c.Found, k.c.Copied, verb, k.c.There, len(k.c.Skipped), len(k.c.Failed))
		}
	}
	if h := r.History; h.Properties > 0 {
		if r.DryRun {
			fmt.Fprintf(&b, "%-11s of %d properties\n", "history", h.Properties)
		} else {
			fmt.Fprintf(&b, "%-11s %d of %d properties complete: %d values read, %d written, %d there already\n", "history", h.Complete, h.Properties, h.Read, h.Written, h.Same)
		}
		for _, some := range []struct {
			n   int64
			why string
		}{{h.Double, "at the instant of another"}, {h.Occupied, "at an instant where the target has another value, which stays"}, {h.Expired, "older than the space keeps values"},
			{h.Refused, "that their property cannot hold"}, {h.Nulls, "that say nothing (null)"}, {h.Odd, "with a time that cannot be used"}} {
			if some.n > 0 {
				fmt.Fprintf(&b, "%-11s %d values %s\n", "", some.n, some.why)
			}
		}
	}
	lines := func(title string, all []Line) {
		if len(all) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s\n", title)
		for _, l := range all {
			fmt.Fprintf(&b, "  %s  %s: %s\n", clean(l.ID), clean(l.Name), clean(l.Why))
		}
	}
	for _, k := range kinds {
		lines("Skipped "+k.name+":", k.c.Skipped)
		lines("Failed "+k.name+":", k.c.Failed)
		lines("About "+k.name+":", k.c.Notes)
	}
	lines("Histories that are not complete:", r.History.Failed)
	lines("Values that were refused, the first of each property:", r.History.Notes)
	lines("Boards that need a new certificate, because a private key cannot move:", r.Reprovision)
	if v := r.Verified; v != nil {
		fmt.Fprintf(&b, "\nVerified: %d properties with %d values; %d by count and sum, %d value by value; %d are wrong.\n", v.Properties, v.Values, v.Counted, v.Compared, len(v.Wrong))
		lines("Wrong:", v.Wrong)
		lines("Worth knowing:", v.Notes)
	}
	if r.NewKeys > 0 {
		fmt.Fprintf(&b, "\n%d new secrets are in %s, and nowhere else: put each into its board or program, then delete the file.\n", r.NewKeys, clean(r.KeysFile))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
