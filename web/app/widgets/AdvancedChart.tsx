import { useMemo, useRef, useState } from "preact/hooks";
import { Plot } from "../chart/Plot";
import { useQuery } from "../data";
import { moment, now, num } from "../format";
import { t } from "../text";
import { curvesOf, inStep, type Series } from "./chart/curves";
import { Tools } from "./chart/Tools";
import { mostGrown } from "./chart/Numbers";
import { flagIn, numberIn } from "./option";
import { endsOf, Ranges, useRange } from "./range";
import { look, nameOf, unitIn } from "./use";
import type { ViewProps } from "./widget";

// View is the course of up to five numbers, each drawn as its options say.
export function View(p: ViewProps) {
  const range = useRange(p.widget, "1d");
  const [row, point] = useState<number | undefined>(undefined);
  const [hidden, hide] = useState<string[]>([]);
  const canvas = useRef<HTMLCanvasElement>(null);
  const curves = curvesOf(p.widget, p.vars);
  const asked = curves.map((c) => c.variable.id + c.aggregation).join();
  const query = useQuery<Series[]>(`pasts:${p.widget.id}:${asked}:${range.key}`, async (signal) => {
    const [from, to] = endsOf(range);
    const past = p.past;
    if (!past) return [];
    return Promise.all(curves.map(async (c) => past.bins(c.variable, from, Math.ceil(to), signal, c.aggregation).then((b) => ({ id: c.variable.id, times: b.times, values: b.middle }))));
  });
  const data = query.data.value;
  const grown = useMemo(() => new Map(curves.map((c) => [c.variable.id, copyOf(data?.find((s) => s.id === c.variable.id), c.variable.id)])), [data, asked]);
  let more = 0;
  p.vars.forEach((v, i) => {
    const last = p.values[i];
    const at = last?.at ? Date.parse(last.at) / 1000 : 0;
    const value = numberIn(last?.value);
    const s = grown.get(v.id);
    if (s && !p.stale && value !== undefined && range.to === undefined && at > (s.times.at(-1) ?? 0)) {
      s.times.push(at);
      s.values.push(value);
    }
    more += s?.times.length ?? 0;
  });
  if (data && more > data.reduce((n, s) => n + s.times.length, 0) + mostGrown) void query.reload();
  const tick = `${more} ${asked} ${now.value}`;
  const table = useMemo(() => inStep(curves.map((c) => grown.get(c.variable.id) ?? copyOf(undefined, c.variable.id))), [tick, grown]);
  const zone = p.vars[0]?.thing_timezone.name ?? "UTC";
  const name = nameOf(p.widget, p.vars.length === 1 ? p.vars[0] : undefined);
  const at = row === undefined ? undefined : table[0][row];
  const told = (i: number): number | undefined => {
    if (at === undefined || row === undefined) return numberIn(p.values[p.vars.findIndex((v) => v.id === curves[i]?.variable.id)]?.value);
    return numberIn(table[i + 1]?.[row]);
  };
  return (
    <div {...look("w-chart", p)}>
      <div class="w-chart-head">
        <Ranges range={range} name={name} />
        <Tools name={name} range={range} zone={zone} curves={curves} table={table} canvas={canvas} />
      </div>
      {data ? (
        <Plot curves={curves.map((c) => ({ ink: c.ink, style: c.style, right: c.right, hidden: hidden.includes(c.variable.id) }))} data={() => table} tick={tick} span={() => endsOf(range)} zone={zone} label={t("widget.chart.label", { names: curves.map((c) => c.name).join(", ") })} onHover={point} canvas={canvas} />
      ) : (
        <div class="w-chart-wait">{query.error.value !== undefined ? <p class="w-none">{t("widget.past.lost")}</p> : <span class="skeleton" role="status" aria-label={t("loading")} />}</div>
      )}
      {flagIn(p.widget.options.showLegend, true) && (
        <div class="w-legend" role="group" aria-label={t("widget.legend", { name })}>
          {curves.map((c, i) => {
            const value = told(i);
            const off = hidden.includes(c.variable.id);
            return (
              <button key={c.variable.id} type="button" aria-pressed={!off} onClick={() => hide(off ? hidden.filter((one) => one !== c.variable.id) : [...hidden, c.variable.id])}>
                <span class={"key " + (off ? "none" : c.ink)} aria-hidden="true" />
                <span>{c.name}</span>
                <b>{value === undefined ? "–" : `${num(value)} ${unitIn(p.widget, c.variable)}`.trim()}</b>
              </button>
            );
          })}
          {at !== undefined && <span class="soft">{moment(at * 1000, zone)}</span>}
        </div>
      )}
    </div>
  );
}

const copyOf = (s: Series | undefined, id: string): Series => ({ id, times: [...(s?.times ?? [])], values: [...(s?.values ?? [])] });
