// Package dashboard is the room of dashboards: which values people see, by which
// widgets, where they may write, and with whom all that is shared.
//
// Invariants:
//   - A dashboard belongs to one space for ever, and shows properties of that space only.
//   - The two versions of the API are two views of one dashboard: v2 has no pages.
//   - What a dashboard shows outlives the properties: a widget whose property is gone,
//     or of another type than it was, is marked and stays.
//   - Options of widgets are kept as they were given. Those that we know are checked;
//     the type of a widget that we do not know is no error.
//   - A guest reaches the dashboard and the properties that it shows at this moment,
//     to read or also to write to as it was shared, and nothing else of the space.
//     Guests are people with an account here; the policy decides about each request.
//   - A public link shows names, widgets, last values and the histories that charts
//     show, without any ID of ours but those of widgets and pages. Only its hash is kept.
//   - Pictures of other servers are asked for by this one, by base/outbound, and pass only if they are pictures.
//   - What people wrote is sealed under the key of the space; what somebody wrote who
//     asks for access, under their own.
//
// Tables: dashboard, dashboard_variable, dashboard_share, dashboard_request,
// dashboard_link, dashboard_image.
//
// Routes: /iot/v2/dashboards…, /iot/v3/dashboards…, /v1/dashboards…, /v1/shared/{token}….
package dashboard
