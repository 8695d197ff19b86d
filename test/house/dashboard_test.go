package house

import (
	"maps"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// dashboardSample is a dashboard as clients make one.
const dashboardSample = `{"name":"new board","cover_image":"https://example.org/c.png","pages":[{"id":"6ba7b810-9dad-41d1-80b4-00c04fd430c9","name":"more","position":1,"icon":"leaf"}],
	"widgets":[{"id":"6ba7b810-9dad-41d1-80b4-00c04fd430c8","type":"Slider","name":"s","x":0,"y":0,"width":4,"height":2,"x_mobile":1,"y_mobile":1,"width_mobile":2,"height_mobile":2,
	"page_id":"0","options":{"min":0,"max":10},"variables":["{property}"]}]}`

const templateSample = `{"name":"t","widgets":[{"type":"Advanced Chart","x":0,"y":0,"width":1,"height":1,"options":{"axes":{"house:canary":{}}},"variables":[{"thing_id":"house","variable_id":"canary"}]}]}`

// asking for somebody's dashboard has the same answer whether there is one or not; it is no look at it.
const asking = "sharerequest:create"

// ofDashboards says whether a route is about dashboards.
func ofDashboards(d door.Declaration) bool {
	return strings.Contains(d.Path, "/dashboards") || strings.HasPrefix(d.Path, "/v1/shared/")
}

// settleDashboard makes a dashboard with everything that one can have, in place of the one before.
func (c *caller) settleDashboard() {
	c.t.Helper()
	var old []struct {
		ID string `json:"id"`
	}
	c.do("GET", "/iot/v2/dashboards", nil, &old)
	for _, d := range old { // so that they do not fill the space; one may be lent, and stays
		c.ask("DELETE", "/iot/v2/dashboards/"+d.ID, sample{query: "force=true"})
	}
	var d struct {
		ID      string `json:"id"`
		Widgets []struct {
			ID string `json:"id"`
		} `json:"widgets"`
	}
	c.do("POST", "/iot/v3/dashboards", map[string]any{"name": "board", "widgets": []any{map[string]any{"id": "6ba7b810-9dad-41d1-80b4-00c04fd430c8", "type": "Chart",
		"x": 0, "y": 0, "width": 4, "height": 2, "options": map[string]any{}, "variables": []string{c.own["property"]}}}}, &d)
	one := "/v1/dashboards/" + d.ID
	friend := *c
	friend.api = c.friendAPI
	friend.do("PUT", "/iot/v2/dashboards/"+d.ID+"/share_request", map[string]any{"message": "please"}, nil)
	c.do("PUT", "/iot/v2/dashboards/"+d.ID+"/shares", map[string]any{"user_id": c.own["member"]}, nil)
	// Somebody else's request, which the share has not answered.
	if c.own["asker"] == "" {
		id, key := c.h.Person("asker-of-" + c.email)
		c.own["asker"], c.askers = id, c.h.Client(key)
	}
	asker := *c
	asker.api = c.askers
	asker.do("PUT", "/iot/v2/dashboards/"+d.ID+"/share_request", map[string]any{"message": "please"}, nil)
	var link struct {
		Token string `json:"token"`
	}
	c.do("PUT", one+"/link", map[string]any{}, &link)
	image := c.ask("POST", one+"/images", sample{"", "image/png", onePixel})
	_, id, _ := strings.Cut(string(image.body), `"id":"`)
	id, _, _ = strings.Cut(id, `"`)
	c.do("PATCH", "/iot/v3/dashboards/"+d.ID, map[string]any{"widgets": []any{map[string]any{"id": d.Widgets[0].ID, "type": "Chart",
		"x": 0, "y": 0, "width": 4, "height": 2, "options": map[string]any{"url": one + "/images/" + id}, "variables": []string{c.own["property"]}}}}, nil)
	maps.Copy(c.own, map[string]string{"dashboard": d.ID, "widget": d.Widgets[0].ID, "image": id, "link": link.Token})
}

// dashboardPart is what stands for a wildcard of a dashboard's address.
func (c *caller) dashboardPart(name, path string) string {
	switch name {
	case "id":
		return c.own["dashboard"]
	case "user":
		if strings.Contains(path, "/requests/") {
			return c.own["asker"]
		}
		return c.own["member"]
	case "token":
		return c.own["link"]
	case "variable":
		return "v1"
	}
	return c.own[name]
}
