package trigger

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/device"
)

// What the API tells of triggers and actions; cloud-api reference, section 6.12. What is ours is left out where it is not used:
// condition, tags, webhook, set_property.
type (
	wireTrigger struct {
		Actions        []wireAction `json:"actions"`
		Active         bool         `json:"active"`
		Condition      *Condition   `json:"condition,omitempty"`
		CreatedAt      time.Time    `json:"created_at"`
		CreatedBy      string       `json:"created_by"` // who changed it last
		DeletedAt      *time.Time   `json:"deleted_at,omitempty"`
		Description    string       `json:"description"`
		Status         *wireStatus  `json:"device_status_source,omitempty"`
		ID             string       `json:"id"`
		Name           string       `json:"name"`
		OrganizationID string       `json:"organization_id,omitempty"`
		PropertyID     string       `json:"property_id,omitempty"`
		Tags           device.Tags  `json:"tags,omitempty"`
		UpdatedAt      time.Time    `json:"updated_at"`
	}

	wireStatus struct {
		Criteria           string   `json:"criteria" rule:"required,enum=INCLUDE|EXCLUDE"`
		DeviceIDs          []string `json:"device_ids" rule:"items=0..1000,format=uuid"`
		GracePeriodOffline *int64   `json:"grace_period_offline,omitempty" rule:"range=0..1209600"`
		GracePeriodOnline  *int64   `json:"grace_period_online,omitempty" rule:"range=0..1209600"`
	}

	wireLinked struct {
		Actions        []wireAction        `json:"actions"`
		Active         bool                `json:"active"`
		Condition      *Condition          `json:"condition,omitempty"`
		CreatedBy      string              `json:"created_by"`
		Description    string              `json:"description"`
		Status         *wireLinkedStatus   `json:"device_status_source,omitempty"`
		ID             string              `json:"id"`
		Property       *wireLinkedProperty `json:"linked_property,omitempty"`
		Name           string              `json:"name"`
		OrganizationID string              `json:"organization_id,omitempty"`
		Tags           device.Tags         `json:"tags,omitempty"`
	}

	wireLinkedStatus struct {
		Criteria           string             `json:"criteria"`
		GracePeriodOffline *int64             `json:"grace_period_offline,omitempty"`
		GracePeriodOnline  *int64             `json:"grace_period_online,omitempty"`
		Devices            []wireLinkedDevice `json:"linked_devices"`
	}

	wireLinkedDevice struct {
		Device any    `json:"device"`
		Status string `json:"status"` // OK or DELETED
	}

	wireLinkedProperty struct {
		Property any    `json:"property"`
		Status   string `json:"status"` // OK, WRONG_TYPE or DELETED
	}

	wireAction struct {
		CreatedBy      string       `json:"created_by,omitempty"`
		Description    string       `json:"description"`
		Email          *wireEmail   `json:"email,omitempty"`
		ID             string       `json:"id,omitempty"`
		Kind           Kind         `json:"kind"`
		Name           string       `json:"name"`
		OrganizationID string       `json:"organization_id,omitempty"`
		Push           *wirePush    `json:"push_notification,omitempty"`
		SetProperty    *wireSet     `json:"set_property,omitempty"`
		TriggerID      string       `json:"trigger_id,omitempty"`
		Webhook        *wireWebhook `json:"webhook,omitempty"`
	}

	wireEmail struct {
		Body     wireBody        `json:"body" rule:"required"`
		Delivery wireEmailOption `json:"delivery" rule:"required"`
		Subject  wireTitle       `json:"subject" rule:"required"`
	}

	wireEmailOption struct {
		BCC []wireRecipient `json:"bcc,omitempty" rule:"items=0..100"`
		CC  []wireRecipient `json:"cc,omitempty" rule:"items=0..100"`
		To  []wireRecipient `json:"to" rule:"required,items=1..100"`
	}

	wirePush struct {
		Body     wireBody       `json:"body" rule:"required"`
		Delivery wirePushOption `json:"delivery" rule:"required"`
		Title    wireTitle      `json:"title" rule:"required"`
	}

	wirePushOption struct {
		To []wireRecipient `json:"to" rule:"required,items=1..100"`
	}

	wireRecipient struct {
		Email    string `json:"email,omitempty"` // is not kept: the account's own counts
		ID       string `json:"id" rule:"required,format=uuid"`
		Username string `json:"username,omitempty"`
	}

	wireTitle struct {
		Expression string         `json:"expression" rule:"required,length=0..100"`
		Variables  []wireVariable `json:"variables,omitempty" rule:"items=0..50"`
	}

	wireBody struct {
		Expression string         `json:"expression" rule:"required,length=0..1000"`
		Variables  []wireVariable `json:"variables,omitempty" rule:"items=0..50"`
	}

	wireVariable struct {
		Attribute   string `json:"attribute" rule:"required,enum=ID|NAME|VALUE|TIMESTAMP|USERNAME|EMAIL|STATUS"`
		Entity      string `json:"entity" rule:"required,enum=RECIPIENT|USER|DEVICE|THING|PROPERTY|TRIGGERING_DEVICE"`
		ID          string `json:"id,omitempty"`
		Placeholder string `json:"placeholder" rule:"required,length=1..100"`
		PropertyID  string `json:"property_id,omitempty"`
		ThingID     string `json:"thing_id,omitempty"`
	}

	wireWebhook struct {
		Secret string `json:"secret,omitempty"` // told once, when it is made; sent, it is taken
		URL    string `json:"url" rule:"required,length=1..2048"`
	}

	wireSet struct {
		PropertyID string          `json:"property_id" rule:"required"`
		ThingID    string          `json:"thing_id,omitempty"`
		Value      json.RawMessage `json:"value" rule:"required"`
	}
)

