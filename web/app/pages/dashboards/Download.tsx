import { useSignal } from "@preact/signals";
import { ranges } from "../../chart/ranges";
import { save } from "../../download";
import { type Dashboard, type Variable, variablesOf } from "../../model/dashboard";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { Note } from "../../ui/Note";
import { isLent } from "./feed";

// Download saves the values of what a dashboard shows: of members all of them, a file for each thing; of guests, who see no
// thing as a whole, one table.
export default function Download({ dashboard, onClose }: { dashboard: Dashboard; onClose: () => void }) {
  const all = variablesOf(dashboard);
  const chosen = useSignal<ReadonlySet<string>>(new Set(all.map((v) => v.id)));
  const range = useSignal(ranges[1]?.key ?? "1d");
  const act = useAct();
  const toggle = (id: string, on: boolean): void => {
    const next = new Set(chosen.value);
    if (on) next.add(id);
    else next.delete(id);
    chosen.value = next;
  };
  const load = async (): Promise<void> => {
    const seconds = ranges.find((r) => r.key === range.value)?.seconds;
    const from = seconds && range.value !== "all" ? new Date(Date.now() - seconds * 1000).toISOString() : undefined;
    const wanted = all.filter((v) => chosen.value.has(v.id));
    if (isLent(dashboard)) {
      await save("/v1/series/rows", { format: "csv", property: wanted.map((v) => v.id), points: 10_000, from: from ?? new Date(Date.now() - 365 * 86_400_000).toISOString() }, dashboard.name + ".csv");
    } else {
      const things = new Map<string, Variable[]>();
      for (const v of wanted) things.set(v.thing_id, [...(things.get(v.thing_id) ?? []), v]);
      for (const [thing, of] of things) await save(`/v1/things/${thing}/history`, { format: "csv", property: of.map((v) => v.id), from }, `${of[0]?.thing_name ?? thing}.csv`);
    }
    onClose();
  };
  const several = new Set(all.filter((v) => chosen.value.has(v.id)).map((v) => v.thing_id)).size > 1 && !isLent(dashboard);
  return (
    <Dialog
      title={t("board.download")}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" icon="download" type="submit" form="download" disabled={!chosen.value.size} busy={act.busy.value}>
            {t("download.do")}
          </Button>
        </>
      }
    >
      <form
        id="download"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          void act.run(load);
        }}
      >
        {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
        <Field label={t("download.range")}>
          {(f) => (
            <select {...f} value={range.value} onChange={(e) => (range.value = e.currentTarget.value)}>
              {ranges.map((r) => (
                <option key={r.key} value={r.key}>
                  {t(r.label)}
                </option>
              ))}
              {!isLent(dashboard) && <option value="all">{t("download.all")}</option>}
            </select>
          )}
        </Field>
        <fieldset class="checklist">
          <legend>{t("download.variables")}</legend>
          {!all.length && <p class="soft">{t("download.none")}</p>}
          {all.map((v) => (
            <label key={v.id}>
              <input type="checkbox" checked={chosen.value.has(v.id)} onChange={(e) => toggle(v.id, e.currentTarget.checked)} />
              <span>
                {v.name} <small>{v.thing_name}</small>
              </span>
            </label>
          ))}
        </fieldset>
        <p class="hint">{several ? t("download.several") : t("history.csv.hint")}</p>
      </form>
    </Dialog>
  );
}
