import { num } from "../format";
import { t } from "../text";
import { numberIn } from "./option";
import { fit, look, nameOf, unitIn, useSet } from "./use";
import type { ViewProps } from "./widget";

// View is a number with a button for less and one for more.
export function View(p: ViewProps) {
  const s = useSet(p);
  const value = numberIn(s.value);
  const wanted = numberIn(p.widget.options.step);
  const step = wanted && wanted > 0 ? wanted : 1;
  const min = numberIn(p.widget.options.min) ?? -Infinity;
  const max = numberIn(p.widget.options.max) ?? Infinity;
  const unit = unitIn(p.widget, s.variable);
  const name = nameOf(p.widget, s.variable);
  const by = (n: number): void => void s.send(Number(Math.min(max, Math.max(min, (value ?? Math.max(0, min)) + n)).toPrecision(12)));
  return (
    <div {...look("w-stepper", p, s.busy)} role="group" aria-label={name}>
      <button type="button" class="w-step" aria-label={t("widget.less", { name })} disabled={p.readOnly || (value ?? 0) <= min} onClick={() => by(-step)}>
        <span aria-hidden="true">−</span>
      </button>
      <output class={value === undefined ? "w-none" : "w-number"} ref={fit(`${value === undefined ? "" : num(value)} ${unit}`)}>
        {value === undefined ? t("value.none") : num(value)} {value !== undefined && unit && <small>{unit}</small>}
      </output>
      <button type="button" class="w-step" aria-label={t("widget.more", { name })} disabled={p.readOnly || (value ?? 0) >= max} onClick={() => by(step)}>
        <span aria-hidden="true">+</span>
      </button>
    </div>
  );
}
