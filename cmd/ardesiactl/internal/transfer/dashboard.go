package transfer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/cloud"
)

// clientState are options of widgets that the web app keeps for itself, among them who made it; the official command line
// leaves them out, too; cloud-api reference, section 5.8.
var clientState = []string{"created_by", "thingId", "properties"}

func (t *Transfer) copyDashboards(ctx context.Context) error {
	all, c := t.source.dashboards, &t.report.Dashboards
	for i := range all {
		d := &all[i]
		t.progress(Dashboards, int64(i), int64(len(all)), d.Name)
		if err := t.copyDashboard(ctx, d, c); err != nil {
			return fmt.Errorf("dashboard %s: %w", d.ID, err)
		}
	}
	t.progress(Dashboards, int64(len(all)), int64(len(all)), "done")
	return nil
}

func (t *Transfer) copyDashboard(ctx context.Context, d *cloud.Dashboard, c *Count) error {
	if d.Guest {
		c.skip(d.ID, d.Name, "it belongs to somebody who shares it")
		return nil
	}
	_, there := t.there.dashboards.of(d.ID)
	if t.cfg.DryRun || there {
		t.count(d.ID, c)
		return nil
	}
	in := map[string]any{"name": d.Name, "pages": append([]cloud.Page{}, d.Pages...), "tags": tags(d.Tags, d.ID)}
	if d.Cover != "" {
		in["cover_image"] = d.Cover
	}
	widgets, lost := []cloud.Widget{}, 0
	for _, w := range d.Widgets {
		made, gone, err := t.widget(w)
		if err != nil {
			c.fail(d.ID, d.Name, err.Error())
			return nil
		}
		widgets = append(widgets, made)
		lost += gone
	}
	in["widgets"] = widgets
	_, err := t.create(ctx, Dashboards, t.there.dashboards, "/iot/v3/dashboards?tags=", d.ID, http.MethodPost, "/iot/v3/dashboards", in)
	if why, no := refused(err); no {
		c.fail(d.ID, d.Name, why)
		return nil
	}
	if err != nil {
		return err
	}
	t.count(d.ID, c)
	if lost > 0 {
		c.note(d.ID, d.Name, fmt.Sprintf("%d variables of its widgets were not copied, and are not linked", lost))
	}
	if pictures := pictures(d); pictures > 0 {
		c.note(d.ID, d.Name, fmt.Sprintf("%d pictures stay where they are, and are gone when the source is: upload them here", pictures))
	}
	if d.Shares > 0 {
		c.note(d.ID, d.Name, fmt.Sprintf("it is shared with %d people, who have to be invited anew", d.Shares))
	}
	return nil
}

// pictures are how many pictures a dashboard takes from somewhere: its cover, and those that its widgets name.
func pictures(d *cloud.Dashboard) (n int) {
	if d.Cover != "" {
		n++
	}
	for _, w := range d.Widgets {
		if w.Type == "Image" || w.Type == "Image Map" {
			n++
		}
	}
	return n
}

// widget is a widget that shows copies. gone is how many variables have none.
func (t *Transfer) widget(w cloud.Widget) (_ cloud.Widget, gone int, err error) {
	options := map[string]json.RawMessage{}
	if err := json.Unmarshal(w.Options, &options); err != nil {
		return w, 0, fmt.Errorf("the options of widget %s are no object", w.ID)
	}
	for _, key := range clientState {
		delete(options, key)
	}
	if w.Options, err = json.Marshal(options); err != nil {
		return w, 0, err
	}
	// Advanced Chart has maps by property, Image Map has lists with properties in them, and who knows what comes.
	w.Options = t.translate(w.Options)
	variables := []string{}
	for _, v := range w.Variables {
		if to, known := t.ids[v]; known {
			variables = append(variables, to)
		} else {
			gone++
		}
	}
	w.Variables = variables
	w.ID = strings.ToLower(w.ID)
	return w, gone, nil
}