// What clients send.
type (
	inTrigger struct {
		Actions     *[]inAction  `json:"actions" rule:"items=0..20"`
		Active      *bool        `json:"active"`
		Condition   *inCondition `json:"condition"`
		Description *string      `json:"description"`
		Status      *wireStatus  `json:"device_status_source"`
		ID          *string      `json:"id"`
		Name        *string      `json:"name"`
		PropertyID  *string      `json:"property_id"`
		SoftDeleted *bool        `json:"soft_deleted"`
		Tags        *[]inTag     `json:"tags" rule:"items=0..256"`
	}

	inTag struct {
		Key   string `json:"key" rule:"required,length=1..64"`
		Value string `json:"value" rule:"required,length=1..64"`
	}

	inCondition struct {
		Hysteresis float64         `json:"hysteresis"`
		Operator   Operator        `json:"operator" rule:"required"`
		Upper      *float64        `json:"upper"`
		Value      json.RawMessage `json:"value"`
	}

	inAction struct {
		Description string       `json:"description"`
		Email       *wireEmail   `json:"email"`
		Kind        Kind         `json:"kind" rule:"required,enum=NOTIFY-EMAIL|NOTIFY-PUSH|CALL-WEBHOOK|SET-PROPERTY"`
		Name        string       `json:"name" rule:"required"`
		Push        *wirePush    `json:"push_notification"`
		SetProperty *wireSet     `json:"set_property"`
		TriggerID   string       `json:"trigger_id"`
		Webhook     *wireWebhook `json:"webhook"`
	}

	inActionEdit struct {
		Description *string      `json:"description"`
		Email       *wireEmail   `json:"email"`
		Name        *string      `json:"name"`
		Push        *wirePush    `json:"push_notification"`
		SetProperty *wireSet     `json:"set_property"`
		TriggerID   *string      `json:"trigger_id"`
		Webhook     *wireWebhook `json:"webhook"`
	}

	inRecipients struct {
		Recipients []string `json:"recipients" rule:"required,items=0..1000,format=uuid"`
	}
)

