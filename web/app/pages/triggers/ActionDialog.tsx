import { useSignal } from "@preact/signals";
import { useQuery } from "../../data";
import { listThings } from "../../model/thing";
import { type Action, addAction, updateAction } from "../../model/trigger";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { Note } from "../../ui/Note";
import { type Draft, wishOf } from "./action";
import { ActionFields } from "./ActionFields";
import { kindName } from "./words";

const near = ["invalid-action-name", "invalid-expression", "invalid-recipient", "invalid-webhook", "property-not-found", "property-read-only", "trigger-wrong-type", "wrong-kind", "out-of-range", "value-too-long"];

// ActionDialog adds an action to a trigger, or changes one.
export function ActionDialog({ trigger, action, first, status, onSaved, onClose }: { trigger: string; action?: Action | undefined; first: Draft; status: boolean; onSaved: (secret?: string) => void; onClose: () => void }) {
  const things = useQuery("things", (s) => listThings(s)).data.value;
  const draft = useSignal(first);
  const act = useAct();
  const d = draft.value;
  const change = (some: Partial<Draft>): void => void (draft.value = { ...draft.value, ...some });
  const save = async (): Promise<void> => {
    const set = (things ?? []).flatMap((x) => x.properties ?? []).find((p) => p.id === d.property);
    const wish = wishOf(d, set);
    const saved = action ? await updateAction(action.id, wish) : await addAction(trigger, wish);
    onSaved(action ? undefined : saved.webhook?.secret);
  };
  return (
    <Dialog
      title={action ? t("action.edit", { name: action.name }) : t("action.add.kind", { kind: kindName(d.kind) })}
      wide
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" form="action" busy={act.busy.value}>
            {action ? t("save") : t("action.add")}
          </Button>
        </>
      }
    >
      <form
        id="action"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          void act.run(save);
        }}
      >
        {act.wrong.value && !near.includes(act.code.value) && <Note kind="bad">{act.wrong.value}</Note>}
        <ActionFields d={d} act={act} status={status} change={change} />
        <Field label={t("action.name")} hint={t("action.name.hint")} error={act.at("invalid-action-name")}>
          {(f) => <input {...f} type="text" required maxLength={256} autocomplete="off" value={d.name} onInput={(e) => change({ name: e.currentTarget.value })} />}
        </Field>
      </form>
    </Dialog>
  );
}
