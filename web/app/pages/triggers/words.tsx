// What a trigger watches and does, as a sentence.
import type { ComponentChildren } from "preact";
import { num, shown, span } from "../../format";
import { type Kind, kindOf } from "../../model/kind";
import type { Device } from "../../model/device";
import type { Property, Thing } from "../../model/thing";
import type { ActionKind, ActionWish, Condition, Linked, StatusSource, Trigger } from "../../model/trigger";
import { t, tn, tx } from "../../text";
import type { IconName } from "../../ui/Icon";

// suits says whether a trigger can watch, or set, properties of a kind.
export const suits = (kind: Kind): boolean => kind === "bool" || kind === "text" || kind === "int" || kind === "float" || kind === "time";

// conditionWords says of which values it fires, after the name of the property.
export function conditionWords(kind: Kind, c: Condition | undefined, unit = ""): string {
  if (kind === "bool") return c?.value === false ? t("cond.off") : t("cond.on");
  const of = (v: unknown): string => (typeof v === "number" ? (kind === "time" ? shown(kind, v) : num(v)) + (unit && " " + unit) : String(v ?? ""));
  if (!c || c.operator === "ANY") return t("cond.any");
  const value = kind === "text" ? `“${String(c.value ?? "")}”` : of(c.value);
  const upper = of(c.upper);
  switch (c.operator) {
    case "EQ":
      return t("cond.eq", { value });
    case "NEQ":
      return t("cond.neq", { value });
    case "GT":
      return t("cond.gt", { value });
    case "GTE":
      return t("cond.gte", { value });
    case "LT":
      return t("cond.lt", { value });
    case "LTE":
      return t("cond.lte", { value });
    case "BETWEEN":
      return t("cond.between", { value, upper });
    case "OUTSIDE":
      return t("cond.outside", { value, upper });
  }
}

// comings says which of a device's comings and goings count.
export function comings(s: Pick<StatusSource, "grace_period_online" | "grace_period_offline">): string {
  const { grace_period_online: on, grace_period_offline: off } = s;
  if (on === undefined && off === undefined) return t("comings.both");
  const all: string[] = [];
  if (off !== undefined) all.push(off ? t("comings.off.for", { span: span(off) }) : t("comings.off"));
  if (on !== undefined) all.push(on ? t("comings.on.for", { span: span(on) }) : t("comings.on"));
  return all.join(` ${t("or")} `);
}

function named(names: string[]): string {
  const few = names.slice(0, 2).join(", ");
  return names.length > 2 ? `${few} ${tn("watch.more", names.length - 2)}` : few;
}

export function statusWords(s: Pick<StatusSource, "criteria" | "grace_period_online" | "grace_period_offline">, names: string[]): ComponentChildren {
  const what = comings(s);
  if (s.criteria === "INCLUDE") return names.length ? tx("watch.only", { names: <b>{named(names)}</b>, what }) : t("watch.nobody");
  return names.length ? tx("watch.but", { names: <b>{named(names)}</b>, what }) : t("watch.all", { what });
}

export function propertyWords(property: Property | undefined, thing: Pick<Thing, "name"> | undefined, c: Condition | undefined, unit?: string): ComponentChildren {
  if (!property) return t("watch.gone");
  return tx("watch.property", { property: <b>{property.name}</b>, thing: <b>{thing?.name ?? "?"}</b>, condition: conditionWords(kindOf(property.type), c, unit) });
}

// A Known is what a list knows of what triggers are about.
export interface Known {
  properties: Map<string, { property: Property; thing: Thing }>;
  devices: Map<string, Device>;
  units: Map<string, string>;
}

export function known(things: Thing[] | undefined, devices: Device[] | undefined, units: Map<string, string>): Known {
  const properties: Known["properties"] = new Map();
  for (const thing of things ?? []) for (const property of thing.properties ?? []) properties.set(property.id, { property, thing });
  return { properties, devices: new Map((devices ?? []).map((d) => [d.id, d])), units };
}

export function watchWords(x: Trigger, k: Known): ComponentChildren {
  const s = x.device_status_source;
  if (s) return statusWords(s, s.device_ids.map((id) => k.devices.get(id)?.name ?? id.slice(0, 8)));
  const found = k.properties.get(x.property_id ?? "");
  return propertyWords(found?.property, found?.thing, x.condition, found && k.units.get(found.property.type));
}

export function linkedWords(x: Linked, thing: Pick<Thing, "name"> | undefined, unit?: string): ComponentChildren {
  const s = x.device_status_source;
  if (s) return statusWords(s, s.linked_devices.map((d) => d.device.name));
  return propertyWords(x.linked_property?.property, thing, x.condition, unit);
}

export const kindName = (kind: ActionKind): string => t(kind === "NOTIFY-EMAIL" ? "action.email" : kind === "NOTIFY-PUSH" ? "action.push" : kind === "CALL-WEBHOOK" ? "action.webhook" : "action.set");

export const kindIcon = (kind: ActionKind): IconName => (kind === "NOTIFY-EMAIL" ? "mail" : kind === "NOTIFY-PUSH" ? "bell" : kind === "CALL-WEBHOOK" ? "link" : "switch");

// doesWords is an action in a few words.
export function doesWords(a: ActionWish, k: Known): string {
  const p = a.set_property && k.properties.get(a.set_property.property_id);
  if (!a.set_property) return kindName(a.kind);
  return t("action.set.short", { name: p?.property.name ?? "?", value: p ? shown(kindOf(p.property.type), a.set_property.value) : String(a.set_property.value) });
}
