package dashboard

import (
	"net/http"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/post"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"GET /iot/v2/dashboards": {
		ID: "dashboards_v2#list", Summary: "List dashboards",
		Query: askDashboards{},
		Gives: rest.Collection("dashboardv2"),
		Fails: []*problem.Problem{device.ErrTag, rest.ErrQuery},
	},
	"POST /iot/v2/dashboards": {
		ID: "dashboards_v2#create", Summary: "Add a dashboard",
		Gives: rest.Media("dashboardv2"),
		Fails: []*problem.Problem{ErrCover, ErrFull, ErrName, ErrOptions, ErrPage, ErrTooLarge, ErrVariable, ErrVariables, ErrWidget, device.ErrTag},
	},
	"GET /iot/v2/dashboards/{id}": {
		ID: "dashboards_v2#show", Summary: "Show a dashboard",
		Gives: rest.Media("dashboardv2"),
		Fails: []*problem.Problem{ErrNotFound},
	},
	"PUT /iot/v2/dashboards/{id}": {
		ID: "dashboards_v2#update", Summary: "Write a dashboard anew",
		More:  "With If-Match, and the updated_at that the change begins with in double quotes, a dashboard that was changed since stays as it is.",
		Gives: rest.Media("dashboardv2"),
		Fails: []*problem.Problem{ErrChanged, ErrCover, ErrFull, ErrName, ErrNotFound, ErrOptions, ErrPage, ErrSince, ErrTooLarge, ErrVariable, ErrVariables, ErrWidget, device.ErrTag},
	},
	"PATCH /iot/v2/dashboards/{id}": {
		ID: "dashboards_v2#patch", Summary: "Change parts of a dashboard, or bring a deleted one back",
		More:  "With If-Match, and the updated_at that the change begins with in double quotes, a dashboard that was changed since stays as it is.",
		Gives: rest.Media("dashboardv2"),
		Fails: []*problem.Problem{ErrChanged, ErrCover, ErrFull, ErrName, ErrNotFound, ErrOptions, ErrPage, ErrSince, ErrTooLarge, ErrVariable, ErrVariables, ErrWidget, device.ErrTag},
	},
	"DELETE /iot/v2/dashboards/{id}": {
		ID: "dashboards_v2#delete", Summary: "Delete a dashboard",
		Query: askForce{},
		Fails: []*problem.Problem{ErrNotFound, rest.ErrQuery},
	},
	"PUT /iot/v2/dashboards/{id}/clone": {
		ID: "dashboards_v2#clone", Summary: "Copy a dashboard",
		Gives: rest.Media("dashboardv2"),
		Fails: []*problem.Problem{ErrFull, ErrName, ErrNoOverride, ErrNotFound, ErrStorage, ErrTooLarge, thing.ErrNotFound},
	},
	"PUT /iot/v2/dashboards/{id}/share_request": {
		ID: "dashboards_v2#requestAccess", Summary: "Ask the owner of a dashboard to share it",
		Fails: []*problem.Problem{ErrMessage, ErrNotFound, post.ErrTooMany},
	},
	"GET /iot/v2/dashboards/{id}/shares": {
		ID: "dashboards_v2#listShares", Summary: "List the guests of a dashboard",
		Gives: rest.Collection("dashboardshare"),
		Fails: []*problem.Problem{ErrNotFound},
	},
	"PUT /iot/v2/dashboards/{id}/shares": {
		ID: "dashboards_v2#share", Summary: "Share a dashboard",
		Fails: []*problem.Problem{ErrMay, ErrMessage, ErrNoPerson, ErrNotFound, ErrShare, ErrTooManyShares, ErrYourself},
	},
	"DELETE /iot/v2/dashboards/{id}/shares/{user}": {
		ID: "dashboards_v2#deleteShare", Summary: "Take a dashboard back from a guest",
		More:  "A guest gives it back with the word me in place of the ID.",
		Fails: []*problem.Problem{ErrNoShare, ErrNotFound},
	},
	"GET /iot/v2/dashboards/{id}/template": {
		ID: "dashboards_v2#template", Summary: "A template of a dashboard",
		Gives: rest.Media("dashboardv2template"),
		Fails: []*problem.Problem{ErrNotFound},
	},
	"PUT /iot/v2/dashboards/{id}/widgets/{widget}/variables": {
		ID: "dashboards_v2#link", Summary: "Say which variables a widget shows",
		Gives: rest.Media("variableslinks"),
		Fails: []*problem.Problem{ErrNoWidget, ErrNotFound, ErrVariable, ErrVariables},
	},
	"GET /iot/v3/dashboards": {
		ID: "dashboards_v3#list", Summary: "List dashboards with their pages",
		Query: askDashboards{},
		Gives: rest.Collection("dashboardv3"),
		Fails: []*problem.Problem{device.ErrTag, rest.ErrQuery},
	},
	"POST /iot/v3/dashboards": {
		ID: "dashboards_v3#create", Summary: "Add a dashboard with pages",
		Gives: rest.Media("dashboardv3"),
		Fails: []*problem.Problem{ErrCover, ErrFull, ErrName, ErrOptions, ErrPage, ErrTooLarge, ErrVariable, ErrVariables, ErrWidget, device.ErrTag},
	},
	"GET /iot/v3/dashboards/{id}": {
		ID: "dashboards_v3#show", Summary: "Show a dashboard with its pages",
		Gives: rest.Media("dashboardv3"),
		Fails: []*problem.Problem{ErrNotFound},
	},
	"PUT /iot/v3/dashboards/{id}": {
		ID: "dashboards_v3#update", Summary: "Write a dashboard with pages anew",
		More:  "With If-Match, and the updated_at that the change begins with in double quotes, a dashboard that was changed since stays as it is.",
		Gives: rest.Media("dashboardv3"),
		Fails: []*problem.Problem{ErrChanged, ErrCover, ErrFull, ErrName, ErrNotFound, ErrOptions, ErrPage, ErrSince, ErrTooLarge, ErrVariable, ErrVariables, ErrWidget, device.ErrTag},
	},
	"PATCH /iot/v3/dashboards/{id}": {
		ID: "dashboards_v3#patch", Summary: "Change parts of a dashboard with pages",
		More:  "With If-Match, and the updated_at that the change begins with in double quotes, a dashboard that was changed since stays as it is.",
		Gives: rest.Media("dashboardv3"),
		Fails: []*problem.Problem{ErrChanged, ErrCover, ErrFull, ErrName, ErrNotFound, ErrOptions, ErrPage, ErrSince, ErrTooLarge, ErrVariable, ErrVariables, ErrWidget, device.ErrTag},
	},
	"PUT /iot/v3/dashboards/{id}/clone": {
		ID: "dashboards_v3#clone", Summary: "Copy a dashboard with its pages",
		Gives: rest.Media("dashboardv3"),
		Fails: []*problem.Problem{ErrFull, ErrName, ErrNoOverride, ErrNotFound, ErrStorage, ErrTooLarge, thing.ErrNotFound},
	},
	"GET /iot/v3/dashboards/{id}/template": {
		ID: "dashboards_v3#template", Summary: "A template of a dashboard with its pages",
		Gives: rest.Media("dashboardv3template"),
		Fails: []*problem.Problem{ErrNotFound},
	},
	"GET /v1/dashboards/{id}/health": {
		ID: "dashboards#health", Summary: "What of a dashboard does not show what it should",
		Fails: []*problem.Problem{ErrNotFound},
	},
	"PUT /v1/dashboards/{id}/tags": {
		ID: "dashboards#setTag", Summary: "Set a tag of a dashboard",
		Fails: []*problem.Problem{ErrNotFound, device.ErrTag, device.ErrTooManyTags},
	},
	"DELETE /v1/dashboards/{id}/tags/{key}": {
		ID: "dashboards#dropTag", Summary: "Remove a tag of a dashboard",
		Fails: []*problem.Problem{ErrNotFound},
	},
	"POST /v1/dashboards/import": {
		ID: "dashboards#import", Summary: "Make a dashboard of a template",
		Query: askImport{},
		Takes: "application/json, application/yaml",
		Gives: rest.Media("dashboardv3"),
		Fails: []*problem.Problem{ErrCover, ErrFull, ErrName, ErrNoOverride, ErrOptions, ErrPage, ErrTemplate, ErrTemplateThing, ErrTooLarge, ErrVariable, ErrVariables, ErrWidget, rest.ErrBody, rest.ErrQuery, thing.ErrNotFound},
	},
	"GET /v1/dashboards/{id}/shares": {
		ID: "dashboards#shares", Summary: "List the guests of a dashboard, with what each may",
		Fails: []*problem.Problem{ErrNotFound},
	},
	"GET /v1/dashboards/{id}/requests": {
		ID: "dashboards#requests", Summary: "List who asked to see a dashboard",
		Fails: []*problem.Problem{ErrNotFound},
	},
	"DELETE /v1/dashboards/{id}/requests/{user}": {
		ID: "dashboards#refuse", Summary: "Refuse to share a dashboard",
		Fails: []*problem.Problem{ErrNoRequest, ErrNotFound},
	},
	"GET /v1/dashboards/{id}/link": {
		ID: "dashboards#link", Summary: "Show the public link of a dashboard",
		Fails: []*problem.Problem{ErrNoLink, ErrNotFound},
	},
	"PUT /v1/dashboards/{id}/link": {
		ID: "dashboards#publish", Summary: "Make a public link of a dashboard",
		Fails: []*problem.Problem{ErrDays, ErrNoLink, ErrNotFound},
	},
	"DELETE /v1/dashboards/{id}/link": {
		ID: "dashboards#unpublish", Summary: "Revoke the public link of a dashboard",
		Fails: []*problem.Problem{ErrNoLink, ErrNotFound},
	},
	"POST /v1/dashboards/{id}/images": {
		ID: "dashboards#addImage", Summary: "Add a picture to a dashboard",
		Takes: imageKinds,
		Fails: []*problem.Problem{ErrImage, ErrImageBytes, ErrImageSize, ErrNotFound, ErrStorage, ErrTooManyImages},
	},
	"GET /v1/dashboards/{id}/images/{image}": {
		ID: "dashboards#image", Summary: "A picture of a dashboard",
		Gives: imageKinds, Also: []int{http.StatusNotModified},
		Fails: []*problem.Problem{ErrNoImage, ErrNotFound},
	},
	"DELETE /v1/dashboards/{id}/images/{image}": {
		ID: "dashboards#dropImage", Summary: "Remove a picture of a dashboard",
		Fails: []*problem.Problem{ErrNoImage, ErrNotFound},
	},
	"GET /v1/dashboards/{id}/widgets/{widget}/picture": {
		ID: "dashboards#widgetPicture", Summary: "The picture that a widget shows",
		More:  "By its option url: one of the dashboard, or of another server, which this one asks. It is asked again as often as the option refresh says in seconds, and at most once a second.",
		Gives: imageKinds, Also: []int{http.StatusNotModified},
		Fails: []*problem.Problem{ErrElsewhere, ErrNoImage, ErrNoWidget, ErrNotFound},
	},
	"PUT /v1/dashboards/{id}/cover": {
		ID: "dashboards#setCover", Summary: "Set the picture that stands for a dashboard",
		Takes: imageKinds,
		Gives: rest.Media("dashboardv3"),
		Fails: []*problem.Problem{ErrImage, ErrImageBytes, ErrImageSize, ErrNotFound, ErrStorage, ErrTooManyImages},
	},
	"GET /v1/shared/{token}": {ID: "shared#show", Summary: "What a public link shows", Fails: []*problem.Problem{ErrLink}},
	"GET /v1/shared/{token}/variables/{variable}": {
		ID: "shared#past", Summary: "Values of before, as a chart of a public link shows them",
		Query: askPast{},
		Fails: []*problem.Problem{ErrLink, ErrNoPast, ErrSpan, rest.ErrQuery},
	},
	"GET /v1/shared/{token}/widgets/{widget}/picture": {
		ID: "shared#widgetPicture", Summary: "The picture that a widget of a public link shows",
		Gives: imageKinds, Also: []int{http.StatusNotModified},
		Fails: []*problem.Problem{ErrElsewhere, ErrLink, ErrNoImage, ErrNoWidget},
	},
	"GET /v1/shared/{token}/images/{image}": {
		ID: "shared#image", Summary: "A picture that a public link shows",
		Gives: imageKinds, Also: []int{http.StatusNotModified},
		Fails: []*problem.Problem{ErrLink, ErrNoImage},
	},
}

