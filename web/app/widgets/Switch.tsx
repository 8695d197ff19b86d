import { Toggle } from "../control/Toggle";
import { t } from "../text";
import { flagIn, textIn } from "./option";
import { look, nameOf, useSet } from "./use";
import type { ViewProps } from "./widget";

// View is a switch that shows what is, and asks for the other.
export function View(p: ViewProps) {
  const s = useSet(p);
  const { showLabels, labelOn, labelOff } = p.widget.options;
  const on = s.value === true;
  const words = on ? textIn(labelOn) || t("value.on") : textIn(labelOff) || t("value.off");
  const shown = flagIn(showLabels, true) ? (s.known ? words : t("value.none")) : "";
  return (
    <div {...look("w-switch", p, s.busy)}>
      <Toggle on={on} label={nameOf(p.widget, s.variable)} text={shown} busy={s.busy} fixed={p.readOnly} onChange={(v) => void s.send(v)} />
    </div>
  );
}
