// Things and their properties as the API tells of them.
import { call } from "../api";
import { forget } from "../data";
import { typeNames } from "../text";
import { learn } from "./values";

export interface Schedule {
  active: boolean;
  repeat: string;
  next_on: string | null;
  next_off: string | null;
}

export interface Property {
  id: string;
  name: string;
  variable_name: string;
  type: string;
  permission: "READ_ONLY" | "READ_WRITE";
  update_strategy: "ON_CHANGE" | "TIMED";
  update_parameter: number;
  persist: boolean;
  min_value?: number;
  max_value?: number;
  last_value: unknown;
  value_updated_at?: string;
  schedule?: Schedule;
  sync_id?: string;
  linked_to_trigger: boolean;
  thing_id: string;
  tag: number;
}

export interface Thing {
  id: string;
  name: string;
  timezone: string;
  created_at: string;
  updated_at: string;
  deleted_at?: string;
  device_id?: string;
  device_name?: string;
  device_type?: string;
  device_fqbn?: string;
  user_id: string;
  properties?: Property[];
  properties_count: number;
  tags: Record<string, string>;
  webhook_active: boolean;
  webhook_uri?: string;
}

export interface Type {
  type: string;
  name: string;
  declaration: string;
  deprecated: boolean;
  rw: boolean;
  supersededBy?: string;
  tags: string[];
  units: string[];
}

export interface PropertyWish {
  name: string;
  variable_name?: string;
  type: string;
  permission: "READ_ONLY" | "READ_WRITE";
  update_strategy: "ON_CHANGE" | "TIMED";
  update_parameter: number;
  persist: boolean;
  min_value?: number;
  max_value?: number;
}

export interface Program {
  name: string;
  language: string;
  board?: string;
  files: { name: string; text: string; keep: boolean }[];
  hooks: { name: string; in: string; text: string }[];
}

const all = "/iot/v2/things";
const one = (id: string): string => `${all}/${encodeURIComponent(id)}`;
const property = (thing: string, id: string): string => `${one(thing)}/properties/${encodeURIComponent(id)}`;

export async function listThings(signal?: AbortSignal, deleted = false): Promise<Thing[]> {
  const list = await call<Thing[]>(all, { query: { show_properties: true, show_deleted: deleted || undefined }, ...(signal && { signal }) });
  for (const t of list) learn(t.properties ?? []);
  return list;
}

export async function getThing(id: string, signal?: AbortSignal): Promise<Thing> {
  const t = await call<Thing>(one(id), { query: { show_deleted: true }, ...(signal && { signal }) });
  learn(t.properties ?? []);
  return t;
}

export interface ThingWish {
  name?: string;
  timezone?: string;
  device_id?: string;
  properties?: PropertyWish[];
  tags?: { key: string; value: string }[];
  webhook_uri?: string; // "" takes it away
  webhook_active?: boolean;
}

// createThing makes a thing; with take, a device that another thing has is moved here.
export async function createThing(t: ThingWish, take = false): Promise<Thing> {
  return changed(await call<Thing>(all, { method: "PUT", body: t, query: { force: take || undefined } }));
}

export async function updateThing(id: string, t: ThingWish, take = false): Promise<Thing> {
  return changed(await call<Thing>(one(id), { method: "POST", body: t, query: { force: take || undefined } }));
}

// restoreThing brings a deleted one back: any change does.
export const restoreThing = (id: string): Promise<Thing> => updateThing(id, {});

export async function deleteThing(id: string, forEver = false): Promise<void> {
  changed(await call<void>(one(id), { method: "DELETE", query: { force: forEver || undefined } }));
}

export async function cloneThing(id: string, name: string, tags: boolean): Promise<Thing> {
  return changed(await call<Thing>(one(id) + "/clone", { method: "PUT", body: { name, include_tags: tags } }));
}

export async function tagThing(id: string, key: string, value: string): Promise<void> {
  changed(await call<void>(one(id) + "/tags", { method: "PUT", body: { key, value } }));
}

export async function untagThing(id: string, key: string): Promise<void> {
  changed(await call<void>(`${one(id)}/tags/${encodeURIComponent(key)}`, { method: "DELETE" }));
}

export async function listTypes(signal?: AbortSignal): Promise<Type[]> {
  const [all, nameOf] = await Promise.all([call<Type[]>("/iot/v1/property_types", signal ? { signal } : {}), typeNames()]);
  return all.map((one) => ({ ...one, name: nameOf(one.type, one.name) }));
}

export async function addProperty(thing: string, p: PropertyWish): Promise<Property> {
  return changed(await call<Property>(one(thing) + "/properties", { method: "PUT", body: p }));
}

export async function updateProperty(thing: string, id: string, p: Partial<PropertyWish>): Promise<Property> {
  return changed(await call<Property>(property(thing, id), { method: "POST", body: p }));
}

export async function deleteProperty(thing: string, id: string): Promise<void> {
  changed(await call<void>(property(thing, id), { method: "DELETE" }));
}

// publish sets a value, as people do: the device is told.
export const publish = (thing: string, id: string, value: unknown): Promise<void> =>
  call(property(thing, id) + "/publish", { method: "PUT", body: { value } });

export const program = (thing: string, query: { language?: string; board?: string }, signal: AbortSignal): Promise<Program> =>
  call(`/v1/things/${encodeURIComponent(thing)}/sketch`, { query, signal });

function changed<T>(what: T): T {
  forget("thing");
  forget("device");
  return what;
}
