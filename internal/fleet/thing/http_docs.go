package thing

import (
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"GET /iot/v2/things": {
		ID: "things_v2#list", Summary: "List things",
		Query: askThings{},
		Gives: rest.Collection("thing"),
		Fails: []*problem.Problem{ErrTag, rest.ErrQuery},
	},
	"PUT /iot/v2/things": {
		ID: "things_v2#create", Summary: "Add a thing",
		Query: askSteal{},
		Gives: rest.Media("thing"),
		Fails: []*problem.Problem{ErrAssistant, ErrDeviceTaken, ErrFull, ErrID, ErrIDErased, ErrIDTaken, ErrName, ErrNameTaken, ErrNotFound, ErrNumber, ErrNumberTaken, ErrOutOfRange, ErrParameter, ErrPermission, ErrPropertyName, ErrPropertyNameTaken, ErrPropertyNotFound, ErrReserved, ErrSketch, ErrStrategy, ErrTag, ErrTimezone, ErrTooManyProperties, ErrTooManyTags, ErrType, ErrVariable, ErrVariableTaken, ErrWebhook, device.ErrNotFound, rest.ErrQuery},
	},
	"GET /iot/v2/things/{id}": {
		ID: "things_v2#show", Summary: "Show a thing",
		Query: askDeleted{},
		Gives: rest.Media("thing"),
		Fails: []*problem.Problem{ErrNotFound, rest.ErrQuery},
	},
	"POST /iot/v2/things/{id}": {
		ID: "things_v2#update", Summary: "Change a thing, or bring a deleted one back",
		Query: askSteal{},
		Gives: rest.Media("thing"),
		Fails: []*problem.Problem{ErrAssistant, ErrDeviceTaken, ErrFull, ErrID, ErrIDErased, ErrIDTaken, ErrName, ErrNameTaken, ErrNotFound, ErrNumber, ErrNumberTaken, ErrOutOfRange, ErrParameter, ErrPermission, ErrPropertyName, ErrPropertyNameTaken, ErrPropertyNotFound, ErrReserved, ErrSketch, ErrStrategy, ErrTag, ErrTimezone, ErrTooManyProperties, ErrTooManyTags, ErrType, ErrVariable, ErrVariableTaken, ErrWebhook, device.ErrNotFound, rest.ErrQuery},
	},
	"DELETE /iot/v2/things/{id}": {
		ID: "things_v2#delete", Summary: "Delete a thing",
		Query: askForce{},
		Fails: []*problem.Problem{ErrNotFound, rest.ErrQuery},
	},
	"PUT /iot/v2/things/{id}/clone": {
		ID: "things_v2#clone", Summary: "Copy a thing",
		Gives: rest.Media("thing"),
		Fails: []*problem.Problem{ErrFull, ErrName, ErrNameTaken, ErrNotFound},
	},
	"PUT /iot/v2/things/{id}/sketch": {
		ID: "things_v2#createSketch", Summary: "Give a thing a sketch",
		Gives: rest.Media("thing"),
		Fails: []*problem.Problem{ErrNotFound, ErrSketch},
	},
	"DELETE /iot/v2/things/{id}/sketch": {
		ID: "things_v2#deleteSketch", Summary: "Remove a thing's sketch",
		Gives: rest.Media("thing"),
		Fails: []*problem.Problem{ErrNotFound, ErrSketch},
	},
	"PUT /iot/v2/things/{id}/sketch/{sketch}": {
		ID: "things_v2#updateSketch", Summary: "Write a thing's sketch anew",
		Gives: rest.Media("thing"),
		Fails: []*problem.Problem{ErrNoSketch, ErrNotFound, ErrSketch, rest.ErrBody},
	},
	"GET /iot/v2/things/{id}/template": {
		ID: "things_v2#template", Summary: "A template of a thing",
		Gives: rest.Media("thingtemplate"),
		Fails: []*problem.Problem{ErrNotFound},
	},
	"GET /iot/v2/things/{id}/tags": {
		ID: "things_v2_tags#list", Summary: "List the tags of a thing",
		Gives: rest.Media("tags"),
		Fails: []*problem.Problem{ErrNotFound},
	},
	"PUT /iot/v2/things/{id}/tags": {
		ID: "things_v2_tags#upsert", Summary: "Set a tag of a thing",
		Fails: []*problem.Problem{ErrNotFound, ErrTag, ErrTooManyTags},
	},
	"DELETE /iot/v2/things/{id}/tags/{key}": {ID: "things_v2_tags#delete", Summary: "Remove a tag of a thing", Fails: []*problem.Problem{ErrNotFound}},
	"GET /iot/v1/property_types": {
		ID: "property_types_v1#listTypes", Summary: "List the types that properties may have",
		Gives: rest.Collection("propertytype"),
	},
	"GET /iot/v2/things/{id}/properties": {
		ID: "properties_v2#list", Summary: "List the properties of a thing",
		Query: askDeleted{},
		Gives: rest.Collection("property"),
		Fails: []*problem.Problem{ErrNotFound, rest.ErrQuery},
	},
	"PUT /iot/v2/things/{id}/properties": {
		ID: "properties_v2#create", Summary: "Add a property",
		Gives: rest.Media("property"),
		Fails: []*problem.Problem{ErrFull, ErrNotFound, ErrNumber, ErrNumberTaken, ErrOutOfRange, ErrParameter, ErrPermission, ErrPropertyName, ErrPropertyNameTaken, ErrReserved, ErrSketch, ErrStrategy, ErrTooManyProperties, ErrType, ErrVariable, ErrVariableTaken, rest.ErrQuery},
	},
	"GET /iot/v2/things/{id}/properties/{pid}": {
		ID: "properties_v2#show", Summary: "Show a property and its last value",
		Query: askDeleted{},
		Gives: rest.Media("property"),
		Fails: []*problem.Problem{ErrNotFound, ErrPropertyNotFound, rest.ErrQuery},
	},
	"POST /iot/v2/things/{id}/properties/{pid}": {
		ID: "properties_v2#update", Summary: "Change a property",
		Gives: rest.Media("property"),
		Fails: []*problem.Problem{ErrFull, ErrNotFound, ErrNumber, ErrNumberTaken, ErrOutOfRange, ErrParameter, ErrPermission, ErrPropertyName, ErrPropertyNameTaken, ErrPropertyNotFound, ErrReserved, ErrSketch, ErrStrategy, ErrTooManyProperties, ErrType, ErrVariable, ErrVariableTaken, rest.ErrQuery},
	},
	"DELETE /iot/v2/things/{id}/properties/{pid}": {
		ID: "properties_v2#delete", Summary: "Delete a property",
		Query: askForce{},
		Fails: []*problem.Problem{ErrNotFound, ErrPropertyNotFound, rest.ErrQuery},
	},
	"PUT /iot/v2/things/{id}/properties/{pid}/publish": {
		ID: "properties_v2#publish", Summary: "Set the value of a property",
		Fails: []*problem.Problem{ErrNotAttached, ErrNotFound, ErrOutOfRange, ErrPropertyNotFound, ErrReadOnly, ErrTooLong, ErrWrongKind, org.ErrValues, series.ErrStopped, series.ErrText},
	},
	"PUT /iot/v2/things/{id}/properties/{pid}/publish_batch": {
		ID: "properties_v2#publishBatch", Summary: "Set values of a property at given times",
		Fails: []*problem.Problem{ErrNotAttached, ErrNotFound, ErrOutOfRange, ErrPropertyNotFound, ErrReadOnly, ErrTime, ErrTooLong, ErrTooManyValues, ErrWrongKind, org.ErrValues, series.ErrStopped, series.ErrText},
	},
	"GET /iot/v2/things/{id}/properties/{pid}/timeseries": {
		ID: "properties_v2#timeseries", Summary: "Values of a property in bins of time",
		Query: askTimeseries{},
		Gives: rest.Media("timeseriesmedia"),
		Fails: []*problem.Problem{ErrAggregation, ErrNotFound, ErrNotNumeric, ErrPropertyNotFound, ErrRange, rest.ErrQuery, series.ErrTooMuch},
	},
	"PUT /iot/v2/things/{id}/publish": {
		ID: "properties_v2#publishMulti", Summary: "Set values of several properties",
		Fails: []*problem.Problem{ErrNotAttached, ErrNotFound, ErrOutOfRange, ErrPropertyNotFound, ErrReadOnly, ErrTooLong, ErrTooManyValues, ErrWrongKind, org.ErrValues, series.ErrStopped, series.ErrText},
	},
	"GET /v1/things/{id}/history": {
		ID: "history#download", Summary: "Download the values of a thing as a file",
		Query: askDownload{},
		Gives: "text/csv; charset=utf-8, application/json",
		Fails: []*problem.Problem{ErrNotFound, ErrPropertyNotFound, ErrRange, rest.ErrQuery, series.ErrTooMuch},
	},
	"GET /v1/series/rows": {
		ID: "history#rows", Summary: "Values of several properties as rows, in the order of time",
		More: "For programs that draw tables and charts. Without interval and aggregation values are as they came, the newest points of each property. " +
			"With one of them there is one value for each interval that has any, by the aggregation that suits the type: AVG of numbers, BOOL_OR of booleans, LAST of everything else. " +
			"Of a text or a free object there are at most 1000, in intervals, too. An answer has at most 100000 rows of at most 100 properties.",
		Query: askRows{},
		Gives: "application/json, text/csv; charset=utf-8",
		Fails: []*problem.Problem{ErrAggregation, ErrID, ErrNoTarget, ErrNotFound, ErrNotNumeric, ErrPropertyNotFound, ErrRange, ErrTooManyBins, ErrTooManyRows, rest.ErrQuery, series.ErrTooMuch},
	},
	"POST /v1/things/{id}/properties/{pid}/history": {
		ID: "history#fill", Summary: "Bring the values along that a property had elsewhere",
		More:  "Each value stands by itself: refused tells those that the property cannot hold, and the others are kept all the same. Where there is a value already it stays, so the call may be repeated. No device, webhook or trigger is told of them.",
		Fails: []*problem.Problem{ErrColumns, ErrNotFound, ErrPropertyNotFound, org.ErrValues, series.ErrStopped, series.ErrTooMuch},
	},
	"POST /iot/v2/series/batch_query": {
		ID: "series_v2#batch_query", Summary: "Values of several properties in bins of time",
		Gives: rest.Media("series.batch"),
		Fails: []*problem.Problem{ErrAggregation, ErrBudget, ErrNotFound, ErrNotNumeric, ErrPropertyNotFound, ErrRange, ErrTarget, series.ErrTooMuch},
	},
	"POST /iot/v2/series/batch_query_raw": {
		ID: "series_v2#batch_query_raw", Summary: "Values of several properties as they came",
		Gives: rest.Media("series.raw.batch"),
		Fails: []*problem.Problem{ErrAggregation, ErrBudget, ErrNotFound, ErrNotNumeric, ErrPropertyNotFound, ErrRange, ErrTarget, series.ErrTooMuch},
	},
	"POST /iot/v2/series/batch_query_raw/lastvalue": {
		ID: "series_v2#batch_query_raw_last_value", Summary: "The last value of each of several properties",
		Gives: rest.Media("series.raw.batch.lastvalue"),
		Fails: []*problem.Problem{ErrAggregation, ErrBudget, ErrNotFound, ErrNotNumeric, ErrPropertyNotFound, ErrRange, ErrTarget, series.ErrTooMuch},
	},
	"POST /iot/v2/series/batch_query_sampling": {
		ID: "series_v2#batch_query_sampling", Summary: "Values of several properties, one for each span of time",
		Gives: rest.Media("series.batch.sampled"),
		Fails: []*problem.Problem{ErrAggregation, ErrBudget, ErrNotFound, ErrNotNumeric, ErrPropertyNotFound, ErrRange, ErrTarget, series.ErrTooMuch},
	},
	"POST /iot/v2/series/historic_data": {
		ID: "series_v2#historic_data", Summary: "Have values sent by mail, which this server does not do",
		More:  "Download them instead: GET /v1/things/{id}/history.",
		Fails: []*problem.Problem{ErrNoExport, ErrRange},
	},
}

