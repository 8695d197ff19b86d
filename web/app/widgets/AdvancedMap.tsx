import { useMemo, useState } from "preact/hooks";
import { useQuery } from "../data";
import { moment } from "../format";
import { t } from "../text";
import { Atlas } from "./map/Atlas";
import { dashOf } from "./map/dash";
import { farthest, type Place, placeIn, usualZoom } from "./map/mercator";
import { colorIn, flagIn, numberIn, objectIn, textIn } from "./option";
import { Ranges, useRange } from "./range";
import { signs } from "./sign";
import { look, nameOf, tellsAll } from "./use";
import type { ViewProps } from "./widget";

interface Stop extends Place {
  at: number; // seconds
}

const mostStops = 2000;

// View is where something was: its way over a stretch of time, and a pin, which a slider takes back to any moment of it.
export function View(p: ViewProps) {
  const variable = p.vars[0];
  const last = p.values[0];
  const range = useRange(p.widget, "1d", true);
  const [back, goBack] = useState<number | undefined>(undefined); // of the stops; undefined: the newest
  const query = useQuery<Stop[]>(`way:${variable?.id ?? ""}:${range.key}`, async (signal) => {
    if (!variable || !p.past || !tellsAll(p, variable) || range.seconds === 0) return [];
    const to = Math.ceil(Date.now() / 1000);
    const { all } = await p.past.changes(variable, to - range.seconds, to, signal);
    return all.flatMap((c) => {
      const place = placeIn(c.value);
      return place ? [{ ...place, at: c.at }] : [];
    });
  });
  const here = last?.at ? placeIn(last.value) : undefined;
  const at = last?.at ? Date.parse(last.at) / 1000 : 0;
  const before = query.data.value;
  const stops = useMemo(() => {
    const all = before ?? [];
    return (here && !p.stale && at > (all.at(-1)?.at ?? 0) ? [...all, { ...here, at }] : all).slice(-mostStops);
  }, [before, here?.lat, here?.lon, at, p.stale]);
  const { line, pin, showLine, zoom } = p.widget.options;
  const of = objectIn(line);
  const name = nameOf(p.widget, variable);
  const chosen = back === undefined ? undefined : stops[Math.min(back, stops.length - 1)];
  const sign = textIn(objectIn(pin).icon);
  const zone = variable?.thing_timezone.name;
  return (
    <div {...look("w-map-view advanced", p)}>
      <Ranges range={range} name={name} />
      <Atlas
        label={name}
        here={chosen ?? here}
        way={flagIn(showLine, true) ? stops : none}
        zoom={Math.min(farthest, Math.max(0, numberIn(zoom) ?? (stops.length > 1 ? 15 : usualZoom)))}
        sign={sign in signs ? sign : ""}
        color={colorIn(of.color)}
        dash={dashOf(textIn(of.style))}
        onPoint={goBack}
      >
        {query.error.value !== undefined ? <span class="w-none">{t("widget.past.lost")}</span> : !here && <span class="w-none">{t("value.none")}</span>}
        {stops.length > 1 && (
          <label class="w-map-time">
            <span>{moment((chosen?.at ?? at) * 1000, zone)}</span>
            <input type="range" aria-label={t("map.moment", { name })} aria-valuetext={moment((chosen?.at ?? at) * 1000, zone)} min={0} max={stops.length - 1} value={back ?? stops.length - 1} onInput={(e) => goBack(Number(e.currentTarget.value) === stops.length - 1 ? undefined : Number(e.currentTarget.value))} />
          </label>
        )}
      </Atlas>
    </div>
  );
}

const none: never[] = [];
