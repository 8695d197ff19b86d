import { Level } from "../control/Level";
import { Toggle } from "../control/Toggle";
import { fromHex, toHex } from "../model/color";
import { t } from "../text";
import { Hue, lightIn } from "./light";
import { look, nameOf, useSet } from "./use";
import type { ViewProps } from "./widget";

// View is a light with a switch, a colour and a level. The colour is shown at its full brightness: the level has that.
export function View(p: ViewProps) {
  const s = useSet(p);
  const v = lightIn(s.value);
  const name = nameOf(p.widget, s.variable);
  return (
    <div {...look("w-light colored", p, s.busy)}>
      <div class="w-light-head">
        <Toggle on={v.swi} label={name} {...(!s.known && { text: t("value.none") })} busy={false} fixed={p.readOnly} onChange={(swi) => void s.send({ swi })} />
        <Hue
          hex={toHex({ ...v, bri: 100 })}
          label={t("widget.color.of", { name })}
          known={s.known}
          fixed={p.readOnly}
          onChange={(hex) => {
            const { hue, sat } = fromHex(hex);
            void s.send({ hue, sat });
          }}
        />
      </div>
      <Level label={t("set.brightness")} value={v.bri} busy={false} fixed={p.readOnly} onSet={(bri) => s.send({ bri })} />
    </div>
  );
}
