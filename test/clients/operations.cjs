// @arduino/arduino-iot-client, unmodified: every operation of the API of devices,
// things, properties, series and triggers is called once and answers what the client's own
// models require, with no key that they do not know.
const assert = require("node:assert/strict");
const iot = require("@arduino/arduino-iot-client");
const { session, status, complete } = require("./models.cjs");

const { API, CLIENT_ID, CLIENT_SECRET, CSR, DEVICE_OF_CSR } = process.env;

const scope = [
  "DevicesV2Api", "DevicesV2CertsApi", "DevicesV2PassApi", "DevicesV2TagsApi", "NetworkCredentialsV1Api",
  "LoraDevicesV1Api", "LoraFreqPlanV1Api", "PropertiesV2Api", "PropertyTypesV1Api", "SeriesV2Api", "ThingsV2Api", "ThingsV2TagsApi", "TriggersV1Api",
];

async function main() {
  const { apis, call, called } = await session(API, CLIENT_ID, CLIENT_SECRET, scope);

  // Devices.
  const devices = (operation, ...rest) => call("DevicesV2Api", operation, ...rest);
  const device = await devices("devicesV2Create", iot.ArduinoDevicev2, { type: "nano_33_iot", name: "GH Dash", serial: "", fqbn: "arduino:samd:nano_33_iot", connection_type: "wifi" }, {});
  const spare = await devices("devicesV2Create", iot.ArduinoDevicev2, { type: "nano_nora", name: "spare", soft_deleted: false, user_id: device.user_id }, {});
  assert.equal((await devices("devicesV2List", [iot.ArduinoDevicev2], { acrossUserIds: true, showDeleted: true, serial: "" })).length, 3);
  assert.equal((await devices("devicesV2Show", iot.ArduinoDevicev2, device.id, {})).name, "GH Dash");
  assert.equal((await devices("devicesV2Update", iot.ArduinoDevicev2, device.id, { name: "dash", serial: "S-1", wifi_fw_version: "1.5.0" }, {})).serial, "S-1");
  assert.equal((await devices("devicesV2List", [iot.ArduinoDevicev2], { serial: "S-1" })).length, 1);
  assert.equal((await devices("devicesV2GetEvents", iot.ArduinoDevicev2EventProperties, device.id, { limit: 10 })).id, device.id);
  assert.equal((await devices("devicesV2GetStatusEvents", iot.ArduinoDevicev2StatusEvents, device.id, { limit: 10, start: new Date().toISOString() })).id, device.id);

  const pass = (operation, ...rest) => call("DevicesV2PassApi", operation, ...rest);
  const proposal = await pass("devicesV2PassGet", iot.ArduinoDevicev2Pass, spare.id, { suggestedPassword: true });
  assert.equal((await pass("devicesV2PassSet", iot.ArduinoDevicev2Pass, spare.id, { password: proposal.suggested_password })).set, true);
  await pass("devicesV2PassCheck", null, spare.id, { password: proposal.suggested_password });
  await pass("devicesV2PassDelete", null, spare.id);
  await status(apis.DevicesV2PassApi.devicesV2PassCheck(spare.id, { password: proposal.suggested_password }), 400);

  const deviceTags = (operation, ...rest) => call("DevicesV2TagsApi", operation, ...rest);
  await deviceTags("devicesV2TagsUpsert", null, device.id, { key: "room", value: "lab" });
  assert.deepEqual((await deviceTags("devicesV2TagsList", iot.ArduinoTags, device.id)).tags.map((t) => t.key + ":" + t.value), ["room:lab"]);
  assert.deepEqual((await devices("devicesV2List", [iot.ArduinoDevicev2], { tags: ["room:lab"] })).map((d) => d.id), [device.id]);
  assert.deepEqual(await devices("devicesV2List", [iot.ArduinoDevicev2], { tags: ["room:lab", "room:hall"] }), []);
  await deviceTags("devicesV2TagsDelete", null, device.id, "room");

  const certs = (operation, ...rest) => call("DevicesV2CertsApi", operation, ...rest);
  const cert = await certs("devicesV2CertsCreate", iot.ArduinoDevicev2Cert, DEVICE_OF_CSR, { ca: "Arduino_v2", csr: CSR, enabled: true });
  assert.equal(cert.compressed.serial.length, 32);
  assert.deepEqual((await certs("devicesV2CertsList", [iot.ArduinoDevicev2Cert], DEVICE_OF_CSR)).map((c) => c.id), [cert.id]);
  assert.equal((await certs("devicesV2CertsShow", iot.ArduinoDevicev2Cert, cert.id, DEVICE_OF_CSR)).pem, cert.pem);
  assert.equal((await certs("devicesV2CertsUpdate", iot.ArduinoDevicev2Cert, cert.id, DEVICE_OF_CSR, { enabled: false })).enabled, false);
  await certs("devicesV2CertsDelete", null, cert.id, DEVICE_OF_CSR);

  const network = (operation, ...rest) => call("NetworkCredentialsV1Api", operation, ...rest);
  const wanted = await network("networkCredentialsV1Show", [iot.ArduinoCredentialsv1], "nano_33_iot", { connection: "wifi" });
  assert.deepEqual(wanted.map((c) => c.secret_name), ["SECRET_SSID", "SECRET_OPTIONAL_PASS"]);
  assert.equal((await network("networkCredentialsV1Show", [iot.ArduinoCredentialsv1], device.id, { connection: "wifi" })).length, 2);
  const ways = await network("networkCredentialsV1ShowByDevice", Object, "opta");
  assert.ok(ways.wifi.length > 0 && ways.eth.length > 0);

  // No LoRa network: what there would be is told, and a device is refused in words.
  const plans = await call("LoraFreqPlanV1Api", "loraFreqPlanV1List", iot.ArduinoLorafreqplansv1);
  assert.equal(plans.frequency_plans.length, 11);
  called.add("LoraDevicesV1Api.loraDevicesV1Create");
  await status(apis.LoraDevicesV1Api.loraDevicesV1Create({
    app: "defaultApp", eui: "0123456789abcdef", frequency_plan: plans.frequency_plans[0].id, name: "far", type: "mkrwan1310", user_id: "me",
  }), 501);

  // Things.
  const things = (operation, ...rest) => call("ThingsV2Api", operation, ...rest);
  const property = (name, type, permission = "READ_WRITE") => ({ name, type, permission, update_strategy: "ON_CHANGE" });
  const thing = await things("thingsV2Create", iot.ArduinoThing, {
    name: "Green house 1", device_id: device.id, timezone: "Europe/Rome", tags: [{ key: "floor", value: "1" }],
    properties: [property("temperature", "TEMPERATURE"), property("lamp", "HOME_COLORED_LIGHT")], webhook_uri: "https://example.org/hook", assistant: "ALEXA",
  }, { force: true });
  await status(apis.ThingsV2Api.thingsV2Create({ name: "Other", device_id: device.id }, {}), 409);
  assert.equal((await things("thingsV2Show", iot.ArduinoThing, thing.id, {})).properties.length, 2);
  assert.equal((await things("thingsV2List", [iot.ArduinoThing], { ids: [thing.id], deviceId: device.id, tags: ["floor:1"], showProperties: true, acrossUserIds: true }))[0].properties.length, 2);
  assert.equal((await things("thingsV2Update", iot.ArduinoThing, thing.id, { name: "Green house 2" }, {})).webhook_uri, "https://example.org/hook");
  const twin = await things("thingsV2Clone", iot.ArduinoThing, thing.id, { name: "Twin", include_tags: true }, {});
  assert.equal(twin.timezone, "Europe/Rome");
  assert.equal(twin.properties_count, 2);
  const drawn = await things("thingsV2CreateSketch", iot.ArduinoThing, thing.id, { sketch_version: "v2" }, {});
  await things("thingsV2UpdateSketch", iot.ArduinoThing, thing.id, drawn.sketch_id, {});
  assert.equal((await things("thingsV2DeleteSketch", iot.ArduinoThing, thing.id, {})).sketch_id, undefined);
  const template = await things("thingsV2Template", iot.ArduinoThingtemplate, thing.id, {});
  assert.deepEqual(template.variables.map((v) => v.variable_name).sort(), ["lamp", "temperature"]);

  const thingTags = (operation, ...rest) => call("ThingsV2TagsApi", operation, ...rest);
  await thingTags("thingsV2TagsUpsert", null, thing.id, { key: "floor", value: "2" });
  assert.deepEqual((await thingTags("thingsV2TagsList", iot.ArduinoTags, thing.id)).tags.map((t) => t.value), ["2"]);
  await thingTags("thingsV2TagsDelete", null, thing.id, "floor");

  // Properties.
  const properties = (operation, ...rest) => call("PropertiesV2Api", operation, ...rest);
  const level = await properties("propertiesV2Create", iot.ArduinoProperty, thing.id,
    { ...property("Fill level", "PERCENTAGE"), min_value: 0, max_value: 100, update_strategy: "TIMED", update_parameter: 30, tag: 9, persist: true }, {});
  assert.equal(level.variable_name, "Fill_level");
  assert.equal((await properties("propertiesV2List", [iot.ArduinoProperty], thing.id, { showDeleted: true })).length, 3);
  assert.equal((await properties("propertiesV2Show", iot.ArduinoProperty, thing.id, level.id, {})).tag, 9);
  assert.equal((await properties("propertiesV2Update", iot.ArduinoProperty, thing.id, level.id, { ...property("Fill level", "PERCENTAGE"), variable_name: "level" }, {})).variable_name, "level");
  for (const value of [10, 20.5, 30]) await properties("propertiesV2Publish", null, thing.id, level.id, { value }, {});
  await properties("propertiesV2Publish", null, thing.id, level.id, { value: 40, device_id: device.id }, {});
  assert.equal((await properties("propertiesV2Show", iot.ArduinoProperty, thing.id, level.id, {})).last_value, 40);
  const bins = await properties("propertiesV2Timeseries", iot.ArduinoTimeseriesmedia, thing.id, level.id, { aggregation: "MAX", interval: 86400, desc: true });
  assert.equal(Math.max(...bins.data.map((b) => b.value)), 40);
  assert.equal((await call("PropertyTypesV1Api", "propertyTypesV1ListTypes", [iot.ArduinoPropertytype])).length, 104);

  // What devices can do by name.
  await devices("devicesV2UpdateProperties", null, device.id, { properties: [{ name: "temperature", type: "infer", value: 21.5 }] }, {});
  const held = await devices("devicesV2GetProperties", iot.ArduinoDevicev2properties, device.id, {});
  assert.equal(held.properties.find((p) => p.name === "temperature").last_value, 21.5);
  assert.ok(held.data_retention_days > 0);
  const page = await devices("devicesV2Timeseries", iot.ArduinoDevicev2propertyvalues, device.id, level.id, { limit: 3 });
  assert.deepEqual(page.values.map((v) => v.value.payload), ["40", "30", "20.5"]);
  const rest = await devices("devicesV2Timeseries", iot.ArduinoDevicev2propertyvalues, device.id, level.id, { limit: 3, start: page.last_evaluated_key.created_at });
  assert.deepEqual(rest.values.map((v) => v.value.payload), ["10"]);

  // Series.
  const series = (operation, ...rest) => call("SeriesV2Api", operation, ...rest);
  const from = new Date(Date.now() - 3600e3), to = new Date(Date.now() + 60e3);
  const raw = await series("seriesV2BatchQueryRaw", iot.ArduinoSeriesRawBatch, { resp_version: 0, requests: [{ q: "thing." + thing.id, from, to, sort: "ASC", series_limit: 86400 }] }, {});
  assert.deepEqual(raw.responses.map((r) => r.query).sort(), held.properties.map((p) => "property." + p.id).sort());
  assert.deepEqual(raw.responses.find((r) => r.property_id === level.id).values, [10, 20.5, 30, 40]);
  const sums = await series("seriesV2BatchQuery", iot.ArduinoSeriesBatch, { resp_version: 1, requests: ["SUM", "COUNT"].map((aggregation) => ({ q: "property." + level.id, from, to, interval: 86400, aggregation })) }, {});
  assert.deepEqual(sums.responses.map((r) => r.values.reduce((a, b) => a + b)), [100.5, 4]);
  const last = await series("seriesV2BatchQueryRawLastValue", iot.ArduinoSeriesRawBatchLastvalue, { requests: [{ property_id: level.id, thing_id: thing.id }] }, {});
  assert.deepEqual(last.responses[0].values, [40]);
  const sampled = await series("seriesV2BatchQuerySampling", iot.ArduinoSeriesBatchSampled, { resp_version: 1, requests: [{ q: "property." + level.id, interval: 86400 }] }, {});
  assert.equal(sampled.responses[0].values.at(-1), 40);
  called.add("SeriesV2Api.seriesV2HistoricData");
  await status(apis.SeriesV2Api.seriesV2HistoricData({ from, to, properties: [level.id] }, {}), 501); // until the server sends mail

  // Triggers and what they do.
  const triggers = (operation, ...rest) => call("TriggersV1Api", operation, ...rest);
  const flag = await properties("propertiesV2Create", iot.ArduinoProperty, thing.id, property("Alarm", "STATUS"), {});
  const expression = (text) => ({ expression: text, variables: [{ placeholder: "v", entity: "PROPERTY", attribute: "VALUE", id: flag.id }] });
  const notice = (kind, rest) => ({ kind, name: kind, ...rest });
  const people = [{ id: device.user_id }];
  const mail = notice("NOTIFY-EMAIL", { email: { subject: expression("Alarm"), body: expression("It is {v}"), delivery: { to: people, cc: people } } });
  const push = notice("NOTIFY-PUSH", { push_notification: { title: expression("Alarm"), body: expression("It is {v}"), delivery: { to: people } } });
  const alarm = await triggers("triggersV1Create", iot.ArduinoTrigger, { name: "Alarm", property_id: flag.id, description: "rings", actions: [mail, push] }, {});
  assert.deepEqual(alarm.actions.map((a) => a.kind), ["NOTIFY-EMAIL", "NOTIFY-PUSH"]);
  const away = await triggers("triggersV1Create", iot.ArduinoTrigger, { name: "Away", active: false, device_status_source: { criteria: "INCLUDE", device_ids: [device.id], grace_period_offline: 60 } }, {});
  assert.equal((await triggers("triggersV1List", [iot.ArduinoTrigger], {})).length, 2);
  assert.deepEqual((await triggers("triggersV1List", [iot.ArduinoTrigger], { propertyId: flag.id, sourceType: "PROPERTY", showDeleted: true })).map((t) => t.id), [alarm.id]);
  assert.deepEqual((await triggers("triggersV1List", [iot.ArduinoTrigger], { deviceId: device.id })).map((t) => t.id), [away.id]);
  const shown = await triggers("triggersV1Show", iot.ArduinoTriggerWithLinkedEntities, alarm.id, {});
  assert.equal(shown.linked_property.status, "OK");
  assert.equal((await triggers("triggersV1Show", iot.ArduinoTriggerWithLinkedEntities, away.id, {})).device_status_source.linked_devices[0].device.id, device.id);
  assert.equal((await properties("propertiesV2Show", iot.ArduinoProperty, thing.id, flag.id, {})).linked_to_trigger, true);
  assert.equal((await triggers("triggersV1Update", iot.ArduinoTrigger, alarm.id, { name: "Fire", active: true, property_id: flag.id }, {})).name, "Fire");
  assert.equal((await triggers("triggersV1Patch", iot.ArduinoTrigger, alarm.id, { active: false }, {})).active, false);
  assert.equal((await triggers("triggersV1Template", iot.ArduinoTriggerTemplate, alarm.id, {})).linked_property.property_id, "alarm");
  assert.equal((await triggers("triggersV1Template", iot.ArduinoTriggerTemplate, away.id, {})).criteria, "INCLUDE");
  const action = await triggers("actionsV1Create", iot.ArduinoAction, { ...mail, trigger_id: away.id }, {});
  assert.equal(action.trigger_id, away.id);
  assert.equal((await triggers("actionsV1List", [iot.ArduinoAction], {})).length, 3);
  assert.equal((await triggers("actionsV1Show", iot.ArduinoAction, action.id, {})).email.subject.expression, "Alarm");
  assert.equal((await triggers("actionsV1Update", iot.ArduinoAction, action.id, { name: "other" }, {})).name, "other");
  await triggers("actionsV1Delete", null, action.id, {});
  await triggers("triggersV1Delete", null, away.id, { force: true });
  await triggers("triggersV1Delete", null, alarm.id, {});
  await status(apis.TriggersV1Api.triggersV1Show(alarm.id, {}), 404);

  // The end of all of it, and back again.
  await properties("propertiesV2Delete", null, thing.id, level.id, {});
  assert.ok((await properties("propertiesV2Show", iot.ArduinoProperty, thing.id, level.id, { showDeleted: true })).deleted_at);
  await things("thingsV2Delete", null, thing.id, {});
  await status(apis.ThingsV2Api.thingsV2Show(thing.id, {}), 404);
  assert.ok((await things("thingsV2Show", iot.ArduinoThing, thing.id, { showDeleted: true })).deleted_at);
  assert.equal((await things("thingsV2Update", iot.ArduinoThing, thing.id, { soft_deleted: false }, {})).deleted_at, undefined);
  await things("thingsV2Delete", null, thing.id, { force: true });
  await devices("devicesV2Delete", null, device.id, { force: true });
  await status(apis.DevicesV2Api.devicesV2Show(device.id, {}), 404);

  complete(scope, called);
  console.log("ok");
}

main().catch((e) => {
  console.error(e.response ? e.status + " " + e.response.text : e);
  process.exit(1);
});
