// What the values of a property look like, by its type. The table is kinds.ts, which is written from the server's own.
import { kinds, units } from "./kinds";

export type Kind = "bool" | "int" | "time" | "float" | "text" | "location" | "color" | "dimmed" | "colored" | "television" | "schedule" | "free";

const byType = new Map<string, Kind>();
for (const [kind, types] of Object.entries(kinds)) for (const type of types.split(" ")) byType.set(type, kind as Kind);

const unitByType = new Map<string, string>();
for (const [unit, types] of Object.entries(units)) for (const type of types.split(" ")) unitByType.set(type, unit);

// unitOf is the usual unit of a type; "" for those that have none.
export function unitOf(type: string): string {
  return unitByType.get(type) ?? "";
}

// kindOf is the kind of a type; those that the table leaves out are numbers, which most are.
export function kindOf(type: string): Kind {
  return byType.get(type) ?? "float";
}

export function isNumber(kind: Kind): boolean {
  return kind === "int" || kind === "float";
}
