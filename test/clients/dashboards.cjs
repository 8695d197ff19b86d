// @arduino/arduino-iot-client, unmodified: every operation about dashboards is called and answers what the
// client's own models require, with no key that they do not know; a guest with the same client sees what was
// shared, writes to it, and nothing else.
const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");
const iot = require("@arduino/arduino-iot-client");
const { session, status, complete } = require("./models.cjs");

const { API, CLIENT_ID, CLIENT_SECRET, GUEST, GUEST_ID, GUEST_SECRET } = process.env;

const deep = {
  "ArduinoDashboardv2.created_by": iot.ArduinoDashboardowner, "ArduinoDashboardv2.shared_by": iot.ArduinoDashboardshare,
  "ArduinoDashboardv2.shared_with": [iot.ArduinoDashboardshare], "ArduinoDashboardv2.widgets": [iot.ArduinoWidgetv2],
  "ArduinoWidgetv2.variables": [iot.ArduinoLinkedvariable], "ArduinoLinkedvariable.thing_timezone": iot.ArduinoTimezone,
  "ArduinoDashboardv2template.widgets": [iot.ArduinoWidgetv2template], "ArduinoWidgetv2template.variables": [iot.ArduinoTemplatevariable],
  "ArduinoTemplatevariable.thing_timezone": iot.ArduinoTimezone,
};

