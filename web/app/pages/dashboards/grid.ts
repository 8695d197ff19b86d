// Where widgets stand: a grid of cells, 24 columns on a wide screen and 8 on a phone. Everything here is arithmetic.
import type { Places } from "../../model/dashboard";
import { kindNamed } from "../../widgets";

export interface Spot {
  x: number;
  y: number;
  w: number;
  h: number;
}

export type Spots = Map<string, Spot>; // by the ID of the widget

export const columns = (mobile: boolean): number => (mobile ? 8 : 24);
export const rowHeight = 40; // px, also in board.css

interface Placed extends Places {
  id: string;
  type: string;
}

const unknown = { w: 6, h: 4, minW: 2, minH: 2 };

export function sizeOf(type: string): { w: number; h: number; minW: number; minH: number } {
  return kindNamed(type)?.size ?? unknown;
}

const clamp = (n: number, low: number, high: number): number => Math.min(Math.max(n, low), Math.max(low, high));

// inside is a spot that a grid has: no wider than that, and not beyond its edges.
function inside(s: Spot, most: number): Spot {
  const w = clamp(s.w, 1, most);
  return { w, h: clamp(s.h, 1, 200), x: clamp(s.x, 0, most - w), y: Math.max(0, s.y) };
}

export function overlap(a: Spot, b: Spot): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

const free = (s: Spot, taken: Iterable<Spot>): boolean => {
  for (const one of taken) if (overlap(s, one)) return false;
  return true;
};

// inOrder are widgets as they are read: line by line.
export function inOrder<T extends { id: string }>(all: T[], spots: Spots): T[] {
  const at = (one: T): Spot => spots.get(one.id) ?? { x: 0, y: 0, w: 1, h: 1 };
  return [...all].sort((a, b) => at(a).y - at(b).y || at(a).x - at(b).x);
}

// settle moves down what would lie on something else; what is higher stays.
function settle(spots: Spots): Spots {
  const out: Spots = new Map();
  const order = [...spots].sort(([, a], [, b]) => a.y - b.y || a.x - b.x);
  for (const [id, s] of order) {
    let at = s;
    while (!free(at, out.values())) at = { ...at, y: at.y + 1 };
    out.set(id, at);
  }
  return out;
}

// spotsOf is where the widgets of one page stand. What nobody said of phones follows the order of the wide grid.
export function spotsOf(widgets: Placed[], mobile: boolean): Spots {
  const most = columns(mobile);
  const wide: Spots = new Map();
  for (const w of widgets) {
    const size = sizeOf(w.type);
    wide.set(w.id, inside({ x: w.x, y: w.y, w: w.width || size.w, h: w.height || size.h }, columns(false)));
  }
  if (!mobile) return settle(wide);
  const said: Spots = new Map();
  for (const w of widgets) {
    if (w.x_mobile === undefined || w.y_mobile === undefined || !w.width_mobile || !w.height_mobile) continue;
    said.set(w.id, inside({ x: w.x_mobile, y: w.y_mobile, w: w.width_mobile, h: w.height_mobile }, most));
  }
  const out = settle(said);
  for (const w of inOrder(widgets, wide)) {
    if (out.has(w.id)) continue;
    const s = wide.get(w.id);
    if (s) out.set(w.id, nextFree(out, narrow(w.type, s), most));
  }
  return out;
}

// narrow is how large a widget is on a phone: half as wide as the screen, or as wide.
function narrow(type: string, s: Spot): { w: number; h: number } {
  return { w: s.w <= 6 && sizeOf(type).minW <= 4 ? 4 : 8, h: s.h };
}

// nextFree is the first free place for something that comes last: beside what ends the grid, else below.
export function nextFree(spots: Spots, size: { w: number; h: number }, most: number): Spot {
  const w = Math.min(size.w, most);
  const last = [...spots.values()].reduce((y, s) => Math.max(y, s.y), 0);
  for (let y = last; ; y++)
    for (let x = 0; x + w <= most; x++) {
      const at = { x, y, w, h: size.h };
      if (free(at, spots.values())) return at;
    }
}

// place puts one widget somewhere, as it was before the pointer took it. Who is in the way goes where the widget came from if
// there is room for it, else down; all others stay.
export function place(before: Spots, id: string, to: Spot, mobile: boolean): Spots {
  const was = before.get(id);
  const moved = inside(to, columns(mobile));
  const out: Spots = new Map([[id, moved]]);
  const others = [...before].filter(([other]) => other !== id).sort(([, a], [, b]) => a.y - b.y || a.x - b.x);
  const away: [string, Spot][] = [];
  for (const [other, s] of others) {
    if (overlap(s, moved)) away.push([other, s]);
    else out.set(other, s);
  }
  for (const [other, s] of away) {
    const swaps = was && was.w === moved.w && was.h === moved.h ? swap(s, was, moved) : [];
    const there = swaps.find((at) => at.x >= 0 && at.x + at.w <= columns(mobile) && at.y >= 0 && free(at, out.values()));
    if (there) out.set(other, there);
    else push(out, other, { ...s, y: moved.y + moved.h });
  }
  return out;
}

// swap are places that a move has made free for who is in the way: beside or above where it was.
function swap(s: Spot, was: Spot, moved: Spot): Spot[] {
  const all: Spot[] = [];
  if (moved.y > was.y) all.push({ ...s, y: was.y }, { ...s, y: moved.y - s.h });
  if (moved.x > was.x) all.push({ ...s, x: was.x }, { ...s, x: moved.x - s.w });
  if (moved.x < was.x) all.push({ ...s, x: was.x + was.w - s.w }, { ...s, x: moved.x + moved.w });
  return all;
}

// push puts something at a place, and what lies there below it.
function push(out: Spots, id: string, at: Spot): void {
  const below = [...out].filter(([other, s]) => other !== id && overlap(s, at)).sort(([, a], [, b]) => a.y - b.y);
  const fixed = below.find(([, s]) => s.y < at.y);
  if (fixed) {
    push(out, id, { ...at, y: fixed[1].y + fixed[1].h }); // what began above stays
    return;
  }
  out.set(id, at);
  for (const [other, s] of below) {
    out.delete(other);
    push(out, other, { ...s, y: at.y + at.h });
  }
}

// tidy closes gaps: everything goes up as far as it can.
export function tidy(spots: Spots): Spots {
  const out: Spots = new Map();
  for (const [id, s] of [...spots].sort(([, a], [, b]) => a.y - b.y || a.x - b.x)) {
    let at = s;
    while (at.y > 0 && free({ ...at, y: at.y - 1 }, out.values())) at = { ...at, y: at.y - 1 };
    out.set(id, at);
  }
  return out;
}

// heightOf is how many rows a grid has.
export function heightOf(spots: Iterable<Spot>): number {
  let rows = 0;
  for (const s of spots) rows = Math.max(rows, s.y + s.h);
  return rows;
}