func toVariables(all []Variable) []wireVariable {
	var out []wireVariable
	for _, v := range all {
		out = append(out, wireVariable{Attribute: v.Attribute, Entity: v.Entity, ID: v.ID, Placeholder: v.Placeholder, PropertyID: v.Property, ThingID: v.Thing})
	}
	return out
}

func toRecipients(all []string) []wireRecipient {
	out := make([]wireRecipient, 0, len(all))
	for _, id := range all {
		out = append(out, wireRecipient{ID: id})
	}
	return out
}

// toWireAction is an action without its secret, which is told once.
func toWireAction(a Action, organization string) wireAction {
	w := wireAction{CreatedBy: a.Owner, Description: a.Description, ID: a.ID, Kind: a.Kind, Name: a.Name, OrganizationID: organization, TriggerID: a.Trigger}
	if n := a.Email; n != nil {
		w.Email = &wireEmail{Body: wireBody{n.Body.Text, toVariables(n.Body.Variables)}, Subject: wireTitle{n.Title.Text, toVariables(n.Title.Variables)},
			Delivery: wireEmailOption{To: toRecipients(n.To)}}
		if len(n.CC) > 0 {
			w.Email.Delivery.CC = toRecipients(n.CC)
		}
		if len(n.BCC) > 0 {
			w.Email.Delivery.BCC = toRecipients(n.BCC)
		}
	}
	if n := a.Push; n != nil {
		w.Push = &wirePush{Body: wireBody{n.Body.Text, toVariables(n.Body.Variables)}, Title: wireTitle{n.Title.Text, toVariables(n.Title.Variables)},
			Delivery: wirePushOption{toRecipients(n.To)}}
	}
	if a.Webhook != nil {
		w.Webhook = &wireWebhook{URL: a.Webhook.URL}
	}
	if a.Set != nil {
		w.SetProperty = &wireSet{PropertyID: a.Set.Property, ThingID: a.Set.Thing, Value: a.Set.JSON}
	}
	return w
}

func toWireActions(all []Action, organization string) []wireAction {
	out := make([]wireAction, 0, len(all))
	for _, a := range all {
		out = append(out, toWireAction(a, organization))
	}
	return out
}

func toWire(t Trigger, organization string) wireTrigger {
	w := wireTrigger{
		Actions: toWireActions(t.Actions, organization), Active: t.Active, Condition: t.Condition, CreatedAt: t.CreatedAt, CreatedBy: t.Owner,
		Description: t.Description, ID: t.ID, Name: t.Name, OrganizationID: organization, PropertyID: t.Property, Tags: t.Tags, UpdatedAt: t.UpdatedAt,
	}
	if t.Deleted() {
		w.DeletedAt = &t.DeletedAt
	}
	if t.Status != nil {
		w.Status = &wireStatus{Criteria: criteria(t.Status), DeviceIDs: orEmpty(t.Status.Devices), GracePeriodOffline: t.Status.Offline, GracePeriodOnline: t.Status.Online}
	}
	return w
}

func criteria(s *Status) string {
	if s.Exclude {
		return "EXCLUDE"
	}
	return "INCLUDE"
}

func orEmpty(all []string) []string {
	if all == nil {
		return []string{}
	}
	return all
}

func lower(all []string) []string {
	out := make([]string, len(all))
	for i, id := range all {
		out[i] = strings.ToLower(id)
	}
	return out
}

func (w *wireStatus) status() *Status {
	return &Status{Exclude: w.Criteria == "EXCLUDE", Devices: lower(w.DeviceIDs), Online: w.GracePeriodOnline, Offline: w.GracePeriodOffline}
}

func (in *inCondition) condition() *Condition {
	return &Condition{Operator: in.Operator, Value: in.Value, Upper: in.Upper, Hysteresis: in.Hysteresis}
}

