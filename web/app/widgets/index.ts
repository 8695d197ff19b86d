// All kinds of widgets, in the order of the gallery. What shows one is loaded when a dashboard has it.
import { kindOf } from "../model/kind";
import { controls } from "./controls";
import { shows } from "./shows";
import type { Kind, Variable } from "./widget";

const all: Kind[] = [...controls, ...shows];

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
