package template

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A cli asks as arduino-cloud-cli does, over the network.
type cli struct {
	t    *testing.T
	base string
	as   string
}

func (c cli) send(method, path, kind string, body []byte) (int, http.Header, []byte) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.as)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	client := &http.Client{}
	defer client.CloseIdleConnections()
	got, err := client.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return got.StatusCode, got.Header, text
}

// good is a call that must be answered with a JSON object that has some keys, none of which is null.
func (c cli) good(method, path, kind string, body []byte, keys ...string) map[string]any {
	c.t.Helper()
	status, head, text := c.send(method, path, kind, body)
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil || status != http.StatusOK || !strings.Contains(head.Get("Content-Type"), "json") {
		c.t.Fatalf("%s %s = %d %s %s (%v)", method, path, status, head.Get("Content-Type"), text, err)
	}
	for _, key := range keys {
		if all[key] == nil {
			c.t.Errorf("%s %s has no %q: %s", method, path, key, text)
		}
	}
	return all
}

func upload(t *testing.T, field string, file []byte) (kind string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile(field, "/home/somebody/farm.tino")
	if err == nil {
		_, err = part.Write(file)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.Bytes()
}

// The calls of arduino-cloud-cli's template import, list, export and apply, in their order, with the keys that it needs.
func TestCommandLineClient(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	server := httptest.NewServer(h.http)
	defer server.Close()
	c := cli{t, server.URL, "editor"}
	kind, body := upload(t, "template", small(t))
	made := c.good("POST", "/storage/template/archive/v1/", kind, body, "message", "name", "template_id")
	id, _ := made["template_id"].(string)
	if _, err := uuid.Parse(id); err != nil || made["name"] != "Small" {
		t.Fatalf("imported %v", made)
	}
	if status, _, text := c.send("POST", "/storage/template/archive/v1/", kind, body); status != http.StatusConflict {
		t.Errorf("imported twice: %d %s", status, text)
	}
	list := c.good("POST", "/storage/template/v1/list", "application/json", []byte(`{"sort":"asc"}`), "templates")
	one := list["templates"].([]any)[0].(map[string]any)
	for _, key := range []string{"template_id", "name", "created_at", "updated_at"} {
		if one[key] == nil {
			t.Errorf("the list has no %q: %v", key, one)
		}
	}
	status, head, file := c.send("GET", "/storage/template/archive/v1/"+id, "", nil)
	if status != http.StatusOK || head.Get("Content-Disposition") != `attachment; filename="Small.tino"` || head.Get("Content-Type") != "application/zip" {
		t.Errorf("exported %d %v", status, head)
	}
	if _, err := Read(file); err != nil {
		t.Errorf("what was exported cannot be read: %v", err)
	}
	described := c.good("GET", "/storage/template/v1/"+id, "", nil, "template_id", "name", "description", "compatible_boards", "thing_templates", "dashboard_templates", "trigger_templates", "image_links",
		"organization_id", "user_id", "created_at", "updated_at")
	part := described["thing_templates"].([]any)[0].(map[string]any)
	board := h.board(editor, "b")
	wish, err := json.Marshal(map[string]any{"template_name": "", "custom_template_id": id, "prefix_name": "",
		"things_options": map[string]any{part["id"].(string): map[string]any{"device_id": board, "secrets": map[string]string{"SECRET_SSID": "n", "SECRET_OPTIONAL_PASS": "p"}}}})
	if err != nil {
		t.Fatal(err)
	}
	applied := c.good("PUT", "/iot/v1/templates", "application/json", wish, "things", "dashboards", "triggers")
	th := applied["things"].([]any)[0].(map[string]any)
	for _, key := range []string{"id", "sketch_id", "device_id"} {
		if text, _ := th[key].(string); uuid.Validate(text) != nil {
			t.Errorf("the thing's %q is no UUID: %v", key, th)
		}
	}
	if status, _, text := c.send("PUT", "/iot/v1/templates", "application/json", bytes.Replace(wish, []byte(`"prefix_name":""`), []byte(`"prefix_name":"a"`), 1)); status != http.StatusConflict {
		t.Errorf("the device has a thing already: %d %s", status, text)
	}
}

func TestBadForms(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	server := httptest.NewServer(h.http)
	defer server.Close()
	c := cli{t, server.URL, "editor"}
	kind, good := upload(t, "template", small(t))
	_, other := upload(t, "file", small(t))
	_, broken := upload(t, "template", []byte("no zip"))
	_, large := upload(t, "template", make([]byte, MaxFile+1))
	boundary := func(body []byte) string {
		return "multipart/form-data; boundary=" + string(body[2:bytes.IndexByte(body, '\r')])
	}
	for name, f := range map[string]struct {
		kind   string
		body   []byte
		status int
	}{
		"no form":      {"application/json", []byte("{}"), 400},
		"no boundary":  {"multipart/form-data", good, 400},
		"another part": {boundary(other), other, 400},
		"no zip":       {boundary(broken), broken, 400},
		"cut off":      {kind, good[:len(good)-40], 400},
		"too large":    {boundary(large), large, 413},
	} {
		t.Run(name, func(t *testing.T) {
			if status, _, text := c.send("POST", "/storage/template/archive/v1", f.kind, f.body); status != f.status {
				t.Errorf("%d %s, want %d", status, text, f.status)
			}
		})
	}
}

// A template is kept under its name, in its space; whoever is of another one learns nothing of it.
func TestKept(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		first, err := h.Import(t.Context(), editor, small(t))
		if err != nil {
			t.Fatal(err)
		}
		path := "/v1/templates/" + first.ID
		var got wireTemplate
		h.want(200, "viewer", "GET", path, nil, &got)
		if got.Name != "Small" || got.Things != 1 || got.Sketches != 1 || got.Bytes == 0 || !slices.Equal(got.CompatibleBoards, []string{"a:b:c"}) {
			t.Errorf("kept %+v", got)
		}
		for _, call := range [][2]string{{"GET", path}, {"PATCH", path}, {"DELETE", path}, {"GET", "/storage/template/v1/" + first.ID}, {"GET", "/storage/template/archive/v1/" + first.ID}} {
			h.want(404, "stranger", call[0], call[1], map[string]any{"name": "mine"}, nil)
		}
		h.want(403, "viewer", "DELETE", path, nil, nil)
		h.want(403, "viewer", "PATCH", path, map[string]any{"name": "mine"}, nil)
		h.want(200, "editor", "PATCH", path, map[string]any{"name": " Other ", "description": "two\nlines"}, &got)
		if got.Name != "Other" || got.Description != "two\nlines" {
			t.Errorf("renamed %+v", got)
		}
		w, err := h.Whole(t.Context(), editor, first.ID)
		if err != nil || w.Name != "Other" || w.Text != "two\nlines" || len(w.Assets) != 1 {
			t.Errorf("the file says %+v (%v)", w, err)
		}
		if _, err := h.Import(t.Context(), editor, small(t)); err != nil {
			t.Errorf("the name is not free: %v", err)
		}
		h.want(409, "editor", "PATCH", path, map[string]any{"name": "Small"}, nil)
		h.want(400, "editor", "PATCH", path, map[string]any{"name": "  "}, nil)
		h.want(404, "editor", "PATCH", "/v1/templates/thermostat", map[string]any{"name": "mine"}, nil)
		h.want(404, "editor", "DELETE", "/v1/templates/thermostat", nil, nil)
		h.want(200, "viewer", "GET", "/v1/templates/thermostat", nil, &got)
		if got.TemplateName != "thermostat" || got.Triggers != 1 {
			t.Errorf("of the gallery: %+v", got)
		}
		h.room = got.Bytes
		if _, err := h.Import(t.Context(), stranger, pack(t, "template.json", smallManifest, "resources/thing_1.yaml", smallThing, "resources/images/a.png", "x", "resources/b", string(randomBytes(1<<15)))); err == nil {
			t.Error("more was kept than there is room for")
		}
		h.room = 0
		h.want(200, "editor", "DELETE", path, nil, nil)
		h.want(404, "editor", "GET", path, nil, nil)
		if err := h.EraseSpace(t.Context(), access.Actor{Kind: access.System}, space); err != nil {
			t.Fatal(err)
		}
		if left, err := h.List(t.Context(), editor, true); err != nil || len(left) > 0 {
			t.Errorf("left: %v (%v)", left, err)
		}
	})
}

