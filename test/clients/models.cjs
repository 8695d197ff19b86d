// What the programs that call operations of @arduino/arduino-iot-client share: signing in, and holding
// each answer against the client's own models before the client reads it.
const assert = require("node:assert/strict");
const iot = require("@arduino/arduino-iot-client");

// Keys that the API has and this version of the client does not yet know.
const newer = { ArduinoCredentialsv1: ["max_length"], ArduinoDevicev2: ["locked"], ArduinoThing: ["source_template"] };

// check compares what came with a model of the client, all the way down where deep says which key has which model.
function check(what, value, model, deep = {}) {
  if (Array.isArray(model)) {
    assert.ok(Array.isArray(value), what + " is no list: " + JSON.stringify(value));
    for (const [i, one] of value.entries()) check(what + "[" + i + "]", one, model[0], deep);
    return;
  }
  if (typeof model.validateJSON === "function") model.validateJSON(value);
  const known = Object.keys(model.prototype).concat(newer[model.name] || []);
  if (known.length === 0) return; // a list or a value of any kind
  for (const key of Object.keys(value)) {
    assert.ok(known.includes(key), what + " has a key that the client does not know: " + key);
    const below = deep[model.name + "." + key];
    if (below) check(what + "." + key, value[key], below, deep);
  }
}

// session signs in with an API key. call runs an operation and checks the body as it came; called are the
// operations so far.
async function session(API, id, secret, scope, deep) {
  const client = new iot.ApiClient(API);
  const answer = await fetch(API + "/iot/v1/clients/token", {
    method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ grant_type: "client_credentials", client_id: id, client_secret: secret, audience: "https://api2.arduino.cc/iot" }),
  });
  client.authentications.oauth2.accessToken = (await answer.json()).access_token;
  const apis = Object.fromEntries(scope.map((name) => [name, new iot[name](client)]));
  const called = new Set();
  async function call(api, operation, model, ...given) {
    called.add(api + "." + operation);
    let got;
    try {
      got = await apis[api][operation + "WithHttpInfo"](...given);
    } catch (e) {
      throw new Error(api + "." + operation + ": " + (e.response ? e.status + " " + e.response.text : e.stack));
    }
    if (model === null) {
      assert.equal(got.response.text || "", "", operation + " answers a body");
      return undefined;
    }
    // Exactly the media type that the client asks for.
    const asked = got.response.request.header.Accept;
    if (asked !== "application/json") assert.equal(got.response.headers["content-type"], asked, operation);
    if (model === Object) return JSON.parse(got.response.text); // this version of the client has no model of it
    check(operation, JSON.parse(got.response.text), model, deep);
    return got.data;
  }
  return { apis, call, called };
}

const status = (promise, want) => assert.rejects(promise, (e) => e.status === want);

// complete says whether every operation of the given parts of the client was called.
function complete(scope, called) {
  for (const api of scope)
    for (const operation of Object.getOwnPropertyNames(iot[api].prototype))
      if (operation !== "constructor" && !operation.endsWith("WithHttpInfo")) assert.ok(called.has(api + "." + operation), api + "." + operation + " was not called");
}

module.exports = { session, status, complete };