// The parameters of queries, for the document; the handlers read them.
type (
	askThings struct {
		IDs        []string `json:"ids" says:"only these things"`
		Tags       []string `json:"tags" says:"KEY:VALUE, which a thing must have; all of them if there are several"`
		Device     string   `json:"device_id" says:"the thing that this device is attached to"`
		Text       string   `json:"q" rule:"length=..256" says:"a part of the name, whatever the case of its letters"`
		Sort       string   `json:"sort" rule:"enum=name|-name|timezone|-timezone|created_at|-created_at|updated_at|-updated_at" says:"by what; with a hyphen the other way round; the oldest first, if it is left out"`
		Properties bool     `json:"show_properties" says:"with their properties"`
		Deleted    bool     `json:"show_deleted" says:"deleted ones too"`
		Across     bool     `json:"across_user_ids" says:"is taken and changes nothing: all things of the space are listed"`
	}
	askDeleted struct {
		Deleted bool `json:"show_deleted" says:"also what was deleted"`
	}
	askSteal struct {
		Force bool `json:"force" says:"take the device from the thing that it is attached to"`
	}
	askForce struct {
		Force bool `json:"force" says:"for good, and not only until somebody brings it back"`
	}
	askTimeseries struct {
		From        string `json:"from" rule:"format=date-time" says:"two weeks before to, if it is left out"`
		To          string `json:"to" rule:"format=date-time" says:"now, if it is left out"`
		Interval    int    `json:"interval" rule:"range=1.." says:"seconds of a bin; as many as make at most 1000 bins, if it is left out"`
		Aggregation string `json:"aggregation" rule:"enum=AVG|MIN|MAX|SUM|COUNT|PCT_99|PCT_95|PCT_90|PCT_75|PCT_50|PCT_15|PCT_5" says:"of the values in a bin; AVG if it is left out"`
		Desc        bool   `json:"desc" says:"the newest first"`
	}
	askDownload struct {
		Property []string `json:"property" says:"by id, variable name or name; all if it is left out"`
		From     string   `json:"from" rule:"format=date-time"`
		To       string   `json:"to" rule:"format=date-time" says:"up to before this time"`
		Format   string   `json:"format" rule:"enum=csv|json" says:"csv if it is left out"`
	}
	askRows struct {
		Property    []string `json:"property" says:"its id; several may stand in one, with commas between them"`
		Thing       []string `json:"thing" says:"a thing's id, likewise: the properties that name says, or all of them"`
		Name        []string `json:"name" says:"of the things' properties: variable name, name or id"`
		From        string   `json:"from" says:"RFC 3339, or milliseconds since 1970; a day before to, if it is left out"`
		To          string   `json:"to" says:"likewise: up to before this time; now, if it is left out"`
		Interval    string   `json:"interval" says:"seconds, or 250ms, 30s, 5m, 1h30m, 1d, 2w; intervals begin at whole multiples since 1970. If it is left out and aggregation is not: as short as makes at most that many points"`
		Aggregation string   `json:"aggregation" says:"AVG, MIN, MAX, SUM, COUNT, PCT_99, PCT_95, PCT_90, PCT_75, PCT_50, PCT_15, PCT_5, BOOL_OR, BOOL_AND or LAST, in whichever case"`
		Points      int      `json:"points" rule:"range=1..10000" says:"at most so many values of each property; 1000 if it is left out, and with an interval 10000"`
		Format      string   `json:"format" rule:"enum=json|csv" says:"json if it is left out"`
	}
)
