import { useSignal } from "@preact/signals";
import { useQuery } from "../../data";
import { listDashboards } from "../../model/dashboard";
import { makeTemplate } from "../../model/template";
import { listThings } from "../../model/thing";
import { listTriggers } from "../../model/trigger";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { Note } from "../../ui/Note";
import { PickList } from "../../ui/PickList";

// MakeTemplate takes things, dashboards and triggers of the space into a template.
export function MakeTemplate({ onClose, onMade }: { onClose: () => void; onMade: () => void }) {
  const things = useQuery("things", (s) => listThings(s)).data.value ?? [];
  const dashboards = useQuery("dashboards", (s) => listDashboards(s)).data.value ?? [];
  const triggers = useQuery("triggers", (s) => listTriggers(s)).data.value ?? [];
  const name = useSignal("");
  const about = useSignal("");
  const picked = useSignal({ things: [] as string[], dashboards: [] as string[], triggers: [] as string[] });
  const act = useAct();
  const p = picked.value;
  const lists = [
    { key: "things", legend: t("things.title"), all: things.map((x) => ({ id: x.id, name: x.name, tags: x.tags })) },
    { key: "dashboards", legend: t("template.dashboards.pick"), all: dashboards.map((x) => ({ id: x.id, name: x.name })) },
    { key: "triggers", legend: t("triggers.title"), all: triggers.map((x) => ({ id: x.id, name: x.name })) },
  ] as const;
  const some = p.things.length + p.dashboards.length + p.triggers.length > 0;
  return (
    <Dialog
      title={t("templates.make")}
      wide
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" form="make-template" busy={act.busy.value} disabled={!some}>
            {t("templates.make.do")}
          </Button>
        </>
      }
    >
      <form
        id="make-template"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          if (some) void act.run(() => makeTemplate({ name: name.value.trim(), description: about.value.trim(), ...p })).then((done) => done && onMade());
        }}
      >
        {act.wrong.value && !act.at("invalid-template-name", "template-exists") && <Note kind="bad">{act.wrong.value}</Note>}
        <Field label={t("col.name")} error={act.at("invalid-template-name", "template-exists")}>
          {(f) => <input {...f} type="text" required maxLength={128} autocomplete="off" value={name.value} onInput={(e) => (name.value = e.currentTarget.value)} />}
        </Field>
        <Field label={t("trigger.about")}>{(f) => <textarea {...f} class="prose" rows={2} maxLength={4096} value={about.value} onInput={(e) => (about.value = e.currentTarget.value)} />}</Field>
        {lists.map((l) => l.all.length > 0 && <PickList key={l.key} legend={l.legend} all={[...l.all]} picked={p[l.key]} onChange={(ids) => (picked.value = { ...picked.value, [l.key]: ids })} />)}
        <p class="hint">{t("templates.make.hint")}</p>
      </form>
    </Dialog>
  );
}
