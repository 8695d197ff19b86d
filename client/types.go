package client

import "time"

// Device is a board or program that connects. Fields as in ArduinoDevicev2 of
// the compatible API, those that the command line shows.
type Device struct {
	ID             string            `json:"id" yaml:"id"`
	Name           string            `json:"name" yaml:"name"`
	Type           string            `json:"type" yaml:"type"`
	FQBN           string            `json:"fqbn,omitempty" yaml:"fqbn,omitempty"`
	Serial         string            `json:"serial" yaml:"serial"`
	Status         string            `json:"device_status,omitempty" yaml:"device_status,omitempty"` // ONLINE, OFFLINE or UNKNOWN
	LibVersion     string            `json:"lib_version,omitempty" yaml:"lib_version,omitempty"`
	LastActivityAt *time.Time        `json:"last_activity_at,omitempty" yaml:"last_activity_at,omitempty"`
	Tags           map[string]string `json:"tags,omitempty" yaml:"tags,omitempty"`
	Thing          *Thing            `json:"thing,omitempty" yaml:"thing,omitempty"`
}

// Thing is what a device is for: properties and a time zone.
type Thing struct {
	ID         string            `json:"id" yaml:"id"`
	Name       string            `json:"name" yaml:"name"`
	Timezone   string            `json:"timezone" yaml:"timezone"` // IANA
	DeviceID   string            `json:"device_id,omitempty" yaml:"device_id,omitempty"`
	DeviceName string            `json:"device_name,omitempty" yaml:"device_name,omitempty"`
	Count      int               `json:"properties_count,omitempty" yaml:"properties_count,omitempty"`
	Tags       map[string]string `json:"tags,omitempty" yaml:"tags,omitempty"`
	Properties []Property        `json:"properties,omitempty" yaml:"properties,omitempty"`
}

// Property is one named value of a thing.
type Property struct {
	ID         string     `json:"id" yaml:"id"`
	Name       string     `json:"name" yaml:"name"`
	Type       string     `json:"type" yaml:"type"`
	Permission string     `json:"permission" yaml:"permission"`           // READ_ONLY or READ_WRITE
	Strategy   string     `json:"update_strategy" yaml:"update_strategy"` // ON_CHANGE or TIMED
	Variable   string     `json:"variable_name,omitempty" yaml:"variable_name,omitempty"`
	ThingID    string     `json:"thing_id,omitempty" yaml:"thing_id,omitempty"`
	LastValue  any        `json:"last_value" yaml:"last_value"`
	LastAt     *time.Time `json:"value_updated_at,omitempty" yaml:"value_updated_at,omitempty"`
}

// Series is one property's part of an answer about history.
type Series struct {
	PropertyID string      `json:"property_id" yaml:"property_id"`
	Status     string      `json:"status" yaml:"status"` // ok, or why not
	Message    string      `json:"message,omitempty" yaml:"message,omitempty"`
	Times      []time.Time `json:"times" yaml:"times"`
	Values     []any       `json:"values" yaml:"values"`
}

// Space is where devices and things belong: a person's own, or one that several share.
type Space struct {
	ID   string `json:"id" yaml:"id"`
	Name string `json:"name" yaml:"name"`
	Kind string `json:"kind" yaml:"kind"` // private or shared
	Role string `json:"role" yaml:"role"` // of the asking user
}

// Member is a person in a space.
type Member struct {
	User    string    `json:"user" yaml:"user"` // id
	Name    string    `json:"name" yaml:"name"`
	Email   string    `json:"email,omitempty" yaml:"email,omitempty"` // administrators alone see it
	Role    string    `json:"role" yaml:"role"`
	Owner   bool      `json:"owner" yaml:"owner"`
	SinceAt time.Time `json:"since_at" yaml:"since_at"`
}

