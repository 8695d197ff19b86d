// Options of widgets, as clients may have written them: what is of another sort than it should be counts as not there.

export function numberIn(v: unknown): number | undefined {
  const n = typeof v === "string" && v.trim() !== "" ? Number(v) : v;
  return typeof n === "number" && Number.isFinite(n) ? n : undefined;
}

export const textIn = (v: unknown): string => (typeof v === "string" ? v : "");

export const flagIn = (v: unknown, otherwise: boolean): boolean => (typeof v === "boolean" ? v : otherwise);

export const objectIn = (v: unknown): Record<string, unknown> => (typeof v === "object" && v !== null && !Array.isArray(v) ? (v as Record<string, unknown>) : {});

export const listIn = (v: unknown): unknown[] => (Array.isArray(v) ? v : []);

// colorIn is a colour, as "#rrggbb"; "" for anything else.
export function colorIn(v: unknown): string {
  const text = textIn(v).trim().toLowerCase();
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/.exec(text);
  if (short) return "#" + [1, 2, 3].map((i) => `${short[i]}${short[i]}`).join("");
  return /^#[0-9a-f]{6}$/.test(text) ? text : (named[text] ?? "");
}

const named: Record<string, string> = { red: "#d32f2f", orange: "#ef6c00", yellow: "#f9a825", green: "#2e7d32", blue: "#1565c0", purple: "#6a1b9a", pink: "#ad1457", white: "#ffffff", black: "#000000", gray: "#78909c", grey: "#78909c" };

// rangeIn is the range that a widget shows: its own, else what its kind takes without one.
export function rangeIn(options: Record<string, unknown>, low = 0, high = 100): { min: number; max: number } {
  const min = numberIn(options.min) ?? Math.min(low, (numberIn(options.max) ?? high) - 1);
  const max = numberIn(options.max) ?? Math.max(high, min + 1);
  return max > min ? { min, max } : { min, max: min + 1 };
}

// A Pick is one of the values that somebody can choose.
export interface Pick {
  label: string;
  value: unknown;
}

export function picksIn(v: unknown): Pick[] {
  return listIn(v)
    .map(objectIn)
    .filter((one) => one.value !== undefined && one.value !== null)
    .slice(0, 100)
    .map((one) => ({ label: textIn(one.label) || String(one.value), value: one.value }));
}
