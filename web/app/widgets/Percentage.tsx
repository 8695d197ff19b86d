import { num } from "../format";
import { t } from "../text";
import { colorIn, numberIn, rangeIn, textIn } from "./option";
import { Sign, signs } from "./sign";
import { look, nameOf } from "./use";
import type { ViewProps } from "./widget";

const r = 40;
const round = 2 * Math.PI * r;

// View is how much of a range there is, on a ring. Above and below a threshold it has different colours.
export function View(p: ViewProps) {
  const value = numberIn(p.values[0]?.at ? p.values[0].value : undefined);
  const { min, max } = rangeIn(p.widget.options);
  const { threshold, icon, colorAbove, colorBelow } = p.widget.options;
  const part = value === undefined ? 0 : (value - min) / (max - min);
  const limit = numberIn(threshold);
  const side = value === undefined || limit === undefined ? "" : value < limit ? "below" : "above";
  const color = side === "below" ? colorIn(colorBelow) : side === "above" ? colorIn(colorAbove) : "";
  const text = value === undefined ? t("value.none") : t("widget.percent", { n: num(Math.round(part * 1000) / 10) });
  const sign = textIn(icon);
  return (
    <div
      {...look(["w-percent", side, color && "own"].filter(Boolean).join(" "), p)}
      ref={(e) => {
        if (e) e.style.setProperty("--own", color || "transparent");
      }}
    >
      <div class="w-percent-ring" role="meter" aria-label={nameOf(p.widget, p.vars[0])} aria-valuemin={min} aria-valuemax={max} aria-valuenow={value === undefined ? min : Math.min(max, Math.max(min, value))} aria-valuetext={text}>
        <svg viewBox="0 0 100 100" aria-hidden="true">
          <circle class="w-gauge-track" cx="50" cy="50" r={r} />
          {part > 0 && <circle class="w-percent-arc" cx="50" cy="50" r={r} transform="rotate(-90 50 50)" stroke-dasharray={`${(Math.min(1, part) * round).toFixed(2)} ${round.toFixed(2)}`} />}
        </svg>
        <div class="w-percent-in" aria-hidden="true">
          {sign in signs && <Sign name={sign} />}
          <span class={value === undefined ? "w-none" : undefined}>{text}</span>
        </div>
      </div>
    </div>
  );
}
