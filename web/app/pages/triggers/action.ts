// An action, as a form holds it.
import { Problem } from "../../api";
import { kindOf } from "../../model/kind";
import type { Property, Thing } from "../../model/thing";
import type { Action, ActionKind, ActionWish, Expression, Recipient } from "../../model/trigger";
import { t } from "../../text";
import { kindName, suits } from "./words";

export type Place = "to" | "cc" | "bcc";

export interface Draft {
  kind: ActionKind;
  name: string;
  places: Record<string, Place> | undefined; // of recipients, by user; undefined until somebody or ActionFields chooses
  title: Expression;
  body: Expression;
  url: string;
  thing: string;
  property: string;
  value: string;
  on: boolean;
}

// fresh is an action that is still to be made, with texts that fit what is watched.
export function fresh(kind: ActionKind, status: boolean): Draft {
  return {
    kind,
    name: kindName(kind),
    places: undefined,
    title: { expression: status ? t("action.title.status") : t("action.title.property") },
    body: { expression: status ? t("action.body.status") : t("action.body.property") },
    url: "",
    thing: "",
    property: "",
    value: "",
    on: true,
  };
}

export function draftOf(a: Action): Draft {
  const places: Record<string, Place> = {};
  const put = (all: Recipient[] | undefined, place: Place): void => all?.forEach((r) => (places[r.id] ??= place));
  put(a.email?.delivery.to ?? a.push_notification?.delivery.to, "to");
  put(a.email?.delivery.cc, "cc");
  put(a.email?.delivery.bcc, "bcc");
  const v = a.set_property?.value;
  const none: Expression = { expression: "" };
  return {
    kind: a.kind,
    name: a.name,
    places,
    title: a.email?.subject ?? a.push_notification?.title ?? none,
    body: a.email?.body ?? a.push_notification?.body ?? none,
    url: a.webhook?.url ?? "",
    thing: a.set_property?.thing_id ?? "",
    property: a.set_property?.property_id ?? "",
    value: v === undefined || typeof v === "boolean" ? "" : String(v),
    on: v !== false,
  };
}

// settable are the properties that an action may set.
export const settable = (thing: Thing | undefined): Property[] => (thing?.properties ?? []).filter((p) => p.permission === "READ_WRITE" && suits(kindOf(p.type)));

// wishOf is what the API is told of it; without a recipient it is refused as the server would, in words for people.
export function wishOf(d: Draft, set: Property | undefined): ActionWish {
  const notice = d.kind === "NOTIFY-EMAIL" || d.kind === "NOTIFY-PUSH";
  const places = d.places ?? {};
  if (notice && !Object.values(places).includes("to")) throw new Problem(400, "invalid-recipient", t("action.to.need"));
  const of = (place: Place): Recipient[] => Object.keys(places).filter((id) => places[id] === place).map((id) => ({ id }));
  const base = { kind: d.kind, name: d.name };
  switch (d.kind) {
    case "NOTIFY-EMAIL":
      return { ...base, email: { subject: d.title, body: d.body, delivery: { to: of("to"), cc: of("cc"), bcc: of("bcc") } } };
    case "NOTIFY-PUSH":
      return { ...base, push_notification: { title: d.title, body: d.body, delivery: { to: of("to") } } };
    case "CALL-WEBHOOK":
      return { ...base, webhook: { url: d.url.trim() } };
    case "SET-PROPERTY":
      return { ...base, set_property: { property_id: d.property, value: valueOf(d, set) } };
  }
}

function valueOf(d: Draft, set: Property | undefined): unknown {
  const kind = kindOf(set?.type ?? "");
  return kind === "bool" ? d.on : kind === "text" ? d.value : Number(d.value);
}