// Invitation is a way into a space that nobody has taken yet.
type Invitation struct {
	ID        string    `json:"id" yaml:"id"`
	Role      string    `json:"role" yaml:"role"`
	Email     string    `json:"email,omitempty" yaml:"email,omitempty"` // who may take it; none: whoever has the link
	Uses      int       `json:"uses" yaml:"uses"`                       // that are left
	ExpiresAt time.Time `json:"expires_at" yaml:"expires_at"`
	Link      string    `json:"link,omitempty" yaml:"link,omitempty"` // told once, when it is made
}

// Usage is how much a space has of something that is limited.
type Usage struct {
	Quota string `json:"quota" yaml:"quota"`
	Used  int    `json:"used" yaml:"used"`
	Limit *int   `json:"limit" yaml:"limit"` // nil: none
	Own   bool   `json:"own" yaml:"own"`     // it was set for this space
}

// Role is what its name means in a space.
type Role struct {
	Role string   `json:"role" yaml:"role"`
	May  []string `json:"may" yaml:"may"`
}

// A Dashboard is what people see of their things.
type Dashboard struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	UpdatedAt time.Time         `json:"updated_at"`
	Tags      map[string]string `json:"tags,omitempty"`
	Widgets   []DashboardWidget `json:"widgets"`
}

// A DashboardWidget shows values of variables.
type DashboardWidget struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Type      string         `json:"type"`
	Page      string         `json:"page_id"`
	Options   map[string]any `json:"options"`
	Variables []struct {
		ID        string `json:"id"`
		Name      string `json:"name"`
		ThingID   string `json:"thing_id"`
		LastValue any    `json:"last_value"`
	} `json:"variables"`
}

// A DashboardShare is a guest of a dashboard.
type DashboardShare struct {
	UserID   string    `json:"user_id"`
	Username string    `json:"username"`
	Access   string    `json:"access"` // read, write
	SharedAt time.Time `json:"shared_at"`
}

// A Trigger does something by itself when a value or a device's status changes.
type Trigger struct {
	ID         string            `json:"id" yaml:"id"`
	Name       string            `json:"name" yaml:"name"`
	Active     bool              `json:"active" yaml:"active"`
	PropertyID string            `json:"property_id,omitempty" yaml:"property_id,omitempty"`
	Tags       map[string]string `json:"tags,omitempty" yaml:"tags,omitempty"`
	Actions    []TriggerAction   `json:"actions" yaml:"actions"`
}

// A TriggerAction is what a trigger does.
type TriggerAction struct {
	ID   string `json:"id" yaml:"id"`
	Kind string `json:"kind" yaml:"kind"`
	Name string `json:"name" yaml:"name"`
}

// A Program is what runs on a thing's device, as the server writes it: GET /v1/things/{id}/sketch.
type Program struct {
	Name     string        `json:"name"` // of its folder
	Language string        `json:"language"`
	Board    string        `json:"board,omitempty"` // FQBN
	Files    []ProgramFile `json:"files"`
	Hooks    []Hook        `json:"hooks"`
}

// A ProgramFile is one file of a Program, with "/" in its name between folders. One to keep is the user's
// once it exists.
type ProgramFile struct {
	Name string `json:"name"`
	Text string `json:"text"`
	Keep bool   `json:"keep"`
}

// A Hook is a function that a user's file must have, and an empty one.
type Hook struct {
	Name string `json:"name" yaml:"name"`
	In   string `json:"in" yaml:"in"`
	Text string `json:"text" yaml:"text"`
}

// Sync is properties that are kept the same.
type Sync struct {
	ID         string       `json:"id" yaml:"id"`
	Type       string       `json:"type" yaml:"type"`
	Properties []SyncMember `json:"properties" yaml:"properties"`
}

// SyncMember is one of them.
type SyncMember struct {
	ID         string `json:"id" yaml:"id"`
	State      string `json:"state" yaml:"state"` // OK, GIVES (only its board sets it), DELETED, RETYPED or NOT_FOUND
	Name       string `json:"name,omitempty" yaml:"name,omitempty"`
	Permission string `json:"permission,omitempty" yaml:"permission,omitempty"`
	ThingID    string `json:"thing_id,omitempty" yaml:"thing_id,omitempty"`
	ThingName  string `json:"thing_name,omitempty" yaml:"thing_name,omitempty"`
}

