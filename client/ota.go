package client

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/url"
	"strconv"
	"time"
)

// An Update is that of one device over the air.
type Update struct {
	ID         string `json:"id" yaml:"id"`
	DeviceID   string `json:"device_id" yaml:"device_id"`
	Status     string `json:"status" yaml:"status"` // pending, in_progress, succeeded, failed, cancelled, expired
	StartedAt  string `json:"started_at" yaml:"started_at"`
	EndedAt    string `json:"ended_at,omitempty" yaml:"ended_at,omitempty"`
	Reason     string `json:"error_reason,omitempty" yaml:"error_reason,omitempty"` // why it failed, a word
	Size       int64  `json:"firmware_size" yaml:"firmware_size"`                   // bytes of the file
	MaxRetries int    `json:"max_retries" yaml:"max_retries"`
	Attempt    int    `json:"retry_attempt" yaml:"retry_attempt"`
	State      string `json:"state,omitempty" yaml:"state,omitempty"` // what the device said last
	Fetched    int64  `json:"fetched" yaml:"fetched"`                 // bytes that it has
	Campaign   string `json:"campaign_id,omitempty" yaml:"campaign_id,omitempty"`
	Wave       int    `json:"wave,omitempty" yaml:"wave,omitempty"`
}

// Over says whether the update has ended.
func (u Update) Over() bool { return u.Status != "pending" && u.Status != "in_progress" }

// A Step is one of the course of an update.
type Step struct {
	State string `json:"state" yaml:"state"`
	Data  string `json:"state_data,omitempty" yaml:"state_data,omitempty"`
	At    string `json:"timestamp" yaml:"timestamp"`
}

// A Course is an update and its steps.
type Course struct {
	Update Update `json:"ota" yaml:"ota"`
	Steps  []Step `json:"states" yaml:"states"`
}

// Uploaded is what the server says of a file for one device.
type Uploaded struct {
	Version int    `json:"ota_version" yaml:"ota_version"`
	SHA     string `json:"file_sha" yaml:"file_sha"`
	ID      string `json:"ota_id" yaml:"ota_id"`
	Status  string `json:"status" yaml:"status"`
}

// UploadOTA sends a .ota file to one device, which has so long to begin.
func (c *Client) UploadOTA(ctx context.Context, device, name string, file []byte, life time.Duration) (Uploaded, error) {
	var out Uploaded
	kind, body, err := Form(name, file, map[string]string{"async": "true", "expire_in_mins": strconv.Itoa(int(life / time.Minute))})
	if err != nil {
		return out, err
	}
	err = c.Send(ctx, "POST", "/iot/v2/devices/"+url.PathEscape(device)+"/ota", kind, body, &out)
	return out, err
}

// Form is a form with a file in its field ota_file, and its media type.
func Form(name string, file []byte, fields map[string]string) (kind string, body []byte, err error) {
	return form("ota_file", name, file, fields)
}

// form is one with fields and one file, in the part called as.
func form(as, name string, file []byte, fields map[string]string) (kind string, body []byte, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for key, value := range fields {
		if err := w.WriteField(key, value); err != nil {
			return "", nil, err
		}
	}
	part, err := w.CreateFormFile(as, name)
	if err != nil {
		return "", nil, err
	}
	if _, err := part.Write(file); err != nil {
		return "", nil, err
	}
	if err := w.Close(); err != nil {
		return "", nil, err
	}
	return w.FormDataContentType(), b.Bytes(), nil
}
