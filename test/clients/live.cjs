// arduino-iot-js, unmodified, both ways at once: a device with id and secret key, and
// its owner with an API key, in a browser's kind of session.
const assert = require("node:assert/strict");
const { ArduinoIoTCloud } = require("arduino-iot-js");

const { API, HOST, WSS_PORT, PASSWORD_PORT, CLIENT_ID, CLIENT_SECRET, DEVICE, SECRET, THING } = process.env;

function next(what) {
  let done;
  const promise = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("nothing arrived: " + what)), 15000);
    done = (v) => { clearTimeout(timer); resolve(v); };
  });
  return [promise, done];
}

async function main() {
  const owner = () => ArduinoIoTCloud.connect({
    clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, apiUrl: API + "/iot/v1/clients/token", host: HOST, port: WSS_PORT,
  });
  const first = await owner();
  const second = await owner(); // the same client id: neither may push the other out
  const device = await ArduinoIoTCloud.connect({ deviceId: DEVICE, secretKey: SECRET, host: HOST, port: PASSWORD_PORT });

  const seen = { first: [], second: [], device: [], color: [], level: [], message: [] };
  let wake = () => {};
  first.onPropertyValue(THING, "temperature", (v) => { seen.first.push(v); wake(); });
  second.onPropertyValue(THING, "temperature", (v) => { seen.second.push(v); wake(); });
  device.onPropertyValue("lamp", (v) => { seen.device.push(v); wake(); });
  for (const name of ["color", "level", "message"]) device.onPropertyValue(name, (v) => { seen[name].push(v); wake(); });
  const until = async (what, right) => {
    const [late, end] = next(what + " " + JSON.stringify(seen));
    wake = () => { if (right()) end(); };
    wake();
    await late;
  };
  // What is sent before a subscription stands is not repeated: a marker shows that it does.
  const marker = setInterval(() => device.sendProperty("temperature", 1), 200);
  await until("the marker", () => seen.first.includes(1) && seen.second.includes(1));
  clearInterval(marker);

  await device.sendProperty("temperature", 21.5);
  await until("a board's value", () => seen.first.includes(21.5) && seen.second.includes(21.5));

  await first.sendProperty(THING, "lamp", true);
  await until("an owner's write", () => seen.device.includes(true));

  // Numbers, texts and objects go down too: whole, in part, and as the type has them.
  await first.sendProperty(THING, "level", 7);
  await first.sendProperty(THING, "message", "città");
  await first.sendProperty(THING, "color", { hue: 120, sat: 30, bri: 60 });
  await until("numbers, texts and objects", () => seen.level.includes(7) && seen.message.includes("città") &&
    seen.color.some((c) => c.hue === 120 && c.sat === 30 && c.bri === 60));

  await device.sendProperty("color", { hue: 210, sat: 50, bri: 75 });
  await Promise.all([first.disconnect(), second.disconnect()]);
  console.log("ok");
  process.exit(0);
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