// randomBytes do not pack.
func randomBytes(n int) []byte {
	out, x := make([]byte, n), uint64(88172645463325252)
	for i := range out {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		out[i] = byte(x)
	}
	return out
}

// What a template is made of must be there, once, and in the space.
func TestWhatCannotBeTaken(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	f := h.farm(editor, "editor")
	for name, c := range map[string]struct {
		as     string
		body   map[string]any
		status int
	}{
		"nothing":                          {"editor", map[string]any{"name": "x"}, 400},
		"thing that is not there":          {"editor", map[string]any{"name": "x", "things": []string{absent}}, 404},
		"thing of another space":           {"stranger", map[string]any{"name": "x", "things": f.things}, 404},
		"dashboard of another space":       {"stranger", map[string]any{"name": "x", "dashboards": f.dashboards}, 404},
		"trigger of another space":         {"stranger", map[string]any{"name": "x", "triggers": f.triggers}, 404},
		"one thing twice":                  {"editor", map[string]any{"name": "x", "things": []string{f.things[0], f.things[0]}}, 400},
		"dashboard that shows what is not": {"editor", map[string]any{"name": "x", "things": f.things[:1], "dashboards": f.dashboards}, 400},
		"trigger about what is not":        {"editor", map[string]any{"name": "x", "things": f.things[:1], "triggers": f.triggers}, 400},
		"no name":                          {"editor", map[string]any{"name": "", "things": f.things}, 400},
		"viewers may not":                  {"viewer", map[string]any{"name": "x", "things": f.things}, 403},
	} {
		t.Run(name, func(t *testing.T) { h.want(c.status, c.as, "POST", "/v1/templates", c.body, nil) })
	}
	if all, err := h.List(t.Context(), editor, false); err != nil || len(all) > 0 {
		t.Errorf("kept: %v (%v)", all, err)
	}
}

// Without a room for sketches a thing has the ID of one all the same, and secrets are checked.
func TestWithoutSketches(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	h.needs.Sketches = nil
	h.again()
	made, err := h.Apply(t.Context(), editor, Wish{Template: "thermostat", Options: map[string]Option{"thermostat": {Secrets: map[string]string{"S": "x"}}}})
	if err != nil || uuid.Validate(made.Things[0].Sketch) != nil {
		t.Fatalf("made %+v (%v)", made, err)
	}
	if _, err := h.Make(t.Context(), editor, Choice{Name: "x", Things: []string{made.Things[0].ID}, Dashboards: made.Dashboards, Triggers: made.Triggers}); err != nil {
		t.Errorf("Make = %v", err)
	}
}