async function main() {
  const owner = await session(API, CLIENT_ID, CLIENT_SECRET, ["DashboardsV2Api", "ThingsV2Api", "PropertiesV2Api"], deep);
  const guest = await session(API, GUEST_ID, GUEST_SECRET, ["DashboardsV2Api", "PropertiesV2Api", "ThingsV2Api", "SeriesV2Api"], deep);
  const boards = (operation, ...rest) => owner.call("DashboardsV2Api", operation, ...rest);
  const property = (name, type, permission = "READ_WRITE") => ({ name, type, permission, update_strategy: "ON_CHANGE" });
  const things = [];
  for (const name of ["Green house", "Cold house"]) things.push(await owner.call("ThingsV2Api", "thingsV2Create", iot.ArduinoThing, {
    name, timezone: "Europe/Rome", properties: [property("temperature", "TEMPERATURE"), property("lamp", "STATUS"), property("secret", "FLOAT")] }, {}));
  const id = (thing, name) => thing.properties.find((p) => p.name === name).id;
  const [green, cold] = things;

  // Widgets are made by the client's own classes.
  const widget = (type, variables, options = {}) => Object.assign(new iot.Widget(2, randomUUID(), options, type, 3, 0, 1), { variables, name: type, x_mobile: 1, y_mobile: 2, width_mobile: 3, height_mobile: 4 });
  const slider = widget("Slider", [id(green, "temperature")], { min: 0, max: 40, "somebody's own": [1, { deep: null }] });
  const lamp = widget("Switch", [id(green, "lamp")], { showLabels: true });
  const made = await boards("dashboardsV2Create", iot.ArduinoDashboardv2, { name: "GH Dash", cover_image: "https://example.org/c.png", widgets: [slider, lamp] }, {});
  assert.deepEqual(made.widgets[0].options, slider.options);
  assert.equal(made.widgets[0].variables[0].thing_name, "Green house");
  assert.deepEqual([made.widgets[0].x_mobile, made.widgets[0].height_mobile, made.widgets[1].has_type_incompatibility], [1, 4, false]);
  await owner.call("PropertiesV2Api", "propertiesV2Publish", null, green.id, id(green, "temperature"), { value: 21.5 }, {});
  assert.equal((await boards("dashboardsV2Show", iot.ArduinoDashboardv2, made.id, {})).widgets[0].variables[0].last_value, 21.5);
  assert.equal((await boards("dashboardsV2List", [iot.ArduinoDashboardv2], { name: "gh", userId: made.created_by.user_id })).length, 1);
  assert.equal((await boards("dashboardsV2Update", iot.ArduinoDashboardv2, made.id, { name: "Put", widgets: [slider] }, {})).widgets.length, 1);
  assert.equal((await boards("dashboardsV2Patch", iot.ArduinoDashboardv2, made.id, { name: "Patched" }, {})).widgets.length, 1);
  assert.deepEqual((await boards("dashboardsV2Link", iot.ArduinoVariableslinks, made.id, slider.id, { variables: [] }, {})).variables, []);
  assert.deepEqual((await boards("dashboardsV2Link", iot.ArduinoVariableslinks, made.id, slider.id, { variables: [id(green, "temperature")] }, {})).variables, [id(green, "temperature")]);
  const copy = await boards("dashboardsV2Clone", iot.ArduinoDashboardv2, made.id, { overrides: [{ old_thing_id: green.id, new_thing_id: cold.id }] }, {});
  assert.equal(copy.widgets[0].variables[0].id, id(cold, "temperature"));
  const template = await boards("dashboardsV2Template", iot.ArduinoDashboardv2template, made.id, {});
  assert.equal(template.widgets[0].variables[0].thing_id, "green-house-" + green.id.slice(-5));
  assert.equal(template.widgets[0].variables[0].variable_id, "temperature");

  // Guests.
  const theirs = guest.apis.DashboardsV2Api;
  await status(theirs.dashboardsV2Show(made.id, {}), 404);
  await guest.call("DashboardsV2Api", "dashboardsV2RequestAccess", null, made.id, { message: "May I see it?" }, {});
  await boards("dashboardsV2RequestAccess", null, made.id, {}, {}); // one's own: nothing happens
  await boards("dashboardsV2Share", null, made.id, { users: [{ username: GUEST }] }, {});
  const shares = await boards("dashboardsV2ListShares", [iot.ArduinoDashboardshare], made.id, {});
  assert.equal(shares.length, 1);
  assert.deepEqual((await boards("dashboardsV2Show", iot.ArduinoDashboardv2, made.id, {})).shared_with.map((s) => s.user_id), [shares[0].user_id]);
  const seen = await guest.call("DashboardsV2Api", "dashboardsV2Show", iot.ArduinoDashboardv2, made.id, {});
  assert.equal(seen.shared_by.user_id, made.created_by.user_id);
  assert.equal((await guest.call("DashboardsV2Api", "dashboardsV2List", [iot.ArduinoDashboardv2], {})).length, 1);
  await guest.call("PropertiesV2Api", "propertiesV2Publish", null, green.id, id(green, "temperature"), { value: 30 }, {});
  assert.equal((await guest.call("PropertiesV2Api", "propertiesV2Show", iot.ArduinoProperty, green.id, id(green, "temperature"), {})).last_value, 30);
  const from = new Date(Date.now() - 3600e3), to = new Date(Date.now() + 60e3);
  const raw = await guest.call("SeriesV2Api", "seriesV2BatchQueryRaw", iot.ArduinoSeriesRawBatch, { resp_version: 1, requests: [{ q: "property." + id(green, "temperature"), from, to, sort: "ASC" }, { q: "property." + id(green, "secret"), from, to }] }, {});
  assert.deepEqual(raw.responses[0].values, [21.5, 30]);
  assert.equal(raw.responses[1].status, "not_found");
  await status(guest.apis.PropertiesV2Api.propertiesV2Publish(green.id, id(green, "secret"), { value: 1 }, {}), 404);
  await status(guest.apis.PropertiesV2Api.propertiesV2Publish(green.id, id(green, "lamp"), { value: true }, {}), 404); // no longer shown
  await status(guest.apis.ThingsV2Api.thingsV2Show(green.id, {}), 404);
  await status(theirs.dashboardsV2Patch(made.id, { name: "mine" }, {}), 403);
  await status(theirs.dashboardsV2Delete(made.id, {}), 403);
  await boards("dashboardsV2DeleteShare", null, made.id, shares[0].user_id, {});
  await status(theirs.dashboardsV2Show(made.id, {}), 404);
  await status(guest.apis.PropertiesV2Api.propertiesV2Publish(green.id, id(green, "temperature"), { value: 1 }, {}), 404);

  // Marks.
  await owner.call("PropertiesV2Api", "propertiesV2Delete", null, green.id, id(green, "temperature"), {});
  assert.equal((await boards("dashboardsV2Show", iot.ArduinoDashboardv2, made.id, {})).widgets[0].has_unlinked_variable, true);

  // Errors.
  await status(owner.apis.DashboardsV2Api.dashboardsV2Create({ name: "n", widgets: [widget("Switch", [randomUUID()])] }, {}), 400);
  await status(owner.apis.DashboardsV2Api.dashboardsV2Show(randomUUID(), {}), 404);
  await boards("dashboardsV2Delete", null, made.id, {});
  await status(owner.apis.DashboardsV2Api.dashboardsV2Show(made.id, {}), 404);
  await boards("dashboardsV2Update", iot.ArduinoDashboardv2, made.id, { name: "back", soft_deleted: false, widgets: [] }, {});
  await boards("dashboardsV2Delete", null, made.id, { force: true });
  await boards("dashboardsV2Delete", null, copy.id, { force: true });
  assert.deepEqual(await boards("dashboardsV2List", [iot.ArduinoDashboardv2], {}), []);

  complete(["DashboardsV2Api"], owner.called);
  console.log("ok");
}

main().catch((e) => {
  console.error(e.response ? e.status + " " + e.response.text : e);
  process.exit(1);
});
