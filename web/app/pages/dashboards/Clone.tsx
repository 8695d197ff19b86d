import { useSignal } from "@preact/signals";
import { useQuery } from "../../data";
import { cloneDashboard, type Dashboard, type Variable, variablesOf } from "../../model/dashboard";
import { listThings, type Thing } from "../../model/thing";
import { go } from "../../router";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Note } from "../../ui/Note";
import { say } from "../../ui/Toast";
import { type Stand, StandIns } from "./StandIns";

const few = 5; // names that are said

// lacking are the names of what is shown of a thing and another does not have. The server finds them in the same way: by the name of
// the variable, else by that of the property.
export function lacking(shown: Variable[], by: Thing): string[] {
  const has = by.properties ?? [];
  return shown.filter((v) => !has.some((p) => p.variable_name === v.variable_name || p.name === v.name)).map((v) => v.name);
}

// Clone makes a dashboard like another one, of the same things or of others.
export default function Clone({ dashboard: d, onClose }: { dashboard: Dashboard; onClose: () => void }) {
  const things = useQuery("things", listThings).data.value;
  const act = useAct();
  const shown = new Map<string, Variable[]>();
  for (const v of variablesOf(d)) shown.set(v.thing_id, [...(shown.get(v.thing_id) ?? []), v]);
  const of = [...shown].map(([id, all]) => ({ id, name: all[0]?.thing_name ?? id })).sort((a, b) => a.name.localeCompare(b.name));
  const stand = useSignal<Stand>(Object.fromEntries(of.map(({ id }) => [id, id])));
  const wrong = (id: string, by: Thing): string => {
    const names = id === by.id ? [] : lacking(shown.get(id) ?? [], by);
    return names.length ? t("onto.lacks", { name: by.name, names: names.slice(0, few).join(", ") + (names.length > few ? ", …" : "") }) : "";
  };
  const possible = of.every(({ id }) => {
    const by = things?.find((x) => x.id === stand.value[id]);
    return !by || !wrong(id, by);
  });
  const make = async (): Promise<void> => {
    const others = Object.entries(stand.value).filter(([old, by]) => old !== by);
    const made = await cloneDashboard(d.id, others.map(([old, by]) => ({ old_thing_id: old, new_thing_id: by })));
    onClose();
    setTimeout(() => {
      go("/app/dashboards/" + made.id);
      say(t("boards.cloned", { name: made.name }));
    });
  };
  return (
    <Dialog
      title={t("onto.title", { name: d.name })}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" form="clone" disabled={!possible} busy={act.busy.value}>
            {t("boards.clone")}
          </Button>
        </>
      }
    >
      <form
        id="clone"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          void act.run(make);
        }}
      >
        {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
        <p class="soft">{t(of.length ? "onto.text" : "onto.text.none")}</p>
        <StandIns of={of} things={things ?? []} stand={stand.value} choose={(all) => (stand.value = all)} wrong={wrong} />
      </form>
    </Dialog>
  );
}
