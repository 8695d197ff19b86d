// Messages of the second generation of provisioning: a CBOR tag and an array (sdk/go/provision has all of them in Go).
import { decode, encode, type Item } from "./cbor";

export interface Network {
  ssid: string;
  rssi: number; // dBm
}

// A Message is what a board says that this page acts on. text is a version, a key in PEM or a token, by its kind.
export type Message =
  | { kind: "status"; status: number }
  | { kind: "networks"; networks: Network[] }
  | Bytes<"id">
  | Bytes<"mac">
  | Text<"token">
  | Text<"radio">
  | Text<"sketch">
  | Text<"key">;

interface Bytes<K extends string> {
  kind: K;
  bytes: Uint8Array;
}

interface Text<K extends string> {
  kind: K;
  text: string;
}

export type Kind = Message["kind"];

// What a board is, or what went wrong there: below zero.
export const status = { connecting: 1, connected: 2, reset: 4, failed: -1, missing: -4, unknown: -7 } as const;

// Commands.
export const commands = { connect: 1, identify: 2, mac: 3, reset: 4, scan: 100, radio: 101, sketch: 200 } as const;

// Bounds of texts, in bytes; a board would not take more.
export const bounds = { ssid: 32, wifi: 63, pin: 8, apn: 100, login: 64 } as const;

const maxNetworks = 20;
const maxKey = 1024;
const maxToken = 268;
const maxText = 64;

// read reads a message; undefined for one that nobody here knows, or that is not whole. Fields behind the known ones are
// skipped, since newer boards may send more.
export function read(wire: Uint8Array): Message | undefined {
  const m = decode(wire);
  if (!m) return undefined;
  const [first] = m.items;
  switch (m.tag) {
    case 0x012000:
      return typeof first === "number" && first >= -32768 && first < 32768 ? { kind: "status", status: first } : undefined;
    case 0x012001:
      return networks(m.items);
    case 0x012010:
      return bytes("id", first, 32);
    case 0x012011:
      return token(first);
    case 0x012013:
      return bytes("mac", first, 6);
    case 0x012014:
      return text("radio", first, maxText);
    case 0x012015:
      return text("sketch", first, maxText);
    case 0x012017:
      return text("key", first, maxKey);
  }
  return undefined;
}

function networks(items: Item[]): Message | undefined {
  if (items.length % 2 || items.length > 2 * maxNetworks) return undefined;
  const all: Network[] = [];
  for (let i = 0; i < items.length; i += 2) {
    const [ssid, rssi] = [items[i], items[i + 1]];
    if (typeof ssid !== "string" || typeof rssi !== "number") return undefined;
    all.push({ ssid, rssi });
  }
  return { kind: "networks", networks: all };
}

const bytes = (kind: "id" | "mac", v: Item | undefined, n: number): Message | undefined => (v instanceof Uint8Array && v.length === n ? ({ kind, bytes: v } as Message) : undefined);

const text = (kind: "radio" | "sketch" | "key", v: Item | undefined, most: number): Message | undefined =>
  typeof v === "string" && v.length <= most ? ({ kind, text: v } as Message) : undefined;

// token is bytes of a text, which boards pad.
function token(v: Item | undefined): Message | undefined {
  if (!(v instanceof Uint8Array) || v.length > maxToken) return undefined;
  const said = new TextDecoder().decode(v).replace(/\0+$/, "");
  return /^[\x21-\x7e]+$/.test(said) ? { kind: "token", text: said } : undefined;
}

// What this page says to boards.

export const timestamp = (seconds: number): Uint8Array => encode({ tag: 0x012002, items: [seconds] });

export const command = (which: number): Uint8Array => encode({ tag: 0x012003, items: [which] });

// A Net is how a board is to be connected, and to what; the password of each is told to the board and to nobody else.
export type Net =
  | { way: "wifi"; ssid: string; password: string }
  | { way: "eth" }
  | { way: "gsm" | "nb" | "catm1" | "cellular"; pin: string; apn: string; login: string; password: string };

const cellularTags = { gsm: 0x012006, nb: 0x012007, cellular: 0x012012 } as const;

export function network(n: Net): Uint8Array {
  switch (n.way) {
    case "wifi":
      return encode({ tag: 0x012004, items: [n.ssid, n.password] });
    case "eth": {
      const asked = new Uint8Array(0); // addresses are asked of the network
      return encode({ tag: 0x012009, items: [asked, asked, asked, asked, 0, 0] });
    }
    case "catm1":
      return encode({ tag: 0x012008, items: [n.pin, [], n.apn, n.login, n.password] });
  }
  return encode({ tag: cellularTags[n.way], items: [n.pin, n.apn, n.login, n.password] });
}

// fits says whether a text has at most so many bytes.
export const fits = (s: string, most: number): boolean => new TextEncoder().encode(s).length <= most;
