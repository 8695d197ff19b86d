import { useSignal } from "@preact/signals";
import { t } from "../text";
import { useAct } from "./act";
import { Button } from "./Button";
import { Dialog } from "./Dialog";
import { Field } from "./Field";
import { Note } from "./Note";

// Rename asks for another name.
export function Rename({ title, name, hint, action, save, onClose }: { title: string; name: string; hint?: string; action?: string; save: (name: string) => Promise<void>; onClose: () => void }) {
  const typed = useSignal(name);
  const act = useAct();
  return (
    <Dialog
      title={title}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" form="rename" busy={act.busy.value}>
            {action ?? t("save")}
          </Button>
        </>
      }
    >
      <form
        id="rename"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          void act.run(() => save(typed.value.trim())).then((done) => done && onClose());
        }}
      >
        {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
        <Field label={t("col.name")} hint={hint}>
          {(f) => <input {...f} type="text" required maxLength={64} autocomplete="off" value={typed.value} onInput={(e) => (typed.value = e.currentTarget.value)} />}
        </Field>
      </form>
    </Dialog>
  );
}
