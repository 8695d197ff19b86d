// What a SCHEDULE says: from when, until when, how long and how often. Times are seconds as the wall clock of the thing
// counts them; the mask is that of the boards (device-protocol reference, section 3.2).

export type Repeat = "once" | "every" | "weekly" | "monthly" | "yearly";

export interface Plan {
  from: number; // 0: not set
  to: number; // 0: never
  seconds: number; // that it is on
  repeat: Repeat;
  step: number; // of every
  unit: number; // of every: 0 seconds, 1 minutes, 2 hours, 3 days
  days: number[]; // of weekly, from 0 for Sunday
  day: number; // of monthly and yearly
  month: number; // of yearly, from 1
}

const repeats: Repeat[] = ["once", "every", "weekly", "monthly", "yearly"];

interface Wire {
  frm: number;
  to: number;
  len: number;
  msk: number;
}

export function readPlan(value: unknown): Plan {
  const v = { frm: 0, to: 0, len: 0, msk: 0, ...(value as Partial<Wire> | null) };
  const kind = (v.msk >>> 26) & 0xf;
  const low = v.msk & 0xff;
  return {
    from: v.frm,
    to: v.to,
    seconds: v.len,
    repeat: repeats[kind] ?? "once",
    step: kind === 1 ? v.msk & 0x3ffffff : 1,
    unit: kind === 1 ? v.msk >>> 30 : 3,
    days: kind === 2 ? [0, 1, 2, 3, 4, 5, 6].filter((d) => (v.msk >>> d) & 1) : [],
    day: kind === 3 || kind === 4 ? low : 1,
    month: kind === 4 ? ((v.msk >>> 8) & 0xff) + 1 : 1,
  };
}

export function writePlan(p: Plan): Wire {
  const kind = repeats.indexOf(p.repeat);
  let low = 0;
  if (p.repeat === "every") low = (Math.max(1, Math.round(p.step)) & 0x3ffffff) + p.unit * 2 ** 30;
  if (p.repeat === "weekly") for (const d of p.days) low |= 1 << d;
  if (p.repeat === "monthly") low = p.day & 0xff;
  if (p.repeat === "yearly") low = (p.day & 0xff) | ((p.month - 1) << 8);
  return { frm: p.from, to: p.to, len: p.seconds, msk: low + kind * 2 ** 26 };
}

// Wall clocks as form fields write them.
export const toField = (seconds: number): string => (seconds ? new Date(seconds * 1000).toISOString().slice(0, 16) : "");
export const fromField = (text: string): number => (text ? Date.parse(text + ":00Z") / 1000 : 0);

const daySeconds = 86_400;
const unitSeconds = [1, 60, 3600, daySeconds];

// isOn says whether a plan is on when the wall clock of its thing shows now, as boards and the server count it.
export function isOn(p: Plan, now: number): boolean {
  if (!p.from || now < p.from || (p.to !== 0 && now >= p.to)) return false;
  const day = new Date(now * 1000);
  const here = {
    once: true,
    every: true,
    weekly: p.days.includes(day.getUTCDay()),
    monthly: day.getUTCDate() === p.day,
    yearly: day.getUTCDate() === p.day && day.getUTCMonth() + 1 === p.month,
  }[p.repeat];
  const period = p.repeat === "once" ? 2 ** 32 : p.repeat === "every" ? p.step * (unitSeconds[p.unit] ?? 1) : daySeconds;
  return here && period > 0 && (now - p.from) % period <= p.seconds;
}
