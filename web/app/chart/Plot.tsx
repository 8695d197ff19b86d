import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { num } from "../format";
import { looks } from "../shell/theme";
import { t } from "../text";
import { axisTimes } from "./axis";

export type Style = "line" | "spline" | "area" | "splineArea" | "bar";

// A Curve is how one column of the data is drawn.
export interface Curve {
  ink: string; // a class of chart.css: accent, or k0 to k5
  style: Style;
  right?: boolean; // its axis is the one on the right
  hidden?: boolean;
}

export interface PlotProps {
  curves: Curve[];
  data: () => uPlot.AlignedData; // times in seconds, and a column for each curve; with band, two more: highest and lowest
  tick: unknown; // another one each time that there is other data
  band?: boolean;
  span: () => [number, number]; // what is seen, in seconds
  zone: string;
  label: string;
  onHover: (i: number | undefined) => void; // the row of the data that somebody points at
  canvas?: RefObject<HTMLCanvasElement | null>; // the picture, for who wants to keep it
}

const pace = 200; // ms between two drawings at least

// Plot draws curves over time, in whatever room there is. However often data comes, it is drawn a few times a second.
export function Plot(p: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(p);
  const drawn = useRef(0); // when it was drawn last
  const waiting = useRef(0); // the timer of the next time
  latest.current = p;
  const shape = JSON.stringify(p.curves.map((c) => [c.ink, c.style, c.right]));
  const hidden = JSON.stringify(p.curves.map((c) => c.hidden === true));

  useEffect(() => {
    const el = box.current;
    if (!el) return undefined;
    const u = new uPlot(options(el, latest), latest.current.data(), el);
    plot.current = u;
    if (p.canvas) p.canvas.current = u.ctx.canvas;
    slide(u, latest.current);
    const sized = new ResizeObserver(() => u.setSize({ width: el.clientWidth, height: el.clientHeight }));
    sized.observe(el);
    return () => {
      sized.disconnect();
      u.destroy();
      plot.current = null;
    };
  }, [shape, p.zone, p.band, looks.value]);

  useEffect(() => {
    if (waiting.current) return;
    const draw = (): void => {
      waiting.current = 0;
      drawn.current = performance.now();
      const u = plot.current;
      if (!u) return;
      u.setData(latest.current.data(), false);
      slide(u, latest.current);
    };
    waiting.current = setTimeout(() => requestAnimationFrame(draw), Math.max(0, drawn.current + pace - performance.now())) as unknown as number;
  }, [p.tick]);

  useEffect(() => {
    latest.current.curves.forEach((c, i) => plot.current?.setSeries(i + 1, { show: !c.hidden }));
  }, [hidden, shape]);

  // Arrows go from one moment to the next, as the pointer does.
  const point = (by: number): void => {
    const u = plot.current;
    const times = u?.data[0];
    if (!u || !times?.length) return;
    const i = Math.min(times.length - 1, Math.max(0, (u.cursor.idx ?? times.length) + by));
    u.setCursor({ left: u.valToPos(times[i] ?? 0, "x"), top: 0 });
  };
  return (
    <div
      class="plot"
      ref={box}
      role="img"
      aria-label={p.label}
      tabIndex={0}
      onKeyDown={(e) => {
        if (e.key !== "ArrowLeft" && e.key !== "ArrowRight") return;
        e.preventDefault();
        point(e.key === "ArrowLeft" ? -1 : 1);
      }}
      onBlur={() => plot.current?.setCursor({ left: -10, top: -10 })}
    >
      {!p.data()[0].length && <p class="plot-none">{t("chart.none")}</p>}
    </div>
  );
}

function slide(u: uPlot, p: PlotProps): void {
  const [min, max] = p.span();
  u.setScale("x", { min, max });
}

// ink is a colour of the style sheet, as it is at this moment, for a canvas that knows no style sheets.
export function ink(el: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.className = "probe " + name;
  el.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

function options(el: HTMLElement, latest: { current: PlotProps }): uPlot.Options {
  const { curves, band, zone } = latest.current;
  const line = ink(el, "line-ink");
  const axis = { stroke: ink(el, "soft-ink"), grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif", gap: 6 };
  const numbers: uPlot.Axis = { ...axis, size: widest, values: (_u, splits) => splits.map((v) => num(v)) };
  const scale: uPlot.Scale = { range: { min: { pad: 0.1, mode: 3, soft: Infinity }, max: { pad: 0.1, mode: 3, soft: -Infinity } } };
  const right = curves.some((c) => c.right);
  const unseen: uPlot.Series = { stroke: "transparent", points: { show: false } };
  return {
    width: el.clientWidth,
    height: el.clientHeight,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), zone),
    legend: { show: false },
    cursor: { y: false, points: { size: 8, width: 2 }, drag: { x: false, y: false } },
    padding: [12, right ? 0 : 12, 0, 0],
    scales: { x: { time: true }, y: scale, ...(right && { right: scale }) },
    axes: [{ ...axis, space: 70, size: 30, values: axisTimes(zone) }, numbers, ...(right ? [{ ...numbers, scale: "right", side: 1, grid: { show: false } } as uPlot.Axis] : [])],
    series: [
      {},
      ...curves.map((c): uPlot.Series => {
        const area = c.style === "area" || c.style === "splineArea" || c.style === "bar";
        const paths = c.style === "spline" || c.style === "splineArea" ? uPlot.paths.spline?.() : c.style === "bar" ? uPlot.paths.bars?.({ size: [0.8, 40] }) : undefined;
        return {
          scale: c.right ? "right" : "y",
          stroke: ink(el, c.ink + "-ink"),
          width: 1.5,
          show: !c.hidden,
          ...(area && { fill: ink(el, c.ink + "-ink area") }),
          ...(paths && { paths }),
          points: { show: (u) => c.style !== "bar" && (u.data[0]?.length ?? 0) < 60, size: 5 },
        };
      }),
      ...(band ? [unseen, unseen] : []),
    ],
    bands: band ? [{ series: [2, 3], fill: ink(el, "band-ink") }] : [],
    hooks: { setCursor: [(u) => latest.current.onHover(u.cursor.idx ?? undefined)] },
  };
}

// widest is the room that the numbers of an axis take.
const widest = (_u: uPlot, values: string[]): number => Math.max(36, Math.min(90, 14 + 7 * Math.max(0, ...(values ?? []).map((v) => v.length))));
