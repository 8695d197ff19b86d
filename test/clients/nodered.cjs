// The requests of Node-RED's Arduino nodes 1.1.0, in the order in which its flow sends them: that
// package is not among those npm serves, so its calls are made here with the libraries that it makes
// them with. A flow of five nodes: property in, out, in poll, in hist, in push.
const assert = require("node:assert/strict");
const mqtt = require("mqtt");
const jws = require("jws");
const CBOR = require("@arduino/cbor-js");
const iot = require("@arduino/arduino-iot-client");

const { API, WSS_PORT, CLIENT_ID, CLIENT_SECRET, SPACE, THING, DEVICE, TEMPERATURE, LAMP } = process.env;

iot.ApiClient.instance.basePath = API; // its API_BASE_PATH
const oauth2 = iot.ApiClient.instance.authentications.oauth2;
const things = new iot.ThingsV2Api(), properties = new iot.PropertiesV2Api(), series = new iot.SeriesV2Api();

// Its token: form-encoded, the space in a header (and so in the token).
async function token() {
  const answer = await fetch(API + "/iot/v1/clients/token", { // its NODE_RED_ACCESS_TOKEN_URI
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", "X-Organization": SPACE },
    body: new URLSearchParams({
      grant_type: "client_credentials", client_id: CLIENT_ID, client_secret: CLIENT_SECRET, audience: "https://api2.arduino.cc/iot",
    }),
  });
  assert.equal(answer.status, 200);
  const { access_token, expires_in } = await answer.json();
  assert.equal(typeof expires_in, "number"); // it sets a timer by it
  return access_token;
}

// Its way of each call: as it is; and once more with a new token when the answer is exactly 401.
const refused = [];
async function rest(call) {
  try {
    return await call();
  } catch (e) {
    if (e.status !== 401) throw e;
    refused.push(e.status);
    oauth2.accessToken = await token();
    return call();
  }
}

// Dates with the local offset, as moment().format() writes them.
function local(date, hours) {
  const there = new Date(date.getTime() + hours * 3600e3).toISOString().slice(0, 19);
  return there + (hours < 0 ? "-" : "+") + String(Math.abs(hours)).padStart(2, "0") + ":00";
}

// Its property in: a session of the user's, values by name, the parts of objects put together.
async function propertyIn(variables) {
  const bearer = await token();
  const user = jws.decode(bearer).payload["http://arduino.cc/id"];
  assert.ok(user, "the strict parser of tokens reads a user");
  const session = mqtt.connect(`wss://wss.localhost:${WSS_PORT}/mqtt`, {
    clientId: `${user}:${Date.now()}`, username: user, password: bearer, properties: {}, protocolVersion: 4, connectTimeout: 30000, keepalive: 30,
  });
  await new Promise((resolve, reject) => session.on("connect", resolve).on("error", reject));
  session.on("message", (topic, bytes) => {
    assert.equal(topic, `/a/t/${THING}/e/o`);
    for (const r of CBOR.decode(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))) {
      const name = r.n ?? r["0"], seen = variables[name.split(":")[0]];
      if (seen) seen(r.v ?? r["2"] ?? r.vs ?? r["3"] ?? r.vb ?? r["4"]);
    }
  });
  await new Promise((resolve, reject) => session.subscribe(`/a/t/${THING}/e/o`, (e) => (e ? reject(e) : resolve())));
  return session;
}

async function until(what, right) {
  for (const end = Date.now() + 15000; !right(); ) {
    assert.ok(Date.now() < end, what);
    await new Promise((r) => setTimeout(r, 20));
  }
}

async function main() {
  const opts = { xOrganization: SPACE };

  // The editor fills its lists; its very first call bears no token.
  const listed = await rest(() => things.thingsV2List(opts));
  assert.deepEqual(refused, [401]);
  assert.ok(listed.some((t) => t.id === THING && t.name === "Flow"));
  const shown = await rest(() => things.thingsV2Show(THING, { ...opts, showProperties: true }));
  assert.deepEqual(shown.properties.map((p) => p.variable_name).sort(), ["lamp", "temperature"]);

  // In, and out as the cloud's writer and as the device ("send as device").
  const seen = { temperature: [], lamp: [] };
  const session = await propertyIn({ temperature: (v) => seen.temperature.push(v), lamp: (v) => seen.lamp.push(v) });
  for (let n = 1; n <= 5; n++) {
    await rest(() => properties.propertiesV2Publish(THING, TEMPERATURE, { value: 20 + n / 10, device_id: DEVICE }, opts));
  }
  await until("in hears what out sends as the device: " + seen.temperature, () => seen.temperature.length === 5);
  seen.temperature.forEach((v, i) => assert.ok(Math.abs(v - (20 + (i + 1) / 10)) < 1e-4, "value " + i + " is " + v));
  await rest(() => properties.propertiesV2Publish(THING, LAMP, JSON.stringify({ value: true }), opts)); // it sends text
  await until("in hears what out sends", () => seen.lamp.includes(true));

  // In poll and in push: the property as it is now.
  const now = await rest(() => properties.propertiesV2Show(THING, TEMPERATURE, opts));
  assert.equal(now.name, "temperature");
  assert.ok(Math.abs(now.last_value - 20.5) < 1e-4);
  assert.ok(Date.now() - new Date(now.value_updated_at) < 60e3);

  // In hist: a window up to now, with offsets, and more values asked for than the document allows.
  const end = new Date(Date.now() + 1000);
  for (const hours of [2, -7, 0]) {
    const answer = await rest(() => series.seriesV2BatchQueryRaw({
      requests: [{ q: "property." + TEMPERATURE, from: local(new Date(end - 3600e3), hours), to: local(end, hours), sort: "ASC", series_limit: 86400 }],
      resp_version: 1,
    }, opts));
    const { times, values } = answer.responses[0];
    assert.equal(values.length, 5, "offset " + hours);
    assert.equal(times.length, 5);
    assert.ok(values.every((v, i) => Math.abs(v - (20 + (i + 1) / 10)) < 1e-4), "in order: " + values);
    assert.ok(times.every((t) => Math.abs(new Date(t) - end) < 120e3));
  }

  // It closes a node: unsubscribed, and gone without a word.
  await new Promise((resolve, reject) => session.unsubscribe(`/a/t/${THING}/e/o`, (e) => (e ? reject(e) : resolve())));
  session.end();
  console.log("ok");
  process.exit(0);
}

main().catch((e) => {
  console.error(e.response?.text ?? e);
  process.exit(1);
});
