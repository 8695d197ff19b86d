// The newest value of each property that was ever on screen, from whichever side it came: an answer of the API or the
// stream. The later one counts.
import { batch, type Signal, signal } from "@preact/signals";
import type { Value } from "../live";
import type { DeviceStatus } from "./device";

export interface Last {
  value: unknown;
  at: string; // when the device said it; "" never
}

const values = new Map<string, Signal<Last>>();
const statuses = new Map<string, Signal<{ status: DeviceStatus; at: number }>>();

const never: Last = { value: null, at: "" };

// lastOf is the newest value of a property, by its ID.
export function lastOf(property: string): Signal<Last> {
  let found = values.get(property);
  if (!found) values.set(property, (found = signal(never)));
  return found;
}

// learn takes values out of an answer.
export function learn(all: { id: string; last_value: unknown; value_updated_at?: string }[]): void {
  for (const p of all) if (p.value_updated_at) put(p.id, p.last_value, p.value_updated_at);
}

// What came from the stream since the last frame. However much comes, pages change once a frame.
const heard = new Map<string, Value>();
let planned = false;

// hear takes values from the stream. They are shown with the next frame, or at once where nobody looks and there are no frames.
export function hear(all: Value[]): void {
  for (const v of all) {
    const before = heard.get(v.property);
    if (!before || Date.parse(v.at) >= Date.parse(before.at)) heard.set(v.property, v);
  }
  if (planned) return;
  planned = true;
  if (document.visibilityState === "visible") requestAnimationFrame(show);
  else setTimeout(show);
}

function show(): void {
  planned = false;
  batch(() => {
    for (const v of heard.values()) put(v.property, v.value, v.at);
  });
  heard.clear();
}

function put(property: string, value: unknown, at: string): void {
  const last = lastOf(property);
  if (!last.peek().at || Date.parse(at) >= Date.parse(last.peek().at)) last.value = { value, at };
}

// statusOf is whether a device is connected, by its ID; what the stream said after the list was asked for counts more.
export function statusOf(device: string, told: DeviceStatus): DeviceStatus {
  return statuses.get(device)?.value.status ?? told;
}

export function learnStatuses(all: { id: string; device_status: DeviceStatus }[], asked: number): void {
  for (const d of all) putStatus(d.id, d.device_status, asked);
}

export function hearStatuses(all: { device: string; status: DeviceStatus }[]): void {
  for (const s of all) putStatus(s.device, s.status, Date.now());
}

function putStatus(device: string, status: DeviceStatus, at: number): void {
  const found = statuses.get(device);
  if (!found) statuses.set(device, signal({ status, at }));
  else if (at >= found.peek().at) found.value = { status, at };
}
