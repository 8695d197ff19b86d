// How an Advanced Chart draws each of its variables: its options are maps by the variable's ID.
import uPlot from "uplot";
import type { Style } from "../../chart/Plot";
import { objectIn, textIn } from "../option";
import type { Variable, Widget } from "../widget";

export const aggregations = ["AVG", "MIN", "MAX", "SUM", "COUNT", "PCT_50", "PCT_90", "PCT_95", "PCT_99"] as const;
export const styles: Style[] = ["line", "spline", "area", "splineArea", "bar"];

export interface Drawn {
  variable: Variable;
  name: string;
  ink: string;
  style: Style;
  aggregation: string;
  right: boolean;
}

// word is what an option says of a variable: a word, or an object that has it.
const word = (all: unknown, id: string): string => {
  const of = objectIn(all);
  const v = of[id] ?? of[id.toUpperCase()];
  return textIn(v) || textIn(objectIn(v).type) || textIn(objectIn(v).style);
};

export function styleOf(widget: Widget, id: string): Style {
  const said = word(widget.options.format, id).toLowerCase().replace(/[\s_-]/g, "");
  return styles.find((s) => s.toLowerCase() === said) ?? (said === "linearea" ? "area" : "line");
}

export const aggregationOf = (widget: Widget, id: string): string => aggregations.find((a) => a === word(widget.options.aggregation, id).toUpperCase()) ?? "AVG";

export const isRight = (widget: Widget, id: string): boolean => word(widget.options.axes, id).toLowerCase() === "right";

export function curvesOf(widget: Widget, vars: Variable[]): Drawn[] {
  const several = new Set(vars.map((v) => v.thing_id)).size > 1;
  return vars.slice(0, 5).map((variable, i) => ({
    variable,
    name: several ? `${variable.thing_name} · ${variable.name}` : variable.name,
    ink: "k" + i,
    style: styleOf(widget, variable.id),
    aggregation: aggregationOf(widget, variable.id),
    right: isRight(widget, variable.id),
  }));
}

export interface Series {
  id: string;
  times: number[];
  values: (number | null)[];
}

// inStep puts series into one table: a column of times, and one for each of them.
export function inStep(all: Series[]): uPlot.AlignedData {
  if (all.length < 2) return [all[0]?.times ?? [], all[0]?.values ?? []];
  return uPlot.join(all.map((s) => [s.times, s.values]));
}
