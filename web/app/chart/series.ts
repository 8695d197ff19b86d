// Values of before, as charts ask for them.
import { call, Problem } from "../api";

export interface Bins {
  times: number[]; // seconds
  low: (number | null)[];
  middle: (number | null)[];
  high: (number | null)[];
  interval: number; // seconds
}

interface Answer<T> {
  status: string;
  message?: string;
  times: string[];
  values: T[];
  interval?: number;
}

const mostBins = 600;

// A bin for each two pixels is what a line needs; the band has what lies between.
const binsFor = (): number => Math.min(mostBins, Math.max(120, Math.round(document.documentElement.clientWidth / 2)));

// bins are lowest, middle and highest of a property in even steps, with nulls where nothing came for long. The middle is by
// another aggregation than the mean where that is asked for.
export async function bins(property: string, from: number, to: number, signal: AbortSignal, aggregation = "AVG"): Promise<Bins> {
  const one = (how: string) => ({ q: "property." + property, from: iso(from), to: iso(to), aggregation: how, series_limit: binsFor() });
  const all = await ask<number>("/iot/v2/series/batch_query", { resp_version: 1, requests: [one(aggregation), one("MIN"), one("MAX")] }, signal);
  const [middle, low, high] = all;
  if (!middle || !low || !high) throw new Problem(0, "no-answer", "");
  const interval = middle.interval ?? 1;
  const out: Bins = { times: [], low: [], middle: [], high: [], interval };
  const gap = Math.max(interval * 2.5, (to - from) / 40);
  const lows = byTime(low);
  const highs = byTime(high);
  middle.times.forEach((text, i) => {
    const at = Date.parse(text) / 1000;
    const before = out.times.at(-1);
    if (before !== undefined && at - before > gap) push(out, before + interval, null, null, null);
    const value = middle.values[i] ?? null;
    push(out, at, lows.get(text) ?? value, value, highs.get(text) ?? value);
  });
  return out;
}

function byTime(a: Answer<number>): Map<string, number> {
  return new Map(a.times.map((text, i) => [text, a.values[i] as number]));
}

function push(b: Bins, at: number, low: number | null, middle: number | null, high: number | null): void {
  b.times.push(at);
  b.low.push(low);
  b.middle.push(middle);
  b.high.push(high);
}

export interface Change {
  at: number; // seconds
  value: unknown;
}

export interface Changes {
  all: Change[]; // the oldest first
  step: number; // seconds between samples; 0: these are all values
}

const mostChanges = 1000;

// changes are the values of a property that is no number: all of them, or samples where there are too many.
export async function changes(property: string, from: number, to: number, signal: AbortSignal): Promise<Changes> {
  const q = { q: "property." + property, from: iso(from), to: iso(to), series_limit: mostChanges };
  const [raw] = await ask<unknown>("/iot/v2/series/batch_query_raw", { resp_version: 1, requests: [{ ...q, sort: "DESC" }] }, signal);
  if (raw && raw.times.length < mostChanges) return { all: distinct(read(raw).reverse()), step: 0 };
  const step = Math.max(60, Math.ceil((to - from) / mostChanges));
  const [sampled] = await ask<unknown>("/iot/v2/series/batch_query_sampling", { resp_version: 1, requests: [{ ...q, interval: step }] }, signal);
  return { all: distinct(sampled ? read(sampled) : []), step };
}

function read(a: Answer<unknown>): Change[] {
  return a.times.map((text, i) => ({ at: Date.parse(text) / 1000, value: a.values[i] }));
}

// distinct leaves out what says again what was said before.
function distinct(all: Change[]): Change[] {
  return all.filter((c, i) => i === 0 || JSON.stringify(c.value) !== JSON.stringify(all[i - 1]?.value));
}

async function ask<T>(path: string, body: unknown, signal: AbortSignal): Promise<Answer<T>[]> {
  const { responses } = await call<{ responses: Answer<T>[] }>(path, { method: "POST", body, signal });
  const bad = responses.find((r) => r.status !== "ok");
  if (bad) throw new Problem(400, bad.status, bad.message ?? bad.status);
  return responses;
}

const iso = (seconds: number): string => new Date(seconds * 1000).toISOString();
