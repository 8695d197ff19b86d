import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { num } from "../../format";
import { lang, t } from "../../text";
import { Sign } from "../sign";
import { useBox } from "../use";
import { closest, land, unit } from "./land";
import { around, farthest, gridOf, metersAt, type Place, type Point, type Sight, sizeAt, toPlace, toWorld, unrolled } from "./mercator";

interface Props {
  label: string;
  here: Place | undefined; // where the pin is
  way: Place[]; // of before, the oldest first
  zoom: number; // at which here is shown, and the closest at which a way is
  sign: string; // in the pin; "" for none
  color: string; // of way and pin; "" for that of the page
  dash: string; // of the way, as stroke-dasharray has it
  children?: ComponentChildren; // what is said below
  onPoint?: (i: number | undefined) => void; // the pointer is at a point of the way
}

const step = 60; // px that an arrow moves the map by

// Atlas is a map of its own: the outline of the land, meridians and parallels, a way and a pin. It asks nobody for
// pictures of the world, so it tells nobody where one looks; a link leads to a map that has streets.
export function Atlas({ label, here, way, zoom, sign, color, dash, children, onPoint }: Props) {
  const { ref, width, height } = useBox<HTMLDivElement>();
  const [moved, move] = useState<Partial<Sight>>({});
  const points = useMemo(() => unrolled(way.map(toWorld)), [way]);
  const home: Sight = useMemo(() => {
    const pin = here ? toWorld(here) : undefined;
    if (points.length > 1) return around(pin ? unrolled([...points, pin]) : points, width, height, zoom);
    return { ...(pin ?? points[0] ?? { x: 0.5, y: 0.4 }), zoom: pin ?? points[0] ? zoom : 0 };
  }, [points, here?.lat, here?.lon, width, height, zoom]);
  const sight: Sight = { x: moved.x ?? home.x, y: moved.y ?? home.y, zoom: moved.zoom ?? home.zoom };
  const size = sizeAt(sight.zoom);
  const px = (p: Point): Point => ({ x: (p.x - sight.x) * size + width / 2, y: (p.y - sight.y) * size + height / 2 });
  // What is on the other side of the date line is beside the middle, too.
  const near = (p: Point): Point => px({ x: p.x - Math.round(p.x - sight.x), y: p.y });
  const pan = (dx: number, dy: number): void => move((m) => ({ ...m, x: wrapped(sight.x + dx / size), y: Math.min(1, Math.max(0, sight.y + dy / size)) }));
  const zoomBy = (by: number): void => move((m) => ({ ...m, zoom: Math.min(farthest, Math.max(0, Math.round((sight.zoom + by) * 2) / 2)) }));
  const current = useRef({ zoomBy });
  current.current = { zoomBy };
  useEffect(() => {
    const el = ref.current;
    // With a key held, as other maps have it: without one the wheel is the page's.
    const wheel = (e: WheelEvent): void => {
      if (!e.ctrlKey && !e.metaKey) return;
      e.preventDefault();
      current.current.zoomBy(e.deltaY < 0 ? 0.5 : -0.5);
    };
    el?.addEventListener("wheel", wheel, { passive: false });
    return () => el?.removeEventListener("wheel", wheel);
  }, []);

  const drag = useRef<{ x: number; y: number; from: Point } | undefined>(undefined);
  const shift = points.length ? Math.round((points.at(-1)?.x ?? 0) - sight.x) : 0;
  const line = points.map((p) => px({ x: p.x - shift, y: p.y }));
  const pin = here ? near(toWorld(here)) : undefined;
  const hover = (e: PointerEvent): void => {
    if (!onPoint || !line.length) return;
    const box = (e.currentTarget as Element).getBoundingClientRect();
    let best: { i: number; d: number } | undefined;
    line.forEach((p, i) => {
      const d = Math.hypot(p.x - (e.clientX - box.left), p.y - (e.clientY - box.top));
      if (d < 24 && (!best || d < best.d)) best = { i, d };
    });
    onPoint(best?.i);
  };
  return (
    <div class="w-map">
      <div
        class={sight.zoom > closest ? "w-map-sheet near" : "w-map-sheet"}
        ref={ref}
        role="group"
        aria-label={label}
        tabIndex={0}
        onKeyDown={(e) => {
          const to = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[e.key];
          if (e.target !== e.currentTarget || e.ctrlKey || e.metaKey || e.altKey) return;
          if (to) pan(to[0] ?? 0, to[1] ?? 0);
          else if (e.key === "+" || e.key === "=") zoomBy(1);
          else if (e.key === "-") zoomBy(-1);
          else if (e.key === "Home" || e.key === "0") move({});
          else return;
          e.preventDefault();
        }}
      >
        <svg
          width={width}
          height={height}
          aria-hidden="true"
          onPointerDown={(e) => {
            if (e.button !== 0) return;
            drag.current = { x: e.clientX, y: e.clientY, from: { x: sight.x, y: sight.y } };
            e.currentTarget.setPointerCapture(e.pointerId);
          }}
          onPointerMove={(e) => {
            const d = drag.current;
            if (!d) return hover(e);
            if (Math.hypot(e.clientX - d.x, e.clientY - d.y) > 3 || moved.x !== undefined) move((m) => ({ ...m, x: wrapped(d.from.x - (e.clientX - d.x) / size), y: Math.min(1, Math.max(0, d.from.y - (e.clientY - d.y) / size)) }));
          }}
          onPointerUp={() => (drag.current = undefined)}
          onPointerCancel={() => (drag.current = undefined)}
          onLostPointerCapture={() => (drag.current = undefined)}
          onPointerLeave={() => onPoint?.(undefined)}
          onDblClick={() => zoomBy(1)}
        >
          {width > 0 && <Ground sight={sight} width={width} height={height} />}
          {line.length > 1 && (
            <path
              class="w-way"
              d={"M" + line.map((p) => `${p.x.toFixed(1)} ${p.y.toFixed(1)}`).join("L")}
              stroke-dasharray={dash || undefined}
              ref={(e) => {
                if (e) e.style.stroke = color;
              }}
            />
          )}
          {line.length > 1 && <circle class="w-way-start" cx={line[0]?.x} cy={line[0]?.y} r="4" />}
          {pin && (
            <g
              class="w-pin"
              transform={`translate(${pin.x.toFixed(1)} ${pin.y.toFixed(1)})`}
              ref={(e) => {
                if (e) e.style.fill = color;
              }}
            >
              <path d="M0 0C-4-5.5-10-10-10-17a10 10 0 0 1 20 0C10-10 4-5.5 0 0z" />
              {sign ? (
                <svg class="w-pin-sign" x="-7" y="-24" width="14" height="14" viewBox="0 0 24 24">
                  <Sign name={sign} />
                </svg>
              ) : (
                <circle class="w-pin-hole" cx="0" cy="-17" r="3.5" />
              )}
            </g>
          )}
        </svg>
        <Scale sight={sight} />
        <div class="w-map-keys">
          <MapKey label={t("map.closer", { name: label })} text="+" onClick={() => zoomBy(1)} />
          <MapKey label={t("map.farther", { name: label })} text="−" onClick={() => zoomBy(-1)} />
          {(moved.x !== undefined || moved.zoom !== undefined) && <MapKey label={t("map.home", { name: label })} text="⌖" onClick={() => move({})} />}
        </div>
      </div>
      <div class="w-map-foot">
        {children}
        {here && (
          <a href={elsewhere(here, Math.max(13, Math.round(sight.zoom)))} target="_blank" rel="noopener noreferrer" title={t("map.elsewhere")}>
            {num(here.lat, 5)}, {num(here.lon, 5)}
          </a>
        )}
      </div>
    </div>
  );
}

