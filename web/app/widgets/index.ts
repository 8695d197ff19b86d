// All kinds of widgets, in the order of the gallery. What shows one is loaded when a dashboard has it.
import { kindOf } from "../model/kind";
import type { Kind, Variable } from "./widget";

const all: Kind[] = [
  {
    type: "Value",
    title: "widget.value",
    about: "widget.value.about",
    group: "value",
    icon: "M4 17V7l5 10V7M13 11h7M13 15h7",
    size: { w: 6, h: 4, minW: 2, minH: 2 },
    most: 1,
    takes: ["bool", "int", "time", "float", "text", "location", "color", "free"],
    needsWrite: false,
    view: () => import("./Value"),
    settings: () => import("./ValueSettings"),
  },
];

export const kinds: readonly Kind[] = all;

const byType = new Map(all.map((k) => [k.type, k]));

// kindNamed is the kind of a type of widget; none for those that only other clients know.
export function kindNamed(type: string): Kind | undefined {
  return byType.get(type);
}

// takes says whether a kind can show a variable.
export function takes(kind: Kind, variable: { type: string }): boolean {
  return kind.takes.includes(kindOf(variable.type));
}

// fits says whether a kind can show a variable, and write to it if it has to.
export function fits(kind: Kind, variable: Pick<Variable, "type" | "permission">): boolean {
  return takes(kind, variable) && (!kind.needsWrite || variable.permission === "READ_WRITE");
}
