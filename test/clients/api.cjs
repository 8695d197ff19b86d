// @arduino/arduino-iot-client, unmodified, through what its users do: create a
// device and a thing, publish, read back, look at history, delete.
const assert = require("node:assert/strict");
const iot = require("@arduino/arduino-iot-client");

const { API, CLIENT_ID, CLIENT_SECRET } = process.env;

async function token() {
  const answer = await fetch(API + "/iot/v1/clients/token", {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({
      grant_type: "client_credentials", client_id: CLIENT_ID, client_secret: CLIENT_SECRET,
      audience: "https://api2.arduino.cc/iot",
    }),
  });
  assert.equal(answer.status, 200);
  return (await answer.json()).access_token;
}

// until asks again until what it gets is right; the house stores before it answers, so once is enough,
// but history of what a board sent may be a moment away.
async function until(what, ask, right) {
  const end = Date.now() + 20000;
  for (;;) {
    const got = await ask();
    if (right(got)) return got;
    if (Date.now() > end) assert.fail(what + ": last answer " + JSON.stringify(got));
    await new Promise((r) => setTimeout(r, 100));
  }
}

async function main() {
  const client = new iot.ApiClient(API);
  client.authentications.oauth2.accessToken = await token();
  const devices = new iot.DevicesV2Api(client);
  const things = new iot.ThingsV2Api(client);
  const properties = new iot.PropertiesV2Api(client);
  const series = new iot.SeriesV2Api(client);
  const tags = new iot.ThingsV2TagsApi(client);
  const pass = new iot.DevicesV2PassApi(client);

  const device = await devices.devicesV2Create({ type: "login_and_secretkey_wifi", name: "from-javascript", serial: "", fqbn: "esp32:esp32:esp32" });
  assert.match(device.id, /^[0-9a-f-]{36}$/);
  for (const key of ["href", "label", "name", "serial", "type", "user_id"]) assert.notEqual(device[key], undefined, key);

  const suggestion = await pass.devicesV2PassGet(device.id, { suggestedPassword: true });
  const set = await pass.devicesV2PassSet(device.id, { password: suggestion.suggested_password });
  assert.equal(set.suggested_password, suggestion.suggested_password);
  await pass.devicesV2PassCheck(device.id, { password: suggestion.suggested_password });
  await assert.rejects(pass.devicesV2PassCheck(device.id, { password: "not it, really not" }), (e) => e.status === 400);

  const thing = await things.thingsV2Create({ name: "From JavaScript", timezone: "Europe/Rome", device_id: device.id }, { force: true });
  assert.equal(thing.device_id, device.id);
  await assert.rejects(things.thingsV2Create({ name: "From JavaScript" }), (e) => e.status === 409);

  const define = (name, type, permission = "READ_WRITE") =>
    properties.propertiesV2Create(thing.id, { name, type, permission, update_strategy: "ON_CHANGE" });
  const number = await define("temperature", "FLOAT");
  const flag = await define("lamp", "STATUS");
  const text = await define("message", "CHARSTRING");
  const color = await define("color", "COLOR_HSB");

  const values = [
    [number, 21.5], [number, -3], [flag, false], [flag, true], [text, "ciao, città"],
    [color, { hue: 210, sat: 50, bri: 75 }],
  ];
  for (const [p, value] of values) await properties.propertiesV2Publish(thing.id, p.id, { value });
  for (const [p, value] of [[number, -3], [flag, true], [text, "ciao, città"], [color, { hue: 210, sat: 50, bri: 75 }]]) {
    const got = await properties.propertiesV2Show(thing.id, p.id);
    assert.deepEqual(got.last_value, value);
  }

  const from = new Date(Date.now() - 3600e3), to = new Date(Date.now() + 60e3);
  const raw = await until("raw history", () =>
    series.seriesV2BatchQueryRaw({ resp_version: 1, requests: [{ q: "property." + number.id, from, to, sort: "ASC", series_limit: 86400 }] }),
    (a) => a.responses[0].count_values === 2);
  assert.deepEqual(raw.responses[0].values, [21.5, -3]);
  const bins = await series.seriesV2BatchQuery({ resp_version: 1, requests: [{ q: "property." + number.id, from, to, interval: 86400, aggregation: "MIN" }] });
  assert.equal(Math.min(...bins.responses[0].values), -3);
  const sampled = await series.seriesV2BatchQuerySampling({ resp_version: 1, requests: [{ q: "property." + text.id, from, to }] });
  assert.deepEqual(sampled.responses[0].values, ["ciao, città"]);

  await tags.thingsV2TagsUpsert(thing.id, { key: "room", value: "lab" });
  const tagged = await things.thingsV2List({ tags: ["room:lab"], showProperties: true });
  assert.deepEqual(tagged.map((t) => t.id), [thing.id]);
  assert.equal(tagged[0].properties.length, 4);

  const listed = await devices.devicesV2List({});
  assert.ok(listed.some((d) => d.id === device.id && d.thing && d.thing.id === thing.id));

  await properties.propertiesV2Delete(thing.id, text.id);
  await things.thingsV2Delete(thing.id, {});
  await devices.devicesV2Delete(device.id, {});
  await assert.rejects(things.thingsV2Show(thing.id, {}), (e) => e.status === 404);
  console.log("ok");
}

main().catch((e) => {
  console.error(e.response ? e.response.text : e);
  process.exit(1);
});
