import { t } from "../text";
import { picksIn } from "./option";
import { asKind, look, nameOf, useSet } from "./use";
import type { ViewProps } from "./widget";

// View is a menu of the values that can be chosen.
export function View(p: ViewProps) {
  const s = useSet(p);
  const picks = picksIn(p.widget.options.values);
  const is = picks.findIndex((one) => String(one.value) === String(s.value ?? ""));
  if (!picks.length) return <p class="w w-none">{t("widget.picks.none")}</p>;
  return (
    <div {...look("w-menu", p, s.busy)}>
      <select aria-label={nameOf(p.widget, s.variable)} aria-busy={s.busy || undefined} disabled={p.readOnly} value={String(is)} onChange={(e) => void s.send(asKind(s.variable, picks[Number(e.currentTarget.value)]?.value))}>
        {is < 0 && (
          <option value="-1" disabled>
            {s.known ? t("widget.picks.other", { value: String(s.value) }) : t("value.none")}
          </option>
        )}
        {picks.map((one, i) => (
          <option key={i} value={String(i)}>
            {one.label}
          </option>
        ))}
      </select>
    </div>
  );
}
