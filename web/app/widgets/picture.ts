// Pictures, and what is on them. Markers of an image map, as its option markersSettings has them: which property, and where on the picture, in hundredths
// of its width and height.
import { listIn, numberIn, objectIn, textIn } from "./option";
import type { Variable } from "./widget";

export interface Marker {
  property: string;
  x: number;
  y: number;
  label: string;
  rest: Record<string, unknown>; // what another client wrote, kept as it is
}

export const mostMarkers = 100;

export function markersIn(v: unknown): Marker[] {
  return listIn(v)
    .map(objectIn)
    .slice(0, mostMarkers)
    .map((m) => ({ property: textIn(m.property).toLowerCase(), x: inPicture(numberIn(m.x) ?? 50), y: inPicture(numberIn(m.y) ?? 50), label: textIn(m.label), rest: m }));
}

export const inPicture = (n: number): number => Math.min(100, Math.max(0, Math.round(n * 10) / 10));

export const writeMarkers = (all: Marker[]): Record<string, unknown>[] => all.map((m) => ({ ...m.rest, property: m.property, x: m.x, y: m.y, label: m.label || undefined }));

// placed are markers with one for each variable: those that nobody placed stand in a row.
export function placed(markers: Marker[], vars: Variable[]): Marker[] {
  const known = markers.filter((m) => vars.some((v) => v.id === m.property));
  const missing = vars.filter((v) => !markers.some((m) => m.property === v.id));
  return [...known, ...missing.map((v, i) => ({ property: v.id, x: inPicture(((i + 1) * 100) / (missing.length + 1)), y: 50, label: "", rest: {} }))];
}

// put places an element. Its style is set on itself: pages may have none in their text.
export function put(e: HTMLElement | null, m: { x: number; y: number }): void {
  if (!e) return;
  e.style.left = m.x + "%";
  e.style.top = m.y + "%";
}

// pictureOf is where a picture is had from: one of another server by way of this one, which fetches it.
export const pictureOf = (url: string, elsewhere: string | undefined): string => (/^https?:\/\//i.test(url) ? (elsewhere ?? "") : url);
