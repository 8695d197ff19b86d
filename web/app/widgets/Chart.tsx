import { isNumber, kindOf } from "../model/kind";
import { Numbers } from "./chart/Numbers";
import { Timeline } from "./chart/Timeline";
import { Ranges, useRange } from "./range";
import { look, nameOf } from "./use";
import type { ViewProps } from "./widget";

// View is the course of one variable: a line of numbers with its lowest and highest, or a stripe of states.
export function View(p: ViewProps) {
  const range = useRange(p.widget, "1d");
  const variable = p.vars[0];
  const name = nameOf(p.widget, variable);
  if (!variable) return null;
  return (
    <div {...look("w-chart", p)}>
      <Ranges range={range} name={name} />
      {isNumber(kindOf(variable.type)) ? <Numbers key={range.key} p={p} variable={variable} name={name} range={range} /> : <Timeline key={range.key} p={p} variable={variable} name={name} range={range} />}
    </div>
  );
}
