import { useSignal } from "@preact/signals";
import { useQuery } from "../../data";
import { importTemplate } from "../../model/dashboard";
import { listThings } from "../../model/thing";
import { go } from "../../router";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { Note } from "../../ui/Note";
import { type Stand, StandIns } from "./StandIns";

const most = 1 << 20; // bytes that the server takes

// slugsOf are what a template, JSON or YAML, calls its things: each value of thing_id, once. Whether they are right the server says.
function slugsOf(text: string): string[] {
  const all = new Set<string>();
  for (const m of text.matchAll(/["']?\bthing_id["']?\s*:\s*(?:"([^"\n]*)"|'([^'\n]*)'|([^\s,}"']+))/g)) {
    const slug = m[1] ?? m[2] ?? m[3] ?? "";
    if (slug) all.add(slug);
  }
  return [...all].sort();
}

// Import makes a dashboard of a template's file.
export default function Import({ onClose }: { onClose: () => void }) {
  const things = useQuery("things", listThings).data.value;
  const file = useSignal<{ text: string; slugs: string[] } | undefined>(undefined);
  const stand = useSignal<Stand>({});
  const name = useSignal("");
  const wrong = useSignal("");
  const act = useAct();
  const read = async (f: File | undefined): Promise<void> => {
    wrong.value = "";
    file.value = undefined;
    if (!f) return;
    if (f.size > most) {
      wrong.value = t("import.large");
      return;
    }
    const text = await f.text();
    if (!/["']?\bwidgets["']?\s*:/.test(text)) {
      wrong.value = t("import.none");
      return;
    }
    const slugs = slugsOf(text);
    // A thing of the same name stands for one that the template names.
    const guess: Record<string, string> = {};
    for (const slug of slugs) {
      const same = things?.find((x) => x.id === slug || x.name.toLowerCase().replace(/[^a-z0-9]+/g, "-") === slug.toLowerCase());
      if (same) guess[slug] = same.id;
    }
    stand.value = guess;
    file.value = { text, slugs };
  };
  const make = async (): Promise<void> => {
    const f = file.value;
    if (!f) return;
    const made = await importTemplate(f.text, name.value.trim(), stand.value);
    setTimeout(() => go("/app/dashboards/" + made.id));
    onClose();
  };
  const ready = file.value && file.value.slugs.every((s) => stand.value[s]);
  return (
    <Dialog
      title={t("boards.import")}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" form="import" disabled={!ready} busy={act.busy.value}>
            {t("boards.make")}
          </Button>
        </>
      }
    >
      <form
        id="import"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          void act.run(make);
        }}
      >
        {(act.wrong.value || wrong.value) && <Note kind="bad">{act.wrong.value || wrong.value}</Note>}
        <Field label={t("import.file")} hint={t("import.file.hint")}>
          {(f) => <input {...f} type="file" accept=".json,.yaml,.yml,application/json,application/yaml" required onChange={(e) => void read(e.currentTarget.files?.[0])} />}
        </Field>
        {file.value && (
          <>
            <StandIns of={file.value.slugs.map((slug) => ({ id: slug, name: slug }))} things={things ?? []} stand={stand.value} choose={(all) => (stand.value = all)} />
            <Field label={t("col.name")} hint={t("import.name.hint")}>
              {(f) => <input {...f} type="text" maxLength={64} autocomplete="off" value={name.value} onInput={(e) => (name.value = e.currentTarget.value)} />}
            </Field>
          </>
        )}
      </form>
    </Dialog>
  );
}
