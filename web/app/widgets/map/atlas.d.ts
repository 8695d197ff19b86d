// What web/vendor/world-atlas/land-110m.json is: TopoJSON of one object.
declare const atlas: {
  objects: { land: { geometries: { arcs: number[][][] }[] } };
  arcs: number[][][];
  transform: { scale: number[]; translate: number[] };
};
export default atlas;
