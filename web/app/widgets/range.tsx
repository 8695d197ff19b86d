// How far back a widget shows, which its option says and whoever looks can change for themselves.
import { useState } from "preact/hooks";
import { type Key, t } from "../text";
import { textIn } from "./option";
import type { Widget } from "./widget";

interface Span {
  key: string;
  label: Key;
  short: Key;
  seconds: number; // 0: nothing of before
}

const live = 300; // seconds that a live chart shows

export const spans: Span[] = [
  { key: "live", label: "span.live.long", short: "span.live", seconds: live },
  { key: "1h", label: "range.hour", short: "span.hour", seconds: 3600 },
  { key: "1d", label: "range.day", short: "span.day", seconds: 86_400 },
  { key: "7d", label: "range.week", short: "span.week", seconds: 7 * 86_400 },
  { key: "15d", label: "span.fortnight.long", short: "span.fortnight", seconds: 15 * 86_400 },
  { key: "30d", label: "range.month", short: "span.month", seconds: 30 * 86_400 },
  { key: "1y", label: "range.year", short: "span.year", seconds: 365 * 86_400 },
];

// Other spellings that clients may have written: "1w", "LIVE", "24h".
const aliases: Record<string, string> = { "1w": "7d", "24h": "1d", "1m": "30d", "2w": "15d", "365d": "1y" };

export interface Chosen extends Span {
  from: number | undefined; // seconds since 1970, where both ends stand still
  to: number | undefined;
  choose: (key: string) => void;
  between: (from: number, to: number) => void;
}

export const spanIn = (v: unknown, otherwise: string): Span => {
  const key = textIn(v).toLowerCase().replace(/\s/g, "");
  const found = spans.find((s) => s.key === (aliases[key] ?? key)) ?? spans.find((s) => s.key === otherwise);
  return found ?? { key: "1d", label: "range.day", short: "span.day", seconds: 86_400 };
};

// useRange is the range that is shown. way: live is nothing of before, and not the last minutes.
export function useRange(widget: Widget, otherwise: string, way = false): Chosen {
  const wanted = spanIn(widget.options.range, otherwise);
  const [own, setOwn] = useState<{ key: string; from?: number; to?: number } | undefined>(undefined);
  const span = own?.key && own.key !== "own" ? spanIn(own.key, otherwise) : wanted;
  const choose = (key: string): void => setOwn({ key });
  const between = (from: number, to: number): void => setOwn({ key: "own", from, to });
  if (own?.key === "own" && own.from !== undefined && own.to !== undefined) return { ...span, key: `${own.from}-${own.to}`, seconds: own.to - own.from, from: own.from, to: own.to, choose, between };
  return { ...span, seconds: way && span.key === "live" ? 0 : span.seconds, from: undefined, to: undefined, choose, between };
}

// Ranges are buttons for each.
export function Ranges({ range, name }: { range: Chosen; name: string }) {
  return (
    <div class="w-ranges" role="group" aria-label={t("span.of", { name })}>
      {spans.map((s) => (
        <button key={s.key} type="button" title={t(s.label)} aria-pressed={s.key === range.key} onClick={() => range.choose(s.key)}>
          {t(s.short)}
        </button>
      ))}
    </div>
  );
}

// endsOf are both ends of a range at this moment.
export const endsOf = (range: Chosen): [number, number] => [range.from ?? Date.now() / 1000 - range.seconds, range.to ?? Date.now() / 1000];
