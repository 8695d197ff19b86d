import { useState } from "preact/hooks";
import { day, fromWall, hour, moment, wall } from "../format";
import { t } from "../text";
import { Button } from "../ui/Button";
import { flagIn, numberIn } from "./option";
import { look, nameOf, useSet } from "./use";
import type { ViewProps } from "./widget";

// View is a moment, as a clock in the thing's time zone shows it, and a field to choose another.
export function View(p: ViewProps) {
  const s = useSet(p);
  const [typed, type] = useState<string | undefined>(undefined);
  const zone = s.variable?.thing_timezone.name ?? "UTC";
  const withTime = flagIn(p.widget.options.showTime, true);
  const withDate = flagIn(p.widget.options.showDate, true) || !withTime;
  const at = numberIn(s.value);
  const now = at ? wall(at, zone) : ""; // 2026-11-26T14:05
  const part = (text: string): string => (withDate && withTime ? text : withDate ? text.slice(0, 10) : text.slice(11));
  const value = typed ?? part(now);
  const words = (seconds: number): string => (withDate && withTime ? moment(seconds * 1000, zone) : withDate ? day(seconds * 1000, zone) : hour(seconds * 1000, zone));
  const send = async (): Promise<void> => {
    if (!value) return;
    // The part that is not shown stays as it is: today, where there was none.
    const rest = now || wall(Date.now() / 1000, zone);
    const text = withDate && withTime ? value.slice(0, 16) : withDate ? value + (now ? rest.slice(10) : "T00:00") : rest.slice(0, 11) + value.slice(0, 5);
    if (await s.send(fromWall(text, zone))) type(undefined);
  };
  return (
    <form
      {...look("w-time", p, s.busy)}
      onSubmit={(e) => {
        e.preventDefault();
        void send();
      }}
    >
      <p class={at ? "w-words" : "w-none"}>{at ? words(at) : t("value.none")}</p>
      {!p.readOnly && (
        <div class="setter-row">
          <input type={withDate && withTime ? "datetime-local" : withDate ? "date" : "time"} aria-label={`${nameOf(p.widget, s.variable)}, ${zone}`} value={value} onInput={(e) => type(e.currentTarget.value)} />
          <Button small type="submit" icon="send" label={t("set")} busy={s.busy} />
        </div>
      )}
    </form>
  );
}
