import { num, shown } from "../format";
import { toHex, type HSB } from "../model/color";
import { isNumber, kindOf } from "../model/kind";
import { t } from "../text";
import type { ViewProps } from "./widget";

// View is the last value, as large as there is room for.
export function View({ widget, vars, values, stale }: ViewProps) {
  const variable = vars[0];
  const last = values[0];
  if (!variable || !last) return null;
  const kind = kindOf(variable.type);
  const { decimals, unit } = widget.options;
  const n = Number(decimals ?? NaN);
  const text = isNumber(kind) && typeof last.value === "number" && n >= 0 ? num(last.value, n) : shown(kind, last.value, variable.thing_timezone.name);
  return (
    <p class={["w-value", stale && "old", `is-${kind}`].filter(Boolean).join(" ")}>
      {kind === "color" && last.at && (
        <span
          class="swatch"
          aria-hidden="true"
          ref={(e) => {
            if (e) e.style.backgroundColor = toHex(last.value as HSB);
          }}
        />
      )}
      <span class="value-text">{last.at ? text : t("value.none")}</span>
      {last.at && typeof unit === "string" && unit && <small>{unit}</small>}
    </p>
  );
}
