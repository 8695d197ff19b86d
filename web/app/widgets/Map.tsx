import { t } from "../text";
import { Atlas } from "./map/Atlas";
import { farthest, placeIn, usualZoom } from "./map/mercator";
import { numberIn } from "./option";
import { look, nameOf } from "./use";
import type { ViewProps } from "./widget";

// View is where something is at this moment.
export function View(p: ViewProps) {
  const here = p.values[0]?.at ? placeIn(p.values[0].value) : undefined;
  const zoom = Math.min(farthest, Math.max(0, numberIn(p.widget.options.zoom) ?? usualZoom));
  return (
    <div {...look("w-map-view", p)}>
      <Atlas label={nameOf(p.widget, p.vars[0])} here={here} way={none} zoom={zoom} sign="" color="" dash="">
        {!here && <span class="w-none">{t("value.none")}</span>}
      </Atlas>
    </div>
  );
}

const none: never[] = [];
