// What a trigger watches, as a form holds it: texts as they were typed.
import { type Kind, kindOf } from "../../model/kind";
import type { Property, Thing } from "../../model/thing";
import type { Condition, Linked, Operator, StatusSource, TriggerWish } from "../../model/trigger";
import { suits } from "./words";

export interface Source {
  watch: "property" | "status";
  thing: string;
  property: string;
  operator: Operator;
  on: boolean; // of booleans
  value: string;
  upper: string;
  hysteresis: string;
  whose: "all" | "but" | "only";
  devices: string[];
  offline: number | undefined; // seconds; undefined: that direction does not count
  online: number | undefined;
}

export const empty: Source = { watch: "property", thing: "", property: "", operator: "GT", on: true, value: "", upper: "", hysteresis: "", whose: "all", devices: [], offline: 60, online: undefined };

// Operators of each kind of value, in the order in which they are offered.
export const operators: Record<"number" | "text", Operator[]> = {
  number: ["GT", "GTE", "LT", "LTE", "BETWEEN", "OUTSIDE", "EQ", "NEQ"],
  text: ["ANY", "EQ", "NEQ"],
};

export const ranged = (o: Operator): boolean => o === "BETWEEN" || o === "OUTSIDE";

export const propertiesOf = (thing: Thing | undefined): Property[] => (thing?.properties ?? []).filter((p) => suits(kindOf(p.type)));

const text = (v: unknown): string => (v === undefined ? "" : String(v));

// sourceOf is what a trigger watches now.
export function sourceOf(x: Linked): Source {
  const s = x.device_status_source;
  const p = x.linked_property?.property;
  const c = x.condition;
  if (s) {
    const devices = s.linked_devices.map((d) => d.device.id);
    const both = s.grace_period_online === undefined && s.grace_period_offline === undefined;
    return { ...empty, watch: "status", whose: s.criteria === "INCLUDE" ? "only" : devices.length ? "but" : "all", devices, offline: both ? 0 : s.grace_period_offline, online: both ? 0 : s.grace_period_online };
  }
  const kind: Kind = kindOf(p?.type ?? "");
  return {
    ...empty,
    thing: p?.thing_id ?? "",
    property: p?.id ?? "",
    operator: c?.operator ?? (kind === "text" ? "ANY" : "GT"),
    on: c?.value !== false,
    value: kind === "bool" ? "" : text(c?.value),
    upper: text(c?.upper),
    hysteresis: c?.hysteresis ? text(c.hysteresis) : "",
  };
}

// wishOf is what the API is told of it.
export function wishOf(s: Source, kind: Kind): Pick<TriggerWish, "property_id" | "condition" | "device_status_source"> {
  if (s.watch === "status") {
    const status: StatusSource = {
      criteria: s.whose === "only" ? "INCLUDE" : "EXCLUDE",
      device_ids: s.whose === "all" ? [] : s.devices,
      ...(s.online !== undefined && { grace_period_online: s.online }),
      ...(s.offline !== undefined && { grace_period_offline: s.offline }),
    };
    return { device_status_source: status };
  }
  return { property_id: s.property, condition: conditionOf(s, kind) };
}

function conditionOf(s: Source, kind: Kind): Condition {
  if (kind === "bool") return { operator: "EQ", value: s.on };
  if (kind === "text") return s.operator === "ANY" ? { operator: "ANY" } : { operator: s.operator, value: s.value };
  const hysteresis = Number(s.hysteresis);
  return {
    operator: s.operator,
    value: Number(s.value),
    ...(ranged(s.operator) && { upper: Number(s.upper) }),
    ...(s.operator !== "NEQ" && hysteresis > 0 && { hysteresis }),
  };
}
