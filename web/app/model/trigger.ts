// Triggers, their actions and what became of those, as the API tells of them.
import { call } from "../api";
import { forget } from "../data";
import type { Device } from "./device";
import type { Property } from "./thing";

export type Operator = "ANY" | "EQ" | "NEQ" | "GT" | "GTE" | "LT" | "LTE" | "BETWEEN" | "OUTSIDE";

export interface Condition {
  operator: Operator;
  value?: boolean | number | string;
  upper?: number;
  hysteresis?: number;
}

// A StatusSource says whose comings and goings count. Without a grace period a direction does not count; without both, both do.
export interface StatusSource {
  criteria: "INCLUDE" | "EXCLUDE";
  device_ids: string[];
  grace_period_online?: number; // seconds
  grace_period_offline?: number;
}

export interface Recipient {
  id: string;
}

export interface Variable {
  placeholder: string;
  entity: string;
  attribute: string;
  id?: string;
  property_id?: string;
  thing_id?: string;
}

export interface Expression {
  expression: string;
  variables?: Variable[];
}

export type ActionKind = "NOTIFY-EMAIL" | "NOTIFY-PUSH" | "CALL-WEBHOOK" | "SET-PROPERTY";

export interface ActionWish {
  kind: ActionKind;
  name: string;
  email?: { subject: Expression; body: Expression; delivery: { to: Recipient[]; cc?: Recipient[]; bcc?: Recipient[] } };
  push_notification?: { title: Expression; body: Expression; delivery: { to: Recipient[] } };
  webhook?: { url: string; secret?: string }; // the secret is told once, by the answer that made it
  set_property?: { property_id: string; thing_id?: string; value: unknown };
}

export interface Action extends ActionWish {
  id: string;
  trigger_id?: string;
}

export interface Trigger {
  id: string;
  name: string;
  description: string;
  active: boolean;
  actions: Action[];
  condition?: Condition;
  property_id?: string;
  device_status_source?: StatusSource;
  tags?: Record<string, string>;
  created_at: string;
  updated_at: string;
  deleted_at?: string;
}

// A Linked is a trigger with what it watches.
export interface Linked {
  id: string;
  name: string;
  description: string;
  active: boolean;
  actions: Action[];
  condition?: Condition;
  linked_property?: { property: Property; status: "OK" | "WRONG_TYPE" | "DELETED" };
  device_status_source?: Omit<StatusSource, "device_ids"> & { linked_devices: { device: Device; status: "OK" | "DELETED" }[] };
  tags?: Record<string, string>;
}

export interface TriggerWish {
  name?: string;
  description?: string;
  active?: boolean;
  property_id?: string;
  condition?: Condition;
  device_status_source?: StatusSource;
  actions?: ActionWish[];
}

export interface Firing {
  trigger_id: string;
  at: string;
  waiting: number;
  dead: number;
}

export interface Usage {
  triggers: number;
  triggers_limit: number | null;
  today: number;
  today_limit: number | null;
  held_today: number;
}

export interface Delivery {
  id: string;
  kind: ActionKind;
  at: string;
  tries: number;
  next_at: string | null;
  ended_at: string | null;
  outcome: "waiting" | "done" | "dead" | "gone" | "limited" | "erased";
  answer: number | null; // HTTP status of the last try
}

export interface Member {
  user: string;
  name: string;
  email?: string; // administrators alone see it
  role: string;
}

const all = "/iot/v1/triggers";
const one = (id: string): string => `${all}/${encodeURIComponent(id)}`;
const ours = (id: string): string => `/v1/triggers/${encodeURIComponent(id)}`;
const action = (id: string): string => `/iot/v1/actions/${encodeURIComponent(id)}`;

export const listTriggers = (signal?: AbortSignal, deleted = false): Promise<Trigger[]> => call(all, { query: { show_deleted: deleted || undefined }, ...(signal && { signal }) });

export const getTrigger = (id: string, signal?: AbortSignal): Promise<Linked> => call(one(id), signal ? { signal } : {});

export const fired = (signal?: AbortSignal): Promise<Firing[]> => call("/v1/triggers/fired", signal ? { signal } : {});

export const usage = (signal?: AbortSignal): Promise<Usage> => call("/v1/triggers/usage", signal ? { signal } : {});

export async function createTrigger(t: TriggerWish): Promise<Trigger> {
  return changed(await call<Trigger>(all, { method: "PUT", body: t }));
}

// updateTrigger changes what is named and leaves the rest.
export async function updateTrigger(id: string, t: TriggerWish): Promise<Trigger> {
  return changed(await call<Trigger>(one(id), { method: "PATCH", body: t }));
}

// restoreTrigger brings a deleted one back: any change does.
export const restoreTrigger = (id: string): Promise<Trigger> => updateTrigger(id, {});

export async function deleteTrigger(id: string, forEver = false): Promise<void> {
  changed(await call<void>(one(id), { method: "DELETE", query: { force: forEver || undefined } }));
}

export async function tagTrigger(id: string, key: string, value: string): Promise<void> {
  changed(await call<void>(ours(id) + "/tags", { method: "PUT", body: { key, value } }));
}

export async function untagTrigger(id: string, key: string): Promise<void> {
  changed(await call<void>(`${ours(id)}/tags/${encodeURIComponent(key)}`, { method: "DELETE" }));
}

export async function addAction(trigger: string, a: ActionWish): Promise<Action> {
  return changed(await call<Action>("/iot/v1/actions", { method: "POST", body: { ...a, trigger_id: trigger } }));
}

export async function updateAction(id: string, { kind: _, ...a }: ActionWish): Promise<Action> {
  return changed(await call<Action>(action(id), { method: "PUT", body: a }));
}

export async function deleteAction(id: string): Promise<void> {
  changed(await call<void>(action(id), { method: "DELETE" }));
}

export const deliveries = (id: string, signal?: AbortSignal): Promise<Delivery[]> => call(`/v1/actions/${encodeURIComponent(id)}/deliveries`, signal ? { signal } : {});

export const retryDeliveries = (id: string): Promise<{ retried: number }> => call(`/v1/actions/${encodeURIComponent(id)}/deliveries/retry`, { method: "POST" });

export const getMute = (id: string, signal?: AbortSignal): Promise<{ muted: boolean }> => call(ours(id) + "/mute", signal ? { signal } : {});

export const setMute = (id: string, muted: boolean): Promise<{ muted: boolean }> => call(ours(id) + "/mute", { method: muted ? "PUT" : "DELETE" });

export const listMembers = (space: string, signal?: AbortSignal): Promise<Member[]> => call(`/v1/spaces/${encodeURIComponent(space)}/members`, signal ? { signal } : {});

function changed<T>(what: T): T {
  forget("trigger");
  return what;
}
