package house

import (
	"archive/zip"
	"bytes"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// ofTemplates says whether a route is about whole templates.
func ofTemplates(d door.Declaration) bool {
	return strings.HasPrefix(d.Path, "/storage/template/") || strings.HasPrefix(d.Path, "/v1/templates") || d.Path == "/iot/v1/templates"
}

// settleTemplate makes a template of the caller's thing, in place of those before, whose names samples may have.
func (c *caller) settleTemplate() {
	c.t.Helper()
	var old []struct {
		ID string `json:"id"`
	}
	c.do("GET", "/v1/templates", nil, &old)
	for _, t := range old {
		c.do("DELETE", "/v1/templates/"+t.ID, nil, nil)
	}
	var made struct {
		ID string `json:"id"`
	}
	c.do("POST", "/v1/templates", map[string]any{"name": "canary template", "things": []string{c.own["thing"]}}, &made)
	c.own["template"] = made.ID
}

// tinoForm is an upload of a small template.
func tinoForm() string {
	var file bytes.Buffer
	z := zip.NewWriter(&file)
	for _, one := range [][2]string{{"template.json", `{"name":"Imported"}`}, {"resources/thing_1.yaml", "id: a\nname: A\nvariables: []\n"}} {
		f, err := z.Create(one[0])
		if err == nil {
			_, err = f.Write([]byte(one[1]))
		}
		if err != nil {
			panic(err) // memory does not fail
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return "--x\r\nContent-Disposition: form-data; name=\"template\"; filename=\"a.tino\"\r\nContent-Type: application/octet-stream\r\n\r\n" + file.String() + "\r\n--x--\r\n"
}
