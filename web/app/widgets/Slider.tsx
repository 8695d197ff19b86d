import { useState } from "preact/hooks";
import { num } from "../format";
import { t } from "../text";
import { flagIn, numberIn, rangeIn } from "./option";
import { fit, isWhole, look, nameOf, unitIn, useSet } from "./use";
import type { ViewProps } from "./widget";

// View is a slider. It sets when it is let go; where it is moved to shows at once.
export function View(p: ViewProps) {
  const s = useSet(p);
  const [moved, move] = useState<number | undefined>(undefined);
  const { min, max } = rangeIn(p.widget.options);
  const whole = isWhole(s.variable);
  const wanted = numberIn(p.widget.options.step);
  // As fine as a hundredth of the range, where nothing else is said.
  const step = wanted && wanted > 0 ? wanted : whole ? 1 : "any";
  const grain = 10 ** Math.floor(Math.log10((max - min) / 100));
  // A number without what adding up steps leaves: 0.30000000000000004.
  const clean = (n: number): number => Number((step === "any" ? Math.round(n / grain) * grain : n).toPrecision(12));
  const value = moved ?? numberIn(s.value);
  const unit = unitIn(p.widget, s.variable);
  const text = value === undefined ? t("value.none") : num(value);
  return (
    <div {...look("w-slider", p, s.busy)}>
      {flagIn(p.widget.options.showValue, true) && (
        <output class={value === undefined ? "w-none" : "w-number"} ref={fit(`${text} ${unit}`)}>
          {text} {value !== undefined && unit && <small>{unit}</small>}
        </output>
      )}
      <div class="w-slider-track">
        <small aria-hidden="true">{num(min)}</small>
        <input
          type="range"
          aria-label={nameOf(p.widget, s.variable)}
          aria-valuetext={`${text} ${unit}`.trim()}
          aria-busy={s.busy || undefined}
          min={min}
          max={max}
          step={step}
          disabled={p.readOnly}
          value={value ?? min}
          onInput={(e) => move(clean(Number(e.currentTarget.value)))}
          onChange={(e) => {
            void s.send(clean(Number(e.currentTarget.value)));
            move(undefined);
          }}
        />
        <small aria-hidden="true">{num(max)}</small>
      </div>
    </div>
  );
}
