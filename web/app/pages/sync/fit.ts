import type { Property, Thing } from "../../model/thing";
import type { Group } from "../../model/sync";

// A Misfit is why a property cannot be kept the same as another.
export type Misfit = "member" | "taken" | "type" | "follow";

export interface Sorted {
  fits: Property[];
  others: { property: Property; why: Misfit }[];
}

// sorted are the properties of a thing: those that may be kept the same as one, and why the others may not.
export function sorted(thing: Thing | undefined, property: Property, group: Group | undefined): Sorted {
  const out: Sorted = { fits: [], others: [] };
  for (const p of thing?.properties ?? []) {
    if (p.id === property.id) continue;
    const why = misfit(p, property, group);
    if (why) out.others.push({ property: p, why });
    else out.fits.push(p);
  }
  return out;
}

function misfit(p: Property, own: Property, group: Group | undefined): Misfit | undefined {
  if (group?.properties.some((m) => m.id === p.id)) return "member";
  if (p.sync_id) return "taken";
  if (p.type !== (group?.type ?? own.type)) return "type";
  // Of two that only their devices set, none could follow; a group has one that can.
  if (!group && p.permission === "READ_ONLY" && own.permission === "READ_ONLY") return "follow";
  return undefined;
}
