// The second generation of provisioning: the board signs a token with its own key, a person claims it with that and tells
// it the network, and the board fetches its certificate by itself (sdk/go/provision/client.go has the same steps).
import { pause, Problem } from "../api";
import { arrived, claim, drop } from "../model/onboarding";
import { serverTime } from "../model/place";
import { data, transmit } from "./frame";
import { Line, type Port, trouble } from "./line";
import { command, commands, type Kind, type Message, type Net, type Network, network, read, status, timestamp } from "./message";

const baud = 9600;

// How long is waited, in ms.
const patience = { greeting: 15_000, again: 5_000, answer: 30_000, network: 200_000, poll: 2_000, arrival: 200_000 } as const;

const unanswered = 30_000; // ms for which a message is kept to be sent again
const maxUnanswered = 16;

// What a frame of type transmit says.
const hello = 1;
const bye = 2;
const nack = 3;

export type Step = "greet" | "identify" | "claim" | "network" | "join" | "arrive";

// Least are the oldest versions that will do, "" for any.
export interface Least {
  sketch: string;
  radio: string;
}

// Wish is what somebody says of the board.
export interface Wish {
  name: string;
  net: Net;
  vid: string;
  pid: string;
}

type Of<K extends Kind> = Extract<Message, { kind: K }>;

// A Conversation is with one board, until it is closed.
export class Conversation {
  networks: Network[] = []; // that the board sees, the strongest first
  private mac = "";
  private sent: { payload: Uint8Array; at: number }[] = []; // what the board has not answered yet

  private constructor(
    private readonly line: Line,
    private readonly left: AbortSignal,
  ) {
    line.garbled = () => void this.say(nack).catch(() => undefined); // the board sends again what is missing
    line.take = (f) => {
      if (f.type === data) this.sent = []; // it has heard us
      if (f.type !== transmit || f.payload[0] !== nack) return false;
      for (const s of this.sent) if (Date.now() - s.at < unanswered) void line.write({ type: data, payload: s.payload }).catch(() => undefined);
      return true;
    };
  }

  // meet finds out whether the board speaks this, is new enough, and what it sees.
  static async meet(port: Port, least: Least, left: AbortSignal): Promise<Conversation> {
    const c = new Conversation(await Line.open(port, baud), left);
    try {
      await c.greet();
      const sketch = await c.ask("sketch", commands.sketch).catch((err: unknown) => {
        if (isStatus(err, status.unknown)) throw trouble("old");
        throw err;
      });
      if (older(sketch.text, least.sketch)) throw trouble("old");
      const radio = await c.ask("radio", commands.radio).catch((err: unknown) => {
        if (isStatus(err, status.unknown)) return undefined; // it has no Wi-Fi
        throw err;
      });
      if (radio && older(radio.text, least.radio)) throw trouble("radio", { have: radio.text, need: least.radio });
      c.mac = [...(await c.ask("mac", commands.mac)).bytes].map((b) => b.toString(16).padStart(2, "0").toUpperCase()).join(":");
      return c;
    } catch (err) {
      await c.close();
      throw err;
    }
  }

  // bringIn makes the board a device and gives its id. What was begun at the server and came to nothing is taken back.
  async bringIn(w: Wish, step: (s: Step) => void): Promise<string> {
    const claimed = await this.claimed(w, step).catch(async (err: unknown) => {
      // A token counts once, and one of the same second is the same.
      if (!(err instanceof Problem) || err.code !== "board-token-used") throw err;
      await pause(1100, this.left);
      return this.claimed(w, step);
    });
    try {
      await this.join(w.net, step);
      step("arrive");
      return await this.arrive(claimed);
    } catch (err) {
      await drop(claimed).catch(() => undefined); // a day later the server does that by itself
      throw err;
    }
  }

