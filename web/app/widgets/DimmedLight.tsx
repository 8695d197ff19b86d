import { Level } from "../control/Level";
import { Toggle } from "../control/Toggle";
import { t } from "../text";
import { lightIn } from "./light";
import { look, nameOf, useSet } from "./use";
import type { ViewProps } from "./widget";

// View is a light with a switch and a level.
export function View(p: ViewProps) {
  const s = useSet(p);
  const v = lightIn(s.value);
  const name = nameOf(p.widget, s.variable);
  return (
    <div {...look("w-light", p, s.busy)}>
      <Toggle on={v.swi} label={name} {...(!s.known && { text: t("value.none") })} busy={false} fixed={p.readOnly} onChange={(swi) => void s.send({ swi })} />
      <Level label={t("set.brightness")} value={v.bri} busy={false} fixed={p.readOnly} onSet={(bri) => s.send({ bri })} />
    </div>
  );
}