// IDs are those of its properties.
func (g Sync) IDs() []string {
	all := make([]string, 0, len(g.Properties))
	for _, p := range g.Properties {
		all = append(all, p.ID)
	}
	return all
}

// HomeAssistant is the bridge of a space to Home Assistant.
type HomeAssistant struct {
	Broker          string             `json:"broker" yaml:"broker"`
	User            string             `json:"user" yaml:"user"`
	PasswordSet     bool               `json:"password_set" yaml:"password_set"`
	CA              string             `json:"ca" yaml:"ca"`
	DiscoveryPrefix string             `json:"discovery_prefix" yaml:"discovery_prefix"`
	TopicPrefix     string             `json:"topic_prefix" yaml:"topic_prefix"`
	Tags            []string           `json:"tags" yaml:"tags"` // key:value; things that have all of them
	Writes          bool               `json:"writes" yaml:"writes"`
	Enabled         bool               `json:"enabled" yaml:"enabled"`
	CreatedAt       time.Time          `json:"created_at" yaml:"created_at"`
	UpdatedAt       time.Time          `json:"updated_at" yaml:"updated_at"`
	State           HomeAssistantState `json:"state" yaml:"state"`
}

// HomeAssistantState is how it does.
type HomeAssistantState struct {
	Status          string     `json:"status" yaml:"status"` // connected, connecting, waiting or off
	ConnectedSince  *time.Time `json:"connected_since" yaml:"connected_since"`
	LastError       string     `json:"last_error" yaml:"last_error"`
	LastErrorAt     *time.Time `json:"last_error_at" yaml:"last_error_at"`
	Things          int        `json:"things" yaml:"things"`
	Entities        int        `json:"entities" yaml:"entities"`
	MessagesSent    int64      `json:"messages_sent" yaml:"messages_sent"`
	CommandsTaken   int64      `json:"commands_taken" yaml:"commands_taken"`
	CommandsRefused int64      `json:"commands_refused" yaml:"commands_refused"`
	LastRefusal     string     `json:"last_refusal" yaml:"last_refusal"`
}

// Webhook is who is told of a thing's or a device's values.
type Webhook struct {
	ID             string        `json:"id" yaml:"id"`
	ThingID        string        `json:"thing_id,omitempty" yaml:"thing_id,omitempty"`
	DeviceID       string        `json:"device_id,omitempty" yaml:"device_id,omitempty"`
	URI            string        `json:"uri" yaml:"uri"`
	Active         bool          `json:"active" yaml:"active"`
	Secret         string        `json:"secret" yaml:"secret"` // of Standard Webhooks
	OldSecretUntil *time.Time    `json:"old_secret_until" yaml:"old_secret_until"`
	Health         WebhookHealth `json:"health" yaml:"health"`
}

// WebhookHealth is how it does.
type WebhookHealth struct {
	State        string     `json:"state" yaml:"state"` // ok, failing, disabled (given up) or off
	Queued       int64      `json:"queued" yaml:"queued"`
	Dropped      int64      `json:"dropped" yaml:"dropped"`
	Dead         int64      `json:"dead" yaml:"dead"`
	Delivered    int64      `json:"delivered" yaml:"delivered"`
	Tries        int64      `json:"tries" yaml:"tries"`
	NextAt       *time.Time `json:"next_at" yaml:"next_at"`
	FailingSince *time.Time `json:"failing_since" yaml:"failing_since"`
	DisabledAt   *time.Time `json:"disabled_at" yaml:"disabled_at"`
	LastAt       *time.Time `json:"last_at" yaml:"last_at"`
	LastStatus   *int64     `json:"last_status" yaml:"last_status"`
	LastResult   string     `json:"last_result,omitempty" yaml:"last_result,omitempty"`
}
