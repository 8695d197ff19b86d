// Values of before, as widgets ask for them: of members and guests by the API, on public links by what those tell.
import { call } from "../api";
import { bins, changes } from "../chart/series";
import type { Past } from "../widgets/widget";

export const past: Past = {
  bins: (variable, from, to, signal, aggregation) => bins(variable.id, from, to, signal, aggregation),
  changes: (variable, from, to, signal) => changes(variable.id, from, to, signal),
};

interface Told {
  data: { time: string; value: number }[];
}

const longest = 366 * 86_400; // seconds that one answer may cover

// sharedPast is what a public link tells of before: middles of 300 stretches, of what charts show.
export function sharedPast(token: string): Past {
  const ask = async (variable: string, from: number, to: number, signal: AbortSignal) => {
    const iso = (at: number): string => new Date(at * 1000).toISOString();
    const told = await call<Told>(`/v1/shared/${token}/variables/${variable}`, { query: { from: iso(Math.max(from, to - longest)), to: iso(to) }, signal });
    return told.data.map((one) => ({ at: Date.parse(one.time) / 1000, value: one.value }));
  };
  return {
    bins: async (variable, from, to, signal) => {
      const all = await ask(variable.id, from, to, signal);
      const middle = all.map((one) => one.value);
      return { times: all.map((one) => one.at), low: middle, middle, high: middle, interval: (to - from) / 300 };
    },
    changes: async (variable, from, to, signal) => ({ all: await ask(variable.id, from, to, signal), step: (to - from) / 300 }),
  };
}
