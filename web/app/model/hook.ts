// Webhooks of things and of devices as the API tells of them: to those who may change them, and to nobody else.
import { call, Problem } from "../api";
import { forget } from "../data";
import { updateThing } from "./thing";

export interface Health {
  state: "ok" | "failing" | "disabled" | "off";
  queued: number;
  dropped: number;
  dead: number;
  delivered: number;
  tries: number;
  next_at: string | null;
  failing_since: string | null;
  disabled_at: string | null;
  last_at: string | null;
  last_status: number | null;
  last_result?: "taken" | "later" | "unasked" | "banned";
}

export interface Hook {
  id: string;
  thing_id?: string; // one of these: whose it is
  device_id?: string;
  uri: string;
  active: boolean;
  secret: string;
  old_secret_until: string | null;
  health: Health;
  created_at: string;
}

// An Owner is what a webhook is told of: a thing, or a device and whatever thing that has.
export type Owner = { thing: string } | { device: string };

// mostOfDevice is how many webhooks a device has at most; a thing has one.
export const mostOfDevice = 10;

const ofThing = (id: string): string => `/v1/things/${encodeURIComponent(id)}/webhook`;
const ofDevice = (id: string): string => `/v1/devices/${encodeURIComponent(id)}/webhooks`;
const devices = (id: string): string => `/iot/v2/devices/${encodeURIComponent(id)}/webhooks`;
const own = (h: Hook): string => (h.thing_id ? ofThing(h.thing_id) : `${ofDevice(h.device_id ?? "")}/${encodeURIComponent(h.id)}`);

// listHooks are the webhook of a thing and those of a device, of which either may be "": nobody.
export async function listHooks(thing: string, device: string, signal?: AbortSignal): Promise<Hook[]> {
  const more = signal ? { signal } : {};
  const [one, others] = await Promise.all([thing && orNothing(call<Hook>(ofThing(thing), more)), device && orNothing(call<Hook[]>(ofDevice(device), more))]);
  return [...(one ? [one] : []), ...(others || [])];
}

// orNothing is an answer, or nothing where what it is about is not there: it may have gone meanwhile.
async function orNothing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (err) {
    if (err instanceof Problem && err.status === 404) return undefined;
    throw err;
  }
}

// addHook makes a webhook that is on, and gives it with its key; nothing where somebody has removed it since.
export async function addHook(of: Owner, uri: string): Promise<Hook | undefined> {
  if ("thing" in of) {
    await updateThing(of.thing, { webhook_uri: uri, webhook_active: true });
    return (await listHooks(of.thing, ""))[0];
  }
  const made = changed(await call<{ id: string }>(devices(of.device), { method: "PUT", body: { uri, active: true } }));
  return (await listHooks("", of.device)).find((h) => h.id === made.id);
}

export async function moveHook(h: Hook, uri: string): Promise<void> {
  if (h.thing_id) await updateThing(h.thing_id, { webhook_uri: uri });
  else changed(await call<Hook>(own(h), { method: "POST", body: { uri } }));
}

export async function turnHook(h: Hook, active: boolean): Promise<void> {
  if (h.thing_id) await updateThing(h.thing_id, { webhook_active: active });
  else changed(await call<Hook>(own(h), { method: "POST", body: { active } }));
}

// newKey gives a webhook another key; the old one signs beside it for a day.
export const newKey = (h: Hook): Promise<Hook> => call(own(h) + "/secret", { method: "POST" });

export async function deleteHook(h: Hook): Promise<void> {
  if (h.thing_id) await updateThing(h.thing_id, { webhook_uri: "", webhook_active: false });
  else changed(await call<void>(`${devices(h.device_id ?? "")}/${encodeURIComponent(h.id)}`, { method: "DELETE" }));
}

const longest = 48; // of a name

// nameOf is what a webhook is called: its address, without what is long.
export function nameOf(uri: string): string {
  let name = uri;
  try {
    const { host, pathname } = new URL(uri);
    name = host + (pathname === "/" ? "" : pathname);
  } catch {
    // It is shown as it is.
  }
  return name.length > longest ? name.slice(0, longest) + "…" : name;
}

function changed<T>(what: T): T {
  forget("device:");
  return what;
}
