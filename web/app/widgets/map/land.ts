// The outline of the land, as TopoJSON has it (world-atlas, from Natural Earth, which is in the public domain): enough to
// see where in the world something is.
import atlas from "world-atlas/land";
import { toWorld } from "./mercator";

export const unit = 1024; // of the path, for the world's side

// Closer than this the outline would be wrong by more than is seen.
export const closest = 8;

let drawn: string | undefined;

// land is the outline as a path of SVG, in units of 1024 for the world.
export function land(): string {
  if (drawn !== undefined) return drawn;
  const { scale, translate } = atlas.transform;
  const arcs = atlas.arcs.map((arc) => {
    let [x, y] = [0, 0];
    return arc.map(([dx = 0, dy = 0]) => {
      x += dx;
      y += dy;
      const p = toWorld({ lon: x * (scale[0] ?? 1) + (translate[0] ?? 0), lat: y * (scale[1] ?? 1) + (translate[1] ?? 0) });
      return `${(p.x * unit).toFixed(2)} ${(p.y * unit).toFixed(2)}`;
    });
  });
  const ring = (all: number[]): string => "M" + all.flatMap((i, n) => (i < 0 ? [...(arcs[~i] ?? [])].reverse() : (arcs[i] ?? [])).slice(n ? 1 : 0)).join("L") + "Z";
  return (drawn = atlas.objects.land.geometries.flatMap((g) => g.arcs.flatMap((polygon) => polygon.map(ring))).join(""));
}
