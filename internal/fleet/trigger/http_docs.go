package trigger

import (
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"GET /iot/v1/triggers": {
		ID: "triggers_v1#list", Summary: "List triggers",
		Query: askTriggers{},
		Gives: rest.Collection("trigger"),
		Fails: []*problem.Problem{device.ErrTag, rest.ErrQuery},
	},
	"PUT /iot/v1/triggers": {
		ID: "triggers_v1#create", Summary: "Add a trigger",
		Gives: rest.Media("trigger"),
		Fails: []*problem.Problem{ErrActionKind, ErrActionName, ErrActionNotFound, ErrCondition, ErrExpression, ErrFull, ErrIDTaken, ErrKind, ErrName, ErrRecipient, ErrSource, ErrStatus, ErrText, ErrTooManyActions, ErrWebhook, device.ErrNotFound, device.ErrTag, thing.ErrNotFound, thing.ErrPropertyNotFound, thing.ErrReadOnly, thing.ErrWrongKind},
	},
	"GET /iot/v1/triggers/{id}": {
		ID: "triggers_v1#show", Summary: "Show a trigger with what it is about",
		Gives: rest.Media("trigger_with_linked_entities"),
		Fails: []*problem.Problem{ErrNotFound},
	},
	"POST /iot/v1/triggers/{id}": {
		ID: "triggers_v1#update", Summary: "Write a trigger anew, or bring a deleted one back",
		Gives: rest.Media("trigger"),
		Fails: []*problem.Problem{ErrActionKind, ErrActionName, ErrActionNotFound, ErrCondition, ErrExpression, ErrFull, ErrIDTaken, ErrKind, ErrName, ErrNotFound, ErrRecipient, ErrSource, ErrStatus, ErrText, ErrTooManyActions, ErrWebhook, device.ErrNotFound, device.ErrTag, thing.ErrNotFound, thing.ErrPropertyNotFound, thing.ErrReadOnly, thing.ErrWrongKind},
	},
	"PATCH /iot/v1/triggers/{id}": {
		ID: "triggers_v1#patch", Summary: "Change parts of a trigger",
		Gives: rest.Media("trigger"),
		Fails: []*problem.Problem{ErrActionKind, ErrActionName, ErrActionNotFound, ErrCondition, ErrExpression, ErrFull, ErrIDTaken, ErrKind, ErrName, ErrNotFound, ErrRecipient, ErrSource, ErrStatus, ErrText, ErrTooManyActions, ErrWebhook, device.ErrNotFound, device.ErrTag, thing.ErrNotFound, thing.ErrPropertyNotFound, thing.ErrReadOnly, thing.ErrWrongKind},
	},
	"DELETE /iot/v1/triggers/{id}": {
		ID: "triggers_v1#delete", Summary: "Delete a trigger",
		Query: askForce{},
		Fails: []*problem.Problem{ErrNotFound, rest.ErrQuery},
	},
	"GET /iot/v1/triggers/{id}/template": {
		ID: "triggers_v1#template", Summary: "A template of a trigger",
		Gives: rest.Media("trigger_template"),
		Fails: []*problem.Problem{ErrNotFound},
	},
	"POST /iot/v1/triggers/{id}/unsubscribe": {
		ID: "triggers_v1#unsubscribe", Summary: "Take people off the letters of a trigger",
		Fails: []*problem.Problem{ErrNotFound, ErrRecipient},
	},
	"GET /iot/v1/actions": {ID: "actions_v1#list", Summary: "List actions", Gives: rest.Collection("action")},
	"POST /iot/v1/actions": {
		ID: "actions_v1#create", Summary: "Add an action to a trigger",
		Gives: rest.Media("action"),
		Fails: []*problem.Problem{ErrActionKind, ErrActionName, ErrExpression, ErrIDTaken, ErrNotFound, ErrRecipient, ErrText, ErrTooManyActions, ErrWebhook, thing.ErrPropertyNotFound, thing.ErrReadOnly, thing.ErrWrongKind},
	},
	"GET /iot/v1/actions/{id}": {
		ID: "actions_v1#show", Summary: "Show an action",
		Gives: rest.Media("action"),
		Fails: []*problem.Problem{ErrActionNotFound},
	},
	"PUT /iot/v1/actions/{id}": {
		ID: "actions_v1#update", Summary: "Change an action",
		Gives: rest.Media("action"),
		Fails: []*problem.Problem{ErrActionKind, ErrActionName, ErrActionNotFound, ErrExpression, ErrIDTaken, ErrNotFound, ErrRecipient, ErrText, ErrTooManyActions, ErrWebhook, thing.ErrPropertyNotFound, thing.ErrReadOnly, thing.ErrWrongKind},
	},
	"DELETE /iot/v1/actions/{id}": {ID: "actions_v1#delete", Summary: "Delete an action", Fails: []*problem.Problem{ErrActionNotFound}},
	"PUT /iot/v1/actions/{id}/unsubscribe": {
		ID: "actions_v1#Unsubscribe", Summary: "Take people off the letters of an action",
		Gives: rest.Media("action"),
		Fails: []*problem.Problem{ErrActionNotFound, ErrRecipient},
	},
	"GET /v1/triggers/usage": {ID: "triggers#usage", Summary: "How much of its triggers a space has used today"},
	"GET /v1/triggers/fired": {
		ID: "triggers#fired", Summary: "When each trigger did something last, and how much of that failed",
		More: "Deliveries are kept for some days. A trigger that has none is not listed.",
	},
	"GET /v1/triggers/{id}/mute":    {ID: "triggers#mute", Summary: "Whether you want no more letters and notices of a trigger", Fails: []*problem.Problem{ErrNotFound}},
	"PUT /v1/triggers/{id}/mute":    {ID: "triggers#setMute", Summary: "Say that you want no more letters and notices of a trigger", Fails: []*problem.Problem{ErrNotFound}},
	"DELETE /v1/triggers/{id}/mute": {ID: "triggers#dropMute", Summary: "Want letters and notices of a trigger again", Fails: []*problem.Problem{ErrNotFound}},
	"POST /v1/triggers/import": {
		ID: "triggers#import", Summary: "Make a trigger of a template",
		Gives: rest.Media("trigger"),
		Fails: []*problem.Problem{ErrActionKind, ErrActionName, ErrActionNotFound, ErrCondition, ErrExpression, ErrFull, ErrIDTaken, ErrKind, ErrName, ErrRecipient, ErrSource, ErrStatus, ErrTemplate, ErrTemplateName, ErrText, ErrTooManyActions, ErrWebhook, device.ErrNotFound, thing.ErrNotFound, thing.ErrPropertyNotFound, thing.ErrReadOnly, thing.ErrWrongKind},
	},
	"PUT /v1/triggers/{id}/tags": {
		ID: "triggers#setTag", Summary: "Set a tag of a trigger",
		Fails: []*problem.Problem{ErrNotFound, device.ErrTag, device.ErrTooManyTags},
	},
	"DELETE /v1/triggers/{id}/tags/{key}": {
		ID: "triggers#dropTag", Summary: "Remove a tag of a trigger",
		Fails: []*problem.Problem{ErrNotFound},
	},
	"GET /v1/actions/{id}/deliveries": {
		ID: "actions#deliveries", Summary: "What an action has delivered, newest first",
		Fails: []*problem.Problem{ErrActionNotFound},
	},
	"POST /v1/actions/{id}/deliveries/retry": {
		ID: "actions#retry", Summary: "Try the failed deliveries of an action anew",
		Fails: []*problem.Problem{ErrActionNotFound},
	},
	"GET /v1/push/key":     {ID: "push#key", Summary: "The key that browsers need to subscribe to notices"},
	"GET /v1/push":         {ID: "push#list", Summary: "List the browsers that get notices for you"},
	"POST /v1/push":        {ID: "push#create", Summary: "Add a browser that gets notices for you", Fails: []*problem.Problem{ErrBrowser, ErrTooManyBrowsers}},
	"DELETE /v1/push/{id}": {ID: "push#delete", Summary: "Remove a browser that gets notices", Fails: []*problem.Problem{ErrNoBrowser}},
}

// The parameters of queries, for the document; the handlers read them.
type (
	askTriggers struct {
		Property string   `json:"property_id" rule:"format=uuid" says:"only of this property"`
		Device   string   `json:"device_id" rule:"format=uuid" says:"only of this device"`
		Source   string   `json:"source_type" rule:"enum=PROPERTY|DEVICE_INCLUDE|DEVICE_EXCLUDE" says:"only those that look at this"`
		Tags     []string `json:"tags" says:"KEY:VALUE, which a trigger must have; all of them if there are several"`
		Text     string   `json:"q" rule:"length=..256" says:"a part of the name, whatever the case of its letters"`
		Sort     string   `json:"sort" rule:"enum=name|-name|created_at|-created_at|updated_at|-updated_at" says:"by what; with a hyphen the other way round; the oldest first, if it is left out"`
		Deleted  bool     `json:"show_deleted" says:"deleted ones too"`
	}
	askForce struct {
		Force bool `json:"force" says:"for good, and not only until somebody brings it back"`
	}
)
