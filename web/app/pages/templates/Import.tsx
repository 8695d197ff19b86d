import { useSignal } from "@preact/signals";
import { importTemplate } from "../../model/template";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { Sending } from "../ota/FileField";

// Import keeps a template that somebody has as a file; nothing is made of it yet.
export function Import({ onClose, onImported }: { onClose: () => void; onImported: (id: string) => void }) {
  const file = useSignal<File | undefined>(undefined);
  const part = useSignal<number | undefined>(undefined);
  const act = useAct();
  const send = async (): Promise<void> => {
    if (file.value) onImported((await importTemplate(file.value, (n) => (part.value = n))).template_id);
  };
  return (
    <Dialog
      title={t("templates.import")}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" form="import" busy={act.busy.value} disabled={!file.value}>
            {t("templates.import.do")}
          </Button>
        </>
      }
    >
      <form
        id="import"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          void act.run(send).then(() => (part.value = undefined));
        }}
      >
        <Field label={t("ota.file")} hint={t("templates.file.hint")} error={act.wrong.value || undefined}>
          {(f) => <input {...f} type="file" accept=".tino,application/zip" onChange={(e) => (file.value = e.currentTarget.files?.[0])} />}
        </Field>
        <Sending part={part.value} />
      </form>
    </Dialog>
  );
}
