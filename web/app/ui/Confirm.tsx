import { signal, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { t } from "../text";
import { Button } from "./Button";
import { Dialog } from "./Dialog";
import { Field } from "./Field";

interface Question {
  title: string;
  text: ComponentChildren;
  action: string; // what the button says that does it
  no?: string; // what the one says that does not; else it is "Cancel"
  danger?: boolean;
  typed?: string; // has to be typed first
}

const asked = signal<(Question & { answer: (yes: boolean) => void }) | undefined>(undefined);

// confirm asks before something that is not easily undone.
export function confirm(q: Question): Promise<boolean> {
  return new Promise((answer) => {
    asked.value?.answer(false);
    asked.value = { ...q, answer };
  });
}

// Confirms shows what confirm asks; there is one of it, in the shell.
export function Confirms() {
  const q = asked.value;
  if (!q) return null;
  return <Asked key={q.title} q={q} />;
}

function Asked({ q }: { q: NonNullable<typeof asked.value> }) {
  const typed = useSignal("");
  const done = (yes: boolean): void => {
    asked.value = undefined;
    q.answer(yes);
  };
  const ready = !q.typed || typed.value.trim() === q.typed;
  return (
    <Dialog
      title={q.title}
      onClose={() => done(false)}
      actions={
        <>
          <Button onClick={() => done(false)}>{q.no ?? t("cancel")}</Button>
          <Button kind={q.danger ? "danger" : "main"} type="submit" form="confirm" disabled={!ready}>
            {q.action}
          </Button>
        </>
      }
    >
      <form
        id="confirm"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          if (ready) done(true);
        }}
      >
        <p>{q.text}</p>
        {q.typed && (
          <Field label={t("confirm.typed", { name: q.typed })}>
            {(f) => <input {...f} type="text" autocomplete="off" value={typed.value} onInput={(e) => (typed.value = e.currentTarget.value)} />}
          </Field>
        )}
      </form>
    </Dialog>
  );
}
