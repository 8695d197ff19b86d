import { num } from "../format";
import { t } from "../text";
import { numberIn, rangeIn } from "./option";
import { look, nameOf, unitIn } from "./use";
import type { ViewProps } from "./widget";

const from = -210; // degrees, of the lower end
const sweep = 240;
const r = 42;

const at = (part: number, radius: number): string => {
  const a = ((from + sweep * part) * Math.PI) / 180;
  return `${(50 + radius * Math.cos(a)).toFixed(2)} ${(50 + radius * Math.sin(a)).toFixed(2)}`;
};

const arc = (to: number): string => `M${at(0, r)}A${r} ${r} 0 ${sweep * to > 180 ? 1 : 0} 1 ${at(to, r)}`;

// View is a number on a dial. What is beyond an end stands at it, and the number says what it is.
export function View(p: ViewProps) {
  const value = numberIn(p.values[0]?.at ? p.values[0].value : undefined);
  const { min, max } = rangeIn(p.widget.options);
  const unit = unitIn(p.widget, p.vars[0]);
  const part = value === undefined ? 0 : Math.min(1, Math.max(0, (value - min) / (max - min)));
  const decimals = numberIn(p.widget.options.decimals);
  const text = value === undefined ? "–" : num(value, decimals);
  const out = value !== undefined && (value < min || value > max);
  const name = nameOf(p.widget, p.vars[0]);
  return (
    <div {...look("w-gauge", p)}>
      <svg
        viewBox="0 0 100 82"
        role="meter"
        aria-label={name}
        aria-valuemin={min}
        aria-valuemax={max}
        aria-valuenow={value === undefined ? min : Math.min(max, Math.max(min, value))}
        aria-valuetext={value === undefined ? t("value.none") : `${text} ${unit}`.trim()}
      >
        <path class="w-gauge-track" d={arc(1)} />
        {value !== undefined && part > 0.001 && <path class={out ? "w-gauge-arc out" : "w-gauge-arc"} d={arc(part)} />}
        {value !== undefined && <path class="w-gauge-hand" d={`M${at(part, r - 7)}L${at(part, r + 3.5)}`} />}
        <text class="w-gauge-value" x="50" y="53" text-anchor="middle" textLength={text.length > 7 ? 58 : undefined} lengthAdjust="spacingAndGlyphs">
          {text}
        </text>
        <text class="w-gauge-unit" x="50" y="65" text-anchor="middle">
          {value === undefined ? t("value.none") : unit}
        </text>
        <text class="w-gauge-end" x="17" y="81" text-anchor="middle">
          {num(min)}
        </text>
        <text class="w-gauge-end" x="83" y="81" text-anchor="middle">
          {num(max)}
        </text>
      </svg>
    </div>
  );
}
