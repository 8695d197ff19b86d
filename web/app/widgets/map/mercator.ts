// Places on a map: the world is a square whose sides are 1, as web maps have it (EPSG:3857).

export interface Place {
  lat: number; // degrees
  lon: number;
}

export interface Point {
  x: number;
  y: number;
}

const edge = 85.0511; // degrees: there the square ends
export const tile = 256; // px, of the world at zoom 0
export const farthest = 19; // zoom
export const usualZoom = 5; // a country

export function toWorld({ lat, lon }: Place): Point {
  const s = Math.sin((Math.min(edge, Math.max(-edge, lat)) * Math.PI) / 180);
  return { x: lon / 360 + 0.5, y: 0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI) };
}

export function toPlace({ x, y }: Point): Place {
  return { lat: (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI, lon: (x - 0.5) * 360 };
}

// placeIn reads a value of the type LOCATION.
export function placeIn(value: unknown): Place | undefined {
  const { lat, lon } = (value ?? {}) as Partial<Place>;
  return typeof lat === "number" && typeof lon === "number" && Math.abs(lat) <= 90 && Math.abs(lon) <= 360 ? { lat, lon } : undefined;
}

// unrolled are points in a row, each beside the one before it: a way over the date line does not go around the world.
export function unrolled(all: Point[]): Point[] {
  let turn = 0;
  return all.map((p, i) => {
    const before = all[i - 1];
    if (before && p.x - before.x > 0.5) turn--;
    if (before && p.x - before.x < -0.5) turn++;
    return { x: p.x + turn, y: p.y };
  });
}

// A Sight is what is seen: the middle, and how large the world is.
export interface Sight extends Point {
  zoom: number;
}

export const sizeAt = (zoom: number): number => tile * 2 ** zoom;

// around is the sight that has all points in a box of pixels.
export function around(all: Point[], width: number, height: number, closest: number): Sight {
  const xs = all.map((p) => p.x);
  const ys = all.map((p) => p.y);
  const low = { x: Math.min(...xs), y: Math.min(...ys) };
  const high = { x: Math.max(...xs), y: Math.max(...ys) };
  const fits = (px: number, part: number): number => (part > 0 ? Math.log2((Math.max(40, px - 60) / tile) * (1 / part)) : closest);
  const zoom = Math.min(closest, fits(width, high.x - low.x), fits(height, high.y - low.y));
  return { x: (low.x + high.x) / 2, y: (low.y + high.y) / 2, zoom: Math.max(0, zoom) };
}

// metersAt is how many metres a pixel is.
export const metersAt = (lat: number, zoom: number): number => (40_075_016.7 * Math.cos((lat * Math.PI) / 180)) / sizeAt(zoom);

const degrees = [90, 60, 30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001];

export interface Grid {
  lons: number[];
  lats: number[];
  digits: number; // that tell two lines apart
}

// gridOf are the meridians and parallels of a sight, not closer than about 90 pixels.
export function gridOf(s: Sight, width: number, height: number): Grid {
  const size = sizeAt(s.zoom);
  const wanted = (360 / size) * 90;
  const step = [...degrees].reverse().find((d) => d >= wanted) ?? 90;
  const low = toPlace({ x: s.x - width / 2 / size, y: Math.min(1, s.y + height / 2 / size) });
  const high = toPlace({ x: s.x + width / 2 / size, y: Math.max(0, s.y - height / 2 / size) });
  const lines = (from: number, to: number): number[] => {
    const out: number[] = [];
    for (let n = Math.ceil(from / step); n * step <= to && out.length < 60; n++) out.push(n * step);
    return out;
  };
  return { lons: lines(low.lon, high.lon), lats: lines(low.lat, high.lat), digits: Math.max(0, Math.ceil(-Math.log10(step))) };
}
