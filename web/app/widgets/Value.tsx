import type { ComponentType } from "preact";
import { useState } from "preact/hooks";
import { num, shown } from "../format";
import { toHex, type HSB } from "../model/color";
import { isNumber, kindOf } from "../model/kind";
import { t } from "../text";
import { Button } from "../ui/Button";
import { numberIn } from "./option";
import { fit, look, nameOf, unitIn, useSet } from "./use";
import type { EditProps } from "./ValueEdit";
import type { ViewProps } from "./widget";

// View is the last value, as large as there is room for. One that people may write has a way to.
export function View(p: ViewProps) {
  const s = useSet(p);
  const [Edit, edit] = useState<ComponentType<EditProps> | undefined>(undefined);
  const variable = s.variable;
  if (!variable) return null;
  const kind = kindOf(variable.type);
  const decimals = numberIn(p.widget.options.decimals);
  const unit = isNumber(kind) ? unitIn(p.widget, variable) : "";
  const n = isNumber(kind) && typeof s.value === "number" ? s.value : undefined;
  const text = n !== undefined && decimals !== undefined && decimals >= 0 ? num(n, decimals) : shown(kind, s.value, variable.thing_timezone.name);
  return (
    <div {...look(`w-value is-${kind}`, p, s.busy)} ref={fit(s.known ? `${text} ${unit}` : "")}>
      <p class={s.known ? undefined : "w-none"} tabIndex={s.known && (kind === "text" || kind === "free") ? 0 : undefined}>
        {kind === "color" && s.known && (
          <span
            class="swatch"
            aria-hidden="true"
            ref={(e) => {
              if (e) e.style.backgroundColor = toHex(s.value as HSB);
            }}
          />
        )}
        {kind === "bool" && s.known && <span class={s.value ? "dot on" : "dot"} aria-hidden="true" />}
        <span class="value-text">{s.known ? text : t("value.none")}</span>
        {s.known && unit && <small>{unit}</small>}
      </p>
      {!p.readOnly && <Button small kind="quiet" icon="edit" label={t("widget.set", { name: nameOf(p.widget, variable) })} onClick={() => void import("./ValueEdit").then((m) => edit(() => m.Edit))} />}
      {Edit && !p.readOnly && <Edit variable={variable} kind={kind} unit={unit} busy={s.busy} set={s.send} onClose={() => edit(undefined)} />}
    </div>
  );
}
