import { shown } from "../format";
import type { Kind } from "../model/kind";
import type { Change } from "./series";
import type { Stretch } from "./Stripe";

const colours = 6;

// stretchesOf are changes as stretches of time until to, each with the colour of what it says. What was over before from
// is there, too, as nothing.
export function stretchesOf(all: Change[], kind: Kind, from: number, to: number, zone: string): Stretch[] {
  const text = (value: unknown): string => shown(kind, value, zone);
  const order = [...new Set(all.map((c) => text(c.value)))];
  return all.map((c, i) => ({
    from: Math.max(c.at, from),
    to: all[i + 1]?.at ?? to,
    label: text(c.value),
    kind: kind === "bool" ? (c.value ? "good" : "none") : "k" + (order.indexOf(text(c.value)) % colours),
  }));
}
