package template

import (
	"slices"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/dashboard"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/fleet/trigger"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// keeping is what a template can be refused for that is to be kept.
var keeping = []*problem.Problem{ErrArchive, ErrBusy, ErrEmpty, ErrFull, ErrName, ErrPart, ErrStorage, ErrTaken, ErrText, ErrTooLarge, ErrTooMany, dashboard.ErrTemplate, dashboard.ErrTooLarge, trigger.ErrTemplate}

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"PUT /iot/v1/templates": {
		ID: "templates#apply", Summary: "Make all things, dashboards and triggers of a template",
		More:  "All of them are made, or nothing is. Say custom_template_id or, for one of the gallery, template_name.",
		Gives: rest.Media("template"),
		Fails: []*problem.Problem{
			ErrBusy, ErrDeviceTaken, ErrNoChoice, ErrNotFound, ErrOptions, ErrPrefix, ErrSecret, device.ErrNotFound,
			thing.ErrAssistant, thing.ErrDeviceTaken, thing.ErrFull, thing.ErrName, thing.ErrNameTaken, thing.ErrNotFound, thing.ErrNumber, thing.ErrOutOfRange, thing.ErrParameter, thing.ErrPermission, thing.ErrPropertyName, thing.ErrPropertyNameTaken, thing.ErrPropertyNotFound, thing.ErrReadOnly, thing.ErrReserved, thing.ErrStrategy, thing.ErrTag, thing.ErrTimezone, thing.ErrTooManyProperties, thing.ErrTooManyTags, thing.ErrType, thing.ErrVariable, thing.ErrVariableTaken, thing.ErrWebhook, thing.ErrWrongKind,
			dashboard.ErrCover, dashboard.ErrFull, dashboard.ErrName, dashboard.ErrNoOverride, dashboard.ErrOptions, dashboard.ErrPage, dashboard.ErrTemplate, dashboard.ErrTemplateThing, dashboard.ErrTooLarge, dashboard.ErrVariable, dashboard.ErrVariables, dashboard.ErrWidget,
			trigger.ErrActionKind, trigger.ErrActionName, trigger.ErrActionNotFound, trigger.ErrCondition, trigger.ErrExpression, trigger.ErrFull, trigger.ErrKind, trigger.ErrName, trigger.ErrRecipient, trigger.ErrSource, trigger.ErrStatus, trigger.ErrTemplate, trigger.ErrText, trigger.ErrTooManyActions, trigger.ErrWebhook,
		},
	},
	"POST /storage/template/v1/list": {ID: "storage#list", Summary: "List the templates of the space, in the order of their making"},
	"GET /storage/template/v1/{id}": {
		ID: "storage#show", Summary: "Show a template and all that is in it",
		Fails: []*problem.Problem{ErrBusy, ErrNotFound},
	},
	"GET /storage/template/archive/v1/{id}": {
		ID: "storage#export", Summary: "Download a template as a .tino file",
		More:  "It is a zip file with template.json and the folder resources.",
		Gives: isZip,
		Fails: []*problem.Problem{ErrBusy, ErrNotFound},
	},
	"POST /storage/template/archive/v1": {
		ID: "storage#import", Summary: "Keep a template that is sent as a .tino file",
		Takes: "multipart/form-data", Form: askImport{},
		Fails: slices.Concat(keeping, []*problem.Problem{ErrForm, rest.ErrBody}),
	},
	"GET /v1/templates":         {ID: "templates#list", Summary: "List the templates of the space, with their sizes"},
	"GET /v1/templates/gallery": {ID: "templates#gallery", Summary: "List the templates that come with the server"},
	"POST /v1/templates": {
		ID: "templates#create", Summary: "Make a template of things, dashboards and triggers",
		More:  "What dashboards show and triggers are about must be among the things. No person, no secret and no picture of a dashboard gets into it.",
		Fails: slices.Concat(keeping, []*problem.Problem{dashboard.ErrNotFound, device.ErrNotFound, thing.ErrNotFound, trigger.ErrNotFound}),
	},
	"GET /v1/templates/{id}": {
		ID: "templates#show", Summary: "Show how many parts a template has, and its size",
		More:  "The id of one of the gallery may be its name there.",
		Fails: []*problem.Problem{ErrNotFound},
	},
	"PATCH /v1/templates/{id}": {
		ID: "templates#update", Summary: "Rename or describe a template",
		Fails: []*problem.Problem{ErrBusy, ErrName, ErrNotFound, ErrStorage, ErrTaken, ErrText, ErrTooLarge},
	},
	"DELETE /v1/templates/{id}": {
		ID: "templates#delete", Summary: "Delete a template",
		More:  "What was made of it stays.",
		Fails: []*problem.Problem{ErrNotFound},
	},
}

// askImport are the fields of the form, for the document; the handler reads them.
type askImport struct {
	Template string `json:"template" rule:"required" says:"the .tino file"`
}
