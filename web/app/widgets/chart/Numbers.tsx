import { useMemo, useState } from "preact/hooks";
import { type Curve, Plot } from "../../chart/Plot";
import type { Bins } from "../../chart/series";
import { useQuery } from "../../data";
import { moment, now, num } from "../../format";
import { t } from "../../text";
import { numberIn } from "../option";
import { type Chosen, endsOf } from "../range";
import { unitIn } from "../use";
import type { Variable, ViewProps } from "../widget";

const curve: Curve[] = [{ ink: "accent", style: "line" }];
const nothing: Bins = { times: [], low: [], middle: [], high: [], interval: 1 };
export const mostGrown = 4000; // values that are added before the history is read anew

// Numbers is the course of a number, with its lowest and highest as a band.
export function Numbers({ p, variable, name, range }: { p: ViewProps; variable: Variable; name: string; range: Chosen }) {
  const query = useQuery<Bins>(`past:${variable.id}:${range.key}`, async (signal) => {
    const [from, to] = endsOf(range);
    return p.past ? p.past.bins(variable, from, Math.ceil(to), signal) : nothing;
  });
  const [row, point] = useState<number | undefined>(undefined);
  const data = query.data.value;
  const grown = useMemo((): Bins => ({ times: [...(data?.times ?? [])], low: [...(data?.low ?? [])], middle: [...(data?.middle ?? [])], high: [...(data?.high ?? [])], interval: data?.interval ?? 1 }), [data]);
  const last = p.values[0];
  const at = last?.at ? Date.parse(last.at) / 1000 : 0;
  const value = numberIn(last?.value);
  if (!p.stale && value !== undefined && range.to === undefined && at > (grown.times.at(-1) ?? 0)) {
    grown.times.push(at);
    for (const one of [grown.low, grown.middle, grown.high]) one.push(value);
    if (grown.times.length > (data?.times.length ?? 0) + mostGrown) void query.reload();
  }
  const unit = unitIn(p.widget, variable);
  const zone = variable.thing_timezone.name;
  const shown = row === undefined ? undefined : grown.times[row];
  const of = (all: (number | null)[]): number | null => (row === undefined ? null : (all[row] ?? null));
  const [middle, low, high] = [of(grown.middle), of(grown.low), of(grown.high)];
  if (!data) return <div class="w-chart-wait">{query.error.value !== undefined ? <p class="w-none">{t("widget.past.lost")}</p> : <span class="skeleton" role="status" aria-label={t("loading")} />}</div>;
  return (
    <>
      <p class="w-readout">
        {shown !== undefined && middle !== null ? (
          <>
            <b>{`${num(middle)} ${unit}`.trim()}</b>
            {low !== null && high !== null && low !== high && <span>{t("chart.band", { low: num(low), high: num(high) })}</span>}
            <span>{moment(shown * 1000, zone)}</span>
          </>
        ) : last?.at && value !== undefined ? (
          <>
            <b>{`${num(value)} ${unit}`.trim()}</b>
            <span>{moment(last.at, zone)}</span>
          </>
        ) : (
          <span class="w-none">{t("value.none")}</span>
        )}
      </p>
      <Plot
        curves={curve}
        data={() => [grown.times, grown.middle, grown.high, grown.low]}
        tick={`${grown.times.length} ${grown.times.at(-1)} ${now.value}`}
        band
        span={() => endsOf(range)}
        zone={zone}
        label={summary(grown, name, unit)}
        onHover={point}
      />
    </>
  );
}

// summary is what the picture says to who does not see it.
function summary(b: Bins, name: string, unit: string): string {
  const all = b.middle.filter((v): v is number => v !== null);
  if (!all.length) return t("chart.empty.label", { name });
  const ends = (of: (number | null)[]): number[] => of.filter((v): v is number => v !== null);
  return t("chart.label", { name, low: num(least(ends(b.low))), high: num(-least(ends(b.high).map((v) => -v))), mean: num(all.reduce((a, v) => a + v, 0) / all.length), unit });
}

const least = (all: number[]): number => all.reduce((a, v) => Math.min(a, v), Infinity);
