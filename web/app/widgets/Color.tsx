import { fromHex, toHex } from "../model/color";
import { t } from "../text";
import { Hue, hsbIn } from "./light";
import { look, nameOf, useSet } from "./use";
import type { ViewProps } from "./widget";

// View is a colour, and the browser's own way to choose another.
export function View(p: ViewProps) {
  const s = useSet(p);
  const v = hsbIn(s.value);
  return (
    <div {...look("w-color", p, s.busy)}>
      <Hue hex={toHex(v)} label={nameOf(p.widget, s.variable)} known={s.known} fixed={p.readOnly} onChange={(hex) => void s.send(fromHex(hex))} />
      <p class={s.known ? "w-small" : "w-none"}>{s.known ? `${Math.round(v.hue)}° ${Math.round(v.sat)} % ${Math.round(v.bri)} %` : t("value.none")}</p>
    </div>
  );
}
