import { useSignal } from "@preact/signals";
import { addHook, type Hook, moveHook, type Owner } from "../../model/hook";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Choice, Field } from "../../ui/Field";
import { Note } from "../../ui/Note";

interface Props {
  hook?: Hook; // whose address is changed; none: one is added
  free: Owner[]; // who may have one more
  onSaved: (made?: Hook) => Promise<void>;
  onClose: () => void;
}

// WebhookDialog adds a webhook, or gives one another address.
export function WebhookDialog({ hook, free, onSaved, onClose }: Props) {
  const uri = useSignal(hook?.uri ?? "");
  const of = useSignal(0);
  const act = useAct();
  const wrong = act.at("invalid-webhook");
  const save = async (): Promise<void> => {
    const to = uri.value.trim();
    if (hook) {
      await moveHook(hook, to);
      return onSaved();
    }
    const owner = free[of.value] ?? free[0];
    return onSaved(owner && (await addHook(owner, to)));
  };
  return (
    <Dialog
      title={t(hook ? "hook.move" : "hook.add")}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" form="webhook" busy={act.busy.value}>
            {t(hook ? "save" : "hook.add.do")}
          </Button>
        </>
      }
    >
      <form
        id="webhook"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          void act.run(save);
        }}
      >
        {act.wrong.value && !wrong && <Note kind="bad">{act.wrong.value}</Note>}
        <Field label={t("action.url")} hint={t(hook ? "hook.move.hint" : "hook.url.hint")} error={wrong}>
          {(f) => <input {...f} type="url" required maxLength={2048} autocomplete="off" spellcheck={false} placeholder="https://example.org/hook" value={uri.value} onInput={(e) => (uri.value = e.currentTarget.value)} />}
        </Field>
        {free.length > 1 && (
          <Choice
            legend={t("hook.of")}
            value={String(of.value)}
            onChange={(n) => (of.value = Number(n))}
            options={free.map((o, n) => ({ value: String(n), label: t("thing" in o ? "hook.of.thing" : "hook.of.its"), hint: t("thing" in o ? "hook.of.thing.hint" : "hook.of.its.hint") }))}
          />
        )}
      </form>
    </Dialog>
  );
}