  // claimed has the board say who it is, and claims it.
  private async claimed(w: Wish, step: (s: Step) => void): Promise<string> {
    step("identify");
    this.line.forget();
    await this.send(timestamp(Math.floor((await serverTime()) / 1000))); // this machine's own clock may be wrong
    const key = (await this.ask("key", commands.identify)).text;
    const id = [...(await this.await("id", patience.answer)).bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
    const token = (await this.await("token", patience.answer)).text;
    step("claim");
    return claim(
      { ble_mac: this.mac, board_token: token, connection_type: w.net.way, device_name: w.name },
      { pid: w.pid, vid: w.vid, public_key: key, serial: "", unique_hardware_id: id },
    );
  }

  close(): Promise<void> {
    return this.line.close();
  }

  // greet says that somebody is there until the board says something: some start anew when their port is opened.
  private async greet(): Promise<void> {
    const until = Date.now() + patience.greeting;
    while (Date.now() < until) {
      await this.say(hello);
      const m = await this.receive(patience.again);
      if (m?.kind === "networks") this.networks = m.networks.filter((n) => n.ssid.trim()).sort((a, b) => b.rssi - a.rssi);
      if (m) return;
    }
    throw trouble("silent");
  }

  private async join(net: Net, step: (s: Step) => void): Promise<void> {
    step("network");
    await this.expect(commands.reset, status.reset);
    await this.send(network(net));
    step("join");
    await this.expect(commands.connect, status.connecting);
    while ((await this.await("status", patience.network)).status !== status.connected);
  }

  private async arrive(claimed: string): Promise<string> {
    for (const until = Date.now() + patience.arrival; Date.now() < until; ) {
      const device = await arrived(claimed, this.left);
      if (device) return device;
      await pause(patience.poll, this.left);
    }
    throw trouble("late");
  }

  private say(what: number): Promise<void> {
    return this.line.write({ type: transmit, payload: new Uint8Array([what]) });
  }

  private async send(payload: Uint8Array): Promise<void> {
    this.sent = [...this.sent.slice(1 - maxUnanswered), { payload, at: Date.now() }];
    await this.line.write({ type: data, payload });
  }

  // receive waits for a message; undefined: none came. What nobody can read would be no better if it were sent again.
  private async receive(wait: number): Promise<Message | undefined> {
    for (const until = Date.now() + wait; ; ) {
      const f = await this.line.next(until - Date.now(), this.left);
      if (!f) return undefined;
      if (f.type === transmit && f.payload[0] === bye) throw trouble("lost");
      const m = f.type === data ? read(f.payload) : undefined;
      if (m) return m;
    }
  }

  // await waits for a message of one kind; what else comes is skipped, but a status that says what went wrong.
  private async await<K extends Kind>(kind: K, wait: number): Promise<Of<K>> {
    for (const until = Date.now() + wait; ; ) {
      const m = await this.receive(until - Date.now());
      if (!m) throw trouble("silent");
      if (m.kind === "status" && m.status < 0) throw new Refusal(m.status);
      if (m.kind === kind) return m as Of<K>;
    }
  }

  private async ask<K extends Kind>(kind: K, which: number): Promise<Of<K>> {
    await this.send(command(which));
    return this.await(kind, patience.answer);
  }

  private async expect(which: number, want: number): Promise<void> {
    await this.send(command(which));
    while ((await this.await("status", patience.answer)).status !== want);
  }
}

// A Refusal is a status by which a board says that it does not do something.
export class Refusal extends Error {
  constructor(readonly status: number) {
    super("the board says " + status);
  }
}

const isStatus = (err: unknown, which: number): boolean => err instanceof Refusal && err.status === which;

// inWords makes of what a board said a problem that says what to do.
export function inWords(err: unknown): unknown {
  if (!(err instanceof Refusal)) return err;
  return err.status === status.failed || err.status === -3 || err.status === -8 ? trouble("network") : trouble("board", { status: err.status });
}

// older says whether a version comes before another one; what cannot be read does. Any is new enough for "".
export function older(version: string, least: string): boolean {
  if (!least) return false;
  const have = version.split(".").map(Number);
  for (const [i, need] of least.split(".").map(Number).entries()) {
    const n = have[i];
    if (n === undefined || Number.isNaN(n) || n < need) return true;
    if (n > need) return false;
  }
  return false;
}
