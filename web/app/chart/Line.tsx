import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { isOld, useQuery } from "../data";
import { moment, now, num } from "../format";
import { lastOf } from "../model/values";
import { looks } from "../shell/theme";
import { t } from "../text";
import { Failure } from "../ui/Note";
import { axisTimes } from "./axis";
import type { Range } from "./ranges";
import { type Bins, bins } from "./series";

const height = 320; // px, also in chart.css

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
      {data && <Summary data={data} unit={unit} />}
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
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const hover = useSignal<Hover | undefined>(undefined);
  const grown = useRef<Bins>(copy(data));

  useEffect(() => {
    const el = box.current;
    if (!el) return undefined;
    grown.current = copy(data);
    const u = new uPlot(options(el, zone, hover, () => grown.current), columns(grown.current), el);
    plot.current = u;
    slide(u, range);
    const sized = new ResizeObserver(() => u.setSize({ width: el.clientWidth, height }));
    sized.observe(el);
    return () => {
      sized.disconnect();
      u.destroy();
      plot.current = null;
    };
  }, [data, zone, looks.value]);

  // The live edge: values as they come, and time that goes on.
  useSignalEffect(() => {
    void now.value;
    const last = lastOf(property.id).value;
    const u = plot.current;
    if (!u) return;
    const at = last.at ? Date.parse(last.at) / 1000 : 0;
    const b = grown.current;
    if (!isOld() && typeof last.value === "number" && at > (b.times.at(-1) ?? 0)) {
      b.times.push(at);
      b.low.push(last.value);
      b.middle.push(last.value);
      b.high.push(last.value);
      u.setData(columns(b), false);
    }
    slide(u, range);
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
      <div class="plot" ref={box} role="img" aria-label={label(data, property.name, unit)}>
        {!data.times.length && <p class="plot-none">{t("chart.none")}</p>}
      </div>
    </>
  );
}

function copy(b: Bins): Bins {
  return { ...b, times: [...b.times], low: [...b.low], middle: [...b.middle], high: [...b.high] };
}

const columns = (b: Bins): uPlot.AlignedData => [b.times, b.middle, b.high, b.low];

// slide shows the time until now.
function slide(u: uPlot, range: Range): void {
  const to = Date.now() / 1000;
  u.setScale("x", { min: to - range.seconds, max: to });
}

// ink is a colour of the style sheet, as it is at this moment, for a canvas that knows no style sheets.
function ink(el: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.className = "probe " + name;
  el.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

function options(el: HTMLElement, zone: string, hover: { value: Hover | undefined }, data: () => Bins): uPlot.Options {
  const soft = ink(el, "soft-ink");
  const line = ink(el, "line-ink");
  const accent = ink(el, "accent-ink");
  const band = ink(el, "band-ink");
  const axis = { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif", gap: 6 };
  return {
    width: el.clientWidth,
    height,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), zone),
    legend: { show: false },
    cursor: { y: false, points: { size: 8, width: 2 }, drag: { x: false, y: false } },
    padding: [12, 12, 0, 0],
    scales: { x: { time: true }, y: { range: { min: { pad: 0.1, mode: 3, soft: Infinity }, max: { pad: 0.1, mode: 3, soft: -Infinity } } } },
    axes: [
      { ...axis, space: 70, size: 30, values: axisTimes(zone) },
      { ...axis, size: 56, values: (_u, splits) => splits.map((v) => num(v)) },
    ],
    series: [{}, { stroke: accent, width: 1.5, points: { show: (u) => (u.data[0]?.length ?? 0) < 60, size: 5 } }, { stroke: "transparent", points: { show: false } }, { stroke: "transparent", points: { show: false } }],
    bands: [{ series: [2, 3], fill: band }],
    hooks: {
      setCursor: [
        (u) => {
          const i = u.cursor.idx;
          const b = data();
          const at = i === null || i === undefined ? undefined : b.times[i];
          hover.value = at === undefined || i === null || i === undefined ? undefined : { at, low: b.low[i] ?? null, middle: b.middle[i] ?? null, high: b.high[i] ?? null };
        },
      ],
    },
  };
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

function label(b: Bins, name: string, unit: string | undefined): string {
  const all = totals(b);
  if (!all) return t("chart.empty.label", { name });
  return t("chart.label", { name, low: num(all.low), high: num(all.high), mean: num(all.mean), unit: unit ?? "" });
}

function Summary({ data, unit }: { data: Bins; unit: string | undefined }) {
  const all = totals(data);
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