const wrapped = (x: number): number => x - Math.floor(x);

// elsewhere is the place on OpenStreetMap, which has streets.
function elsewhere({ lat, lon }: Place, zoom: number): string {
  const at = `${lat.toFixed(5)}/${lon.toFixed(5)}`;
  return `https://www.openstreetmap.org/?mlat=${lat.toFixed(5)}&mlon=${lon.toFixed(5)}#map=${zoom}/${at}`;
}

function MapKey({ label, text, onClick }: { label: string; text: string; onClick: () => void }) {
  return (
    <button type="button" aria-label={label} title={label} onClick={onClick}>
      <span aria-hidden="true">{text}</span>
    </button>
  );
}

// Ground is what lies below: land as long as its outline is good enough, and the lines of the globe.
function Ground({ sight, width, height }: { sight: Sight; width: number; height: number }) {
  const size = sizeAt(sight.zoom);
  const grid = gridOf(sight, width, height);
  const x = (lon: number): number => (toWorld({ lat: 0, lon }).x - sight.x) * size + width / 2;
  const y = (lat: number): number => (toWorld({ lat, lon: 0 }).y - sight.y) * size + height / 2;
  const left = width / 2 - sight.x * size;
  const worlds = [-1, 0, 1].filter((turn) => left + turn * size < width && left + (turn + 1) * size > 0);
  return (
    <>
      {sight.zoom <= closest && worlds.map((turn) => <path key={turn} class="w-land" d={land()} transform={`translate(${left + turn * size} ${height / 2 - sight.y * size}) scale(${size / unit})`} vector-effect="non-scaling-stroke" />)}
      <path class="w-grid" d={grid.lons.map((lon) => `M${x(lon).toFixed(1)} 0V${height}`).join("") + grid.lats.map((lat) => `M0 ${y(lat).toFixed(1)}H${width}`).join("")} />
      {grid.lons.map((lon) => x(lon) > 30 && x(lon) < width - 30 && (
        <text key={lon} class="w-grid-text" x={x(lon) + 3} y={11}>
          {degrees(lon > 180 ? lon - 360 : lon < -180 ? lon + 360 : lon, grid.digits)}
        </text>
      ))}
      {grid.lats.map((lat) => y(lat) > 24 && y(lat) < height - 22 && (
        <text key={lat} class="w-grid-text" x={3} y={y(lat) - 3}>
          {degrees(lat, grid.digits)}
        </text>
      ))}
    </>
  );
}

const degrees = (n: number, digits: number): string => num(n === 0 ? 0 : n, digits) + "°"; // and not -0

// Scale is a length on the map, and how long it is in the world.
function Scale({ sight }: { sight: Sight }) {
  const per = metersAt(toPlace(sight).lat, sight.zoom);
  const wanted = per * 80;
  const ten = 10 ** Math.floor(Math.log10(wanted));
  const meters = [5, 2, 1].map((n) => n * ten).find((m) => m <= wanted) ?? ten;
  const unitName = meters >= 1000 ? "kilometer" : "meter";
  return (
    <span
      class="w-map-scale"
      aria-hidden="true"
      ref={(e) => {
        if (e) e.style.inlineSize = meters / per + "px";
      }}
    >
      {new Intl.NumberFormat(lang, { style: "unit", unit: unitName }).format(meters >= 1000 ? meters / 1000 : meters)}
    </span>
  );
}
