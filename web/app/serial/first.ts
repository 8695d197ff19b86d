// The first generation of provisioning: the board makes a key in its secure element and a request for a certificate, the
// server signs that, and the parts of the certificate are written into the element (device-protocol, binary sketch).
import { pause } from "../api";
import { createDevice, deleteDevice } from "../model/device";
import { certify } from "../model/onboarding";
import { data, request, transmit } from "./frame";
import { Line, type Port, trouble } from "./line";

const baud = 57_600;
const ack = 2;
const years = "31"; // that boards' certificates are valid for

// How long is waited, in ms, as Arduino's own tool does.
const patience = { start: 2_000, answer: 10_000, key: 30_000, store: 1_000, settle: 2_000 } as const;

const commands = { csr: 2, begin: 6, year: 8, month: 9, day: 10, hour: 11, validity: 12, serial: 13, authority: 14, signature: 15, end: 16, build: 17 } as const;

export type Step = "create" | "key" | "sign" | "write";

export interface Wish {
  name: string;
  type: string;
  fqbn: string;
}

// bringIn makes the board behind a port a device and gives its id. On an error the device is taken back; the port is closed.
export async function bringIn(port: Port, w: Wish, step: (s: Step) => void, left: AbortSignal): Promise<string> {
  const line = await Line.open(port, baud);
  try {
    step("create");
    await pause(patience.start, left); // the board may start anew when its port is opened
    const device = await createDevice(w);
    try {
      await certified(line, device.id, step, left);
    } catch (err) {
      await deleteDevice(device.id, true).catch(() => undefined);
      throw err;
    }
    return device.id;
  } finally {
    await line.close();
  }
}

async function certified(line: Line, device: string, step: (s: Step) => void, left: AbortSignal): Promise<void> {
  const text = new TextEncoder();
  const tell = async (which: number, more: Uint8Array = new Uint8Array(0)): Promise<void> => {
    await line.write({ type: request, payload: new Uint8Array([which, ...more]) });
    for (;;) {
      const f = await line.next(patience.answer, left);
      if (!f) throw trouble("silent");
      if (f.type !== transmit) continue;
      if (f.payload[0] !== ack) throw trouble("sign", { step: which });
      return;
    }
  };
  step("key");
  line.forget();
  await line.write({ type: request, payload: new Uint8Array([commands.csr, ...text.encode(device)]) });
  const csr = await answer(line, left);
  step("sign");
  const c = (await certify(device, csr)).compressed;
  step("write");
  await tell(commands.begin);
  for (const [which, said] of [
    [commands.year, c.not_before.slice(0, 4)],
    [commands.month, c.not_before.slice(5, 7)],
    [commands.day, c.not_before.slice(8, 10)],
    [commands.hour, c.not_before.slice(11, 13)],
    [commands.validity, years],
  ] as const)
    await tell(which, text.encode(said));
  await tell(commands.serial, hex(c.serial));
  await tell(commands.authority, hex(c.authority_key_identifier));
  await tell(commands.signature, hex(c.signature));
  await pause(patience.store, left);
  await tell(commands.end);
  await pause(patience.settle, left);
  await tell(commands.build);
}

// answer waits for the board's request, which takes a while: it makes a key first.
async function answer(line: Line, left: AbortSignal): Promise<string> {
  for (const until = Date.now() + patience.key; ; ) {
    const f = await line.next(until - Date.now(), left);
    if (!f) throw trouble("silent");
    if (f.type === data) return new TextDecoder().decode(f.payload);
    if (f.type === transmit && f.payload[0] !== ack) throw trouble("sign", { step: commands.csr });
  }
}

function hex(s: string): Uint8Array {
  return new Uint8Array((s.match(/../g) ?? []).map((two) => parseInt(two, 16)));
}
