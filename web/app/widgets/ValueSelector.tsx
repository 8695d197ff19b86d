import { t } from "../text";
import { picksIn } from "./option";
import { asKind, look, nameOf, useSet } from "./use";
import type { ViewProps } from "./widget";

// View is a button for each value that can be chosen.
export function View(p: ViewProps) {
  const s = useSet(p);
  const picks = picksIn(p.widget.options.values);
  const is = picks.findIndex((one) => String(one.value) === String(s.value ?? ""));
  if (!picks.length) return <p class="w w-none">{t("widget.picks.none")}</p>;
  return (
    <div {...look("w-picks", p, s.busy)} role="group" aria-label={nameOf(p.widget, s.variable)} aria-busy={s.busy || undefined} tabIndex={p.readOnly ? 0 : undefined}>
      {picks.map((one, i) => (
        <button key={i} type="button" aria-pressed={i === is} disabled={p.readOnly} onClick={() => void s.send(asKind(s.variable, one.value))}>
          {one.label}
        </button>
      ))}
      {is < 0 && <p class="w-none">{s.known ? t("widget.picks.other", { value: String(s.value) }) : t("value.none")}</p>}
    </div>
  );
}
