// Numbers, dates and values as people read them: by the language of the page and the time zone of the thing.
import { signal } from "@preact/signals";
import { type Kind } from "./model/kind";
import { lang, t } from "./text";

const numbers = new Intl.NumberFormat(lang, { maximumFractionDigits: 3 });
const few = new Intl.NumberFormat(lang, { maximumSignificantDigits: 6 });
const fixeds: Intl.NumberFormat[] = []; // by digits: to make one takes longer than to use it

function fixed(digits: number): Intl.NumberFormat {
  return (fixeds[digits] ??= new Intl.NumberFormat(lang, { minimumFractionDigits: digits, maximumFractionDigits: digits }));
}

// num is a number; with decimals, with as many digits behind the point.
export function num(n: number, decimals?: number): string {
  if (decimals !== undefined) return fixed(Math.min(20, Math.max(0, Math.round(decimals)))).format(n);
  if (n !== 0 && (Math.abs(n) < 0.001 || Math.abs(n) >= 1e12)) return few.format(n);
  return numbers.format(n);
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(key: string, zone: string | undefined, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const id = key + "|" + (zone ?? "");
  let found = formats.get(id);
  if (!found) {
    try {
      found = new Intl.DateTimeFormat(lang, zone ? { ...options, timeZone: zone } : options);
    } catch {
      found = new Intl.DateTimeFormat(lang, { ...options, timeZone: "UTC" }); // a zone that this browser does not know
    }
    formats.set(id, found);
  }
  return found;
}

// moment is a date with its time, to the second; by zone, or by this machine's.
export function moment(at: string | number | Date, zone?: string): string {
  return format("moment", zone, { dateStyle: "medium", timeStyle: "medium" }).format(new Date(at));
}

export function day(at: string | number | Date, zone?: string): string {
  return format("day", zone, { dateStyle: "medium" }).format(new Date(at));
}

export function hour(at: string | number | Date, zone?: string): string {
  return format("hour", zone, { timeStyle: "short" }).format(new Date(at));
}

export function clock(at: string | number | Date, zone?: string): string {
  return format("clock", zone, { timeStyle: "medium" }).format(new Date(at));
}

// now is the time, for what says how long ago something was; it goes on each ten seconds.
export const now = signal(Date.now());
setInterval(() => {
  if (document.visibilityState === "visible") now.value = Date.now();
}, 10_000);

const relative = new Intl.RelativeTimeFormat(lang, { numeric: "auto", style: "short" });
const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];

// ago says how long ago something was.
export function ago(at: string | number): string {
  const seconds = (Math.max(now.value, Date.now() - 10_000) - new Date(at).getTime()) / 1000;
  if (seconds < 45) return t("time.now");
  for (const [unit, size] of steps) if (seconds >= size * 0.9) return relative.format(-Math.max(1, Math.round(seconds / size)), unit);
  return t("time.now");
}

// span is a length of time.
export function span(seconds: number): string {
  const units: [Intl.NumberFormatOptions["unit"], number][] = [
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
    ["second", 1],
  ];
  const parts: string[] = [];
  let left = Math.round(seconds);
  for (const [unit, size] of units) {
    const n = Math.floor(left / size);
    left -= n * size;
    if (n && parts.length < 2) parts.push(new Intl.NumberFormat(lang, { style: "unit", unit: unit ?? "second", unitDisplay: "short" }).format(n));
  }
  return parts.join(" ") || "0 s";
}

export function bytes(n: number): string {
  const unit = n < 1e6 ? (["kilobyte", 1e3] as const) : (["megabyte", 1e6] as const);
  return new Intl.NumberFormat(lang, { style: "unit", unit: unit[0], maximumFractionDigits: 1 }).format(n / unit[1]);
}

// shown is a value in words; the unit is said by who shows it.
export function shown(kind: Kind, value: unknown, zone?: string): string {
  if (value === null || value === undefined) return "–";
  switch (kind) {
    case "bool":
      return value ? t("value.on") : t("value.off");
    case "int":
    case "float":
      return typeof value === "number" ? num(value) : String(value);
    case "time":
      return typeof value === "number" && value > 1e8 ? moment(value * 1000, zone) : String(value);
    case "text":
      return String(value);
  }
  const v = value as Record<string, number | boolean>;
  const n = (key: string): string => num(Number(v[key] ?? 0));
  const power = (): string => (v.swi ? t("value.on") : t("value.off"));
  switch (kind) {
    case "location":
      return `${n("lat")}, ${n("lon")}`;
    case "color":
      return `${n("hue")}° ${n("sat")} % ${n("bri")} %`;
    case "dimmed":
      return `${power()} · ${n("bri")} %`;
    case "colored":
      return `${power()} · ${n("hue")}° ${n("sat")} % ${n("bri")} %`;
    case "television":
      return `${power()} · ${t("tv.channel")} ${n("cha")} · ${t("tv.volume")} ${n("vol")}`;
  }
  return JSON.stringify(value);
}

// A clock on a wall in a zone, as form fields write it ("2026-11-26T14:05"), and back to seconds since 1970.
export function wall(seconds: number, zone: string): string {
  const parts = format("wall", zone, { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).formatToParts(new Date(seconds * 1000));
  const of = (type: string): string => parts.find((p) => p.type === type)?.value ?? "00";
  return `${of("year").padStart(4, "0")}-${of("month")}-${of("day")}T${of("hour")}:${of("minute")}`;
}

export function fromWall(text: string, zone: string): number {
  const as = Date.parse(text + ":00Z") / 1000;
  // The offset at the moment itself may be another than that at the guess: twice is enough.
  let at = as;
  for (let i = 0; i < 2; i++) at = as - (Date.parse(wall(at, zone) + ":00Z") / 1000 - Math.floor(at / 60) * 60);
  return at;
}
