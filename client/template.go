package client

import (
	"context"
	"net/url"
	"time"
)

// A Template is one of a space or of the gallery, without what is in it.
type Template struct {
	ID          string    `json:"id" yaml:"id"`
	Slug        string    `json:"template_name,omitempty" yaml:"template_name,omitempty"` // in the gallery
	Name        string    `json:"name" yaml:"name"`
	Description string    `json:"description" yaml:"description"`
	Boards      []string  `json:"compatible_boards" yaml:"compatible_boards"` // FQBNs
	Things      int       `json:"things" yaml:"things"`
	Dashboards  int       `json:"dashboards" yaml:"dashboards"`
	Triggers    int       `json:"triggers" yaml:"triggers"`
	Sketches    int       `json:"sketches" yaml:"sketches"`
	Bytes       int64     `json:"bytes" yaml:"bytes"` // of its file
	CreatedAt   time.Time `json:"created_at" yaml:"created_at"`
	UpdatedAt   time.Time `json:"updated_at" yaml:"updated_at"`
}

// An Applied is what was made of a template.
type Applied struct {
	Things     []AppliedThing `json:"things" yaml:"things"`
	Dashboards []string       `json:"dashboards" yaml:"dashboards"` // IDs
	Triggers   []string       `json:"triggers" yaml:"triggers"`     // IDs
}

// An AppliedThing is a thing that was made of a template.
type AppliedThing struct {
	ID       string `json:"id" yaml:"id"`
	SketchID string `json:"sketch_id" yaml:"sketch_id"`
	DeviceID string `json:"device_id,omitempty" yaml:"device_id,omitempty"`
}

// A ThingOption is what a template cannot know of a thing.
type ThingOption struct {
	DeviceID string            `json:"device_id,omitempty"`
	Secrets  map[string]string `json:"secrets,omitempty"` // of its sketch, by name
}

// ImportTemplate sends a .tino file, and answers the ID that the template has.
func (c *Client) ImportTemplate(ctx context.Context, name string, file []byte) (id string, err error) {
	kind, body, err := form("template", name, file, nil)
	if err != nil {
		return "", err
	}
	var out struct {
		ID string `json:"template_id"`
	}
	err = c.Send(ctx, "POST", "/storage/template/archive/v1/", kind, body, &out)
	return out.ID, err
}

// ExportTemplate fetches a template as a .tino file.
func (c *Client) ExportTemplate(ctx context.Context, id string) (file []byte, err error) {
	err = c.Do(ctx, "GET", "/storage/template/archive/v1/"+url.PathEscape(id), nil, &file)
	return file, err
}