func variables(all []wireVariable) []Variable {
	var out []Variable
	for _, v := range all {
		out = append(out, Variable{Placeholder: v.Placeholder, Entity: v.Entity, Attribute: v.Attribute, ID: strings.ToLower(v.ID), Property: strings.ToLower(v.PropertyID), Thing: strings.ToLower(v.ThingID)})
	}
	return out
}

func recipients(all []wireRecipient) []string {
	var out []string
	for _, r := range all {
		out = append(out, strings.ToLower(r.ID))
	}
	return out
}

func (w *wireEmail) notice() *Notice {
	if w == nil {
		return nil
	}
	return &Notice{Title: Expression{w.Subject.Expression, variables(w.Subject.Variables)}, Body: Expression{w.Body.Expression, variables(w.Body.Variables)},
		To: recipients(w.Delivery.To), CC: recipients(w.Delivery.CC), BCC: recipients(w.Delivery.BCC)}
}

func (w *wirePush) notice() *Notice {
	if w == nil {
		return nil
	}
	return &Notice{Title: Expression{w.Title.Expression, variables(w.Title.Variables)}, Body: Expression{w.Body.Expression, variables(w.Body.Variables)}, To: recipients(w.Delivery.To)}
}

func (w *wireWebhook) address(had *Address) *Address {
	if w == nil {
		return nil
	}
	a := &Address{URL: w.URL, Secret: w.Secret}
	if a.Secret == "" && had != nil {
		a.Secret = had.Secret
	}
	return a
}

func (w *wireSet) value() *Value {
	if w == nil {
		return nil
	}
	return &Value{Thing: strings.ToLower(w.ThingID), Property: strings.ToLower(w.PropertyID), JSON: w.Value}
}

func (in *inAction) action() Action {
	return Action{Kind: in.Kind, Trigger: strings.ToLower(in.TriggerID), content: content{
		Name: in.Name, Description: in.Description, Email: in.Email.notice(), Push: in.Push.notice(), Webhook: in.Webhook.address(nil), Set: in.SetProperty.value(),
	}}
}

// apply changes what a client says; what it does not say stays.
func (in *inActionEdit) apply(a *Action) {
	if in.Name != nil {
		a.Name = *in.Name
	}
	if in.Description != nil {
		a.Description = *in.Description
	}
	if in.TriggerID != nil {
		a.Trigger = strings.ToLower(*in.TriggerID)
	}
	if in.Email != nil {
		a.Email = in.Email.notice()
	}
	if in.Push != nil {
		a.Push = in.Push.notice()
	}
	if in.Webhook != nil {
		a.Webhook = in.Webhook.address(a.Webhook)
	}
	if in.SetProperty != nil {
		a.Set = in.SetProperty.value()
	}
}

// apply changes what a client says; what it does not say stays. Of the two sources the one that is named takes
// the place of the other.
func (in *inTrigger) apply(t *Trigger) (actions bool, err error) {
	if in.Name != nil {
		t.Name = *in.Name
	}
	if in.Description != nil {
		t.Description = *in.Description
	}
	if in.Active != nil {
		t.Active = *in.Active
	}
	property := ""
	if in.PropertyID != nil {
		property = strings.ToLower(*in.PropertyID)
	}
	switch {
	case property != "" && in.Status != nil:
		return false, ErrSource
	case property != "":
		if t.Property != property {
			t.Condition = nil // was for another property
		}
		t.Property, t.Status = property, nil
	case in.Status != nil:
		t.Property, t.Status, t.Condition = "", in.Status.status(), nil
	}
	if in.Condition != nil {
		t.Condition = in.Condition.condition()
	}
	if in.Tags != nil {
		t.Tags = device.Tags{}
		for _, one := range *in.Tags {
			t.Tags[one.Key] = one.Value
		}
	}
	if in.Actions == nil {
		return false, nil
	}
	t.Actions = nil
	for i := range *in.Actions {
		t.Actions = append(t.Actions, (*in.Actions)[i].action())
	}
	return true, nil
}
