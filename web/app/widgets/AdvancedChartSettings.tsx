import type { Style } from "../chart/Plot";
import { type Key, t } from "../text";
import { Field } from "../ui/Field";
import { aggregationOf, aggregations, isRight, styleOf, styles } from "./chart/curves";
import { FlagOption } from "./field";
import { objectIn } from "./option";
import { RangeOption } from "./ShowSettings";
import type { SettingsProps } from "./widget";

const styleNames: Record<Style, Key> = { line: "curve.line", spline: "curve.spline", area: "curve.area", splineArea: "curve.splinearea", bar: "curve.bar" };

const aggregationNames: Record<(typeof aggregations)[number], Key> = {
  AVG: "aggregation.avg",
  MIN: "aggregation.min",
  MAX: "aggregation.max",
  SUM: "aggregation.sum",
  COUNT: "aggregation.count",
  PCT_50: "aggregation.median",
  PCT_90: "aggregation.ninety",
  PCT_95: "aggregation.ninetyfive",
  PCT_99: "aggregation.ninetynine",
};

// Settings of an Advanced Chart: how each variable is drawn, by the variable's ID.
export function Settings({ widget, vars, change }: SettingsProps) {
  const write = (name: "aggregation" | "format" | "axes", id: string, v: string): void => change({ [name]: { ...objectIn(widget.options[name]), [id]: v } });
  return (
    <div class="stack">
      <RangeOption widget={widget} change={change} />
      <FlagOption widget={widget} change={change} name="showLegend" label={t("widget.showlegend")} otherwise={true} />
      {vars.map((v) => (
        <fieldset class="w-curve" key={v.id}>
          <legend>{v.name}</legend>
          <div class="pair">
            <Field label={t("widget.curve.style")}>
              {(f) => (
                <select {...f} value={styleOf(widget, v.id)} onChange={(e) => write("format", v.id, e.currentTarget.value)}>
                  {styles.map((s) => (
                    <option key={s} value={s}>
                      {t(styleNames[s])}
                    </option>
                  ))}
                </select>
              )}
            </Field>
            <Field label={t("widget.curve.aggregation")}>
              {(f) => (
                <select {...f} value={aggregationOf(widget, v.id)} onChange={(e) => write("aggregation", v.id, e.currentTarget.value)}>
                  {aggregations.map((a) => (
                    <option key={a} value={a}>
                      {t(aggregationNames[a])}
                    </option>
                  ))}
                </select>
              )}
            </Field>
            <Field label={t("widget.curve.axis")}>
              {(f) => (
                <select {...f} value={isRight(widget, v.id) ? "right" : "left"} onChange={(e) => write("axes", v.id, e.currentTarget.value)}>
                  <option value="left">{t("widget.axis.left")}</option>
                  <option value="right">{t("widget.axis.right")}</option>
                </select>
              )}
            </Field>
          </div>
        </fieldset>
      ))}
    </div>
  );
}