const imageKinds = "image/png, image/jpeg, image/webp"

// The parameters of queries, for the document; the handlers read them.
type (
	askDashboards struct {
		Text  string   `json:"q" rule:"length=..256" says:"a part of the name, whatever the case of its letters"`
		Tags  []string `json:"tags" says:"KEY:VALUE, which a dashboard must have; all of them if there are several"`
		Name  string   `json:"name" rule:"length=..64" says:"a part of the name"`
		Thing string   `json:"thing_id" rule:"format=uuid" says:"dashboards that show something of this thing"`
		Owner string   `json:"user_id" rule:"format=uuid" says:"dashboards of this person"`
		Gone  bool     `json:"show_deleted" says:"deleted ones too"`
		Sort  string   `json:"sort" rule:"enum=name|-name|created_at|-created_at|updated_at|-updated_at" says:"by what; with a hyphen the other way round"`
	}
	askForce struct {
		Force bool `json:"force" says:"for good, and not only until somebody brings it back"`
	}
	askImport struct {
		Override []string `json:"override" says:"THING=ID: how the template names a thing, and the ID of the one that stands for it"`
		Name     string   `json:"name" rule:"length=..64" says:"of the new dashboard; the template's if it is left out"`
	}
	askPast struct {
		From string `json:"from" rule:"format=date-time"`
		To   string `json:"to" rule:"format=date-time"`
	}
)
