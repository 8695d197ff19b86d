import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { isOld, useQuery } from "../data";
import { moment, now, num } from "../format";
import { lastOf } from "../model/values";
import { t } from "../text";
import { Failure } from "../ui/Note";
import { type Curve, Plot } from "./Plot";
import type { Range } from "./ranges";
import { type Bins, bins } from "./series";

interface Props {
  property: { id: string; name: string };
  range: Range;
  zone: string;
  unit: string | undefined;
}

// Line is the course of a number: its middle as a line, lowest and highest of each step as a band, and at the right
// edge each value as it comes.
export function Line({ property, range, zone, unit }: Props) {
  const query = useQuery(`series:${property.id}:${range.key}`, (s) => {
    const to = Math.ceil(Date.now() / 1000);
    return bins(property.id, to - range.seconds, to, s);
  });
  const data = query.data.value;
  return (
    <div class="chart">
      <Failure error={query.error.value} again={() => void query.reload()} />
      {data ? <Drawn data={data} property={property} range={range} zone={zone} unit={unit} /> : <div class={query.error.value ? "plot" : "plot skeleton"} />}
    </div>
  );
}

interface Hover {
  at: number;
  low: number | null;
  middle: number | null;
  high: number | null;
}

function Drawn({ data, property, range, zone, unit }: Props & { data: Bins }) {
  const hover = useSignal<Hover | undefined>(undefined);
  const grown = useMemo(() => ({ ...copy(data), all: totals(data) }), [data]);
  const tick = useSignal(0);
  useEffect(() => void (tick.value = tick.peek() + 1), [grown]);

  // The live edge: values as they come, and time that goes on.
  useSignalEffect(() => {
    void now.value;
    const last = lastOf(property.id).value;
    const at = last.at ? Date.parse(last.at) / 1000 : 0;
    if (!isOld() && typeof last.value === "number" && at > (grown.times.at(-1) ?? 0)) {
      grown.times.push(at);
      for (const one of [grown.low, grown.middle, grown.high]) one.push(last.value);
      grown.all = widened(grown.all, last.value);
    }
    tick.value = tick.peek() + 1;
  });

  const h = hover.value;
  return (
    <>
      <p class="readout" aria-hidden="true">
        {h && h.middle !== null ? (
          <>
            <b>
              {num(h.middle)} {unit}
            </b>
            {h.low !== null && h.high !== null && h.low !== h.high && <span>{t("chart.band", { low: num(h.low), high: num(h.high) })}</span>}
            <span>{moment(h.at * 1000, zone)}</span>
          </>
        ) : (
          <span>{data.times.length ? t("chart.hover") : " "}</span>
        )}
      </p>
      <Plot
        curves={accent}
        data={() => [grown.times, grown.middle, grown.high, grown.low]}
        tick={tick.value}
        band
        span={() => [Date.now() / 1000 - range.seconds, Date.now() / 1000]}
        zone={zone}
        label={label(grown.all, property.name, unit)}
        onHover={(i) => {
          const at = i === undefined ? undefined : grown.times[i];
          hover.value = at === undefined || i === undefined ? undefined : { at, low: grown.low[i] ?? null, middle: grown.middle[i] ?? null, high: grown.high[i] ?? null };
        }}
      />
      <Summary all={grown.all} unit={unit} />
    </>
  );
}

const accent: Curve[] = [{ ink: "accent", style: "line" }];

function copy(b: Bins): Bins {
  return { ...b, times: [...b.times], low: [...b.low], middle: [...b.middle], high: [...b.high] };
}

interface Totals {
  low: number;
  high: number;
  mean: number;
}

function totals(b: Bins): Totals | undefined {
  const numbers = (all: (number | null)[]): number[] => all.filter((v): v is number => v !== null);
  const middle = numbers(b.middle);
  if (!middle.length) return undefined;
  return { low: Math.min(...numbers(b.low)), high: Math.max(...numbers(b.high)), mean: middle.reduce((a, v) => a + v, 0) / middle.length };
}

// widened counts a value that has come since. The mean stays that of even steps, among which it has no weight yet.
function widened(all: Totals | undefined, v: number): Totals {
  return all ? { low: Math.min(all.low, v), high: Math.max(all.high, v), mean: all.mean } : { low: v, high: v, mean: v };
}

function label(all: Totals | undefined, name: string, unit: string | undefined): string {
  if (!all) return t("chart.empty.label", { name });
  return t("chart.label", { name, low: num(all.low), high: num(all.high), mean: num(all.mean), unit: unit ?? "" });
}

function Summary({ all, unit }: { all: Totals | undefined; unit: string | undefined }) {
  if (!all) return null;
  const one = (name: string, v: number) => (
    <div>
      <dt>{name}</dt>
      <dd>
        {num(v)} <small>{unit}</small>
      </dd>
    </div>
  );
  return (
    <dl class="totals">
      {one(t("chart.low"), all.low)}
      {one(t("chart.mean"), all.mean)}
      {one(t("chart.high"), all.high)}
    </dl>
  );
}
