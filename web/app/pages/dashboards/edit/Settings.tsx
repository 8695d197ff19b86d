import { type Signal, useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { addPicture, type Options, type Variable, type Widget } from "../../../model/dashboard";
import { t } from "../../../text";
import { Button } from "../../../ui/Button";
import { Dialog } from "../../../ui/Dialog";
import { Field } from "../../../ui/Field";
import { takes } from "../../../widgets";
import type { Kind, SettingsProps } from "../../../widgets/widget";
import type { Draft } from "./draft";
import { Picker } from "./Picker";

// Settings are what can be said of one widget: its name, its variables, and what its kind lets one choose.
export function Settings({ draft, widget, kind, onClose }: { draft: Draft; widget: Widget; kind: Kind | undefined; onClose: () => void }) {
  const edited = useSignal(widget);
  const relinked = useSignal(false);
  const w = edited.value;
  const set = (part: Partial<Widget>): void => void (edited.value = { ...edited.value, ...part });
  const change = (options: Options): void => {
    const all = { ...edited.value.options, ...options };
    for (const [name, value] of Object.entries(all)) if (value === undefined) delete all[name];
    set({ options: all });
  };
  const link = (variables: Variable[]): void => {
    relinked.value = true;
    set({ variables, has_unlinked_variable: false });
  };
  const save = (): void => {
    const e = edited.value;
    if (relinked.value) draft.link(w.id);
    draft.widget(w.id, (one) => ({ ...one, name: (e.name ?? "").trim(), options: e.options, variables: e.variables, has_unlinked_variable: e.has_unlinked_variable }));
    onClose();
  };
  return (
    <Dialog
      title={kind ? t(kind.title) : w.type}
      onClose={onClose}
      wide
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" form="widget">
            {t("settings.keep")}
          </Button>
        </>
      }
    >
      <form
        id="widget"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          save();
        }}
      >
        {kind && kind.most > 0 && <Picker kind={kind} variables={w.variables} gone={w.has_unlinked_variable} change={link} />}
        <Field label={t("col.name")} hint={t(kind?.most === 0 ? "settings.name.none" : "settings.name.hint")}>
          {(f) => <input {...f} type="text" maxLength={256} autocomplete="off" value={w.name ?? ""} placeholder={w.variables[0]?.name ?? ""} onInput={(e) => set({ name: e.currentTarget.value })} />}
        </Field>
        {kind?.settings && <Own kind={kind} edited={edited} change={change} upload={(picture) => addPicture(draft.id, picture)} />}
      </form>
    </Dialog>
  );
}

const forms = new Map<string, ComponentType<SettingsProps>>();

// Own is the part that only this kind has.
function Own({ kind, edited, change, upload }: { kind: Kind; edited: Signal<Widget>; change: SettingsProps["change"]; upload: SettingsProps["upload"] }) {
  const form = useSignal<ComponentType<SettingsProps> | undefined>(forms.get(kind.type));
  const failed = useSignal(false);
  useEffect(() => {
    if (form.value) return;
    kind.settings?.().then(
      (m) => {
        forms.set(kind.type, m.Settings);
        form.value = m.Settings;
      },
      () => (failed.value = true),
    );
  }, []);
  if (failed.value) return <p class="field-error">{t("load.failed.text")}</p>;
  const Form = form.value;
  if (!Form) return null;
  const w = edited.value;
  return <Form widget={w} vars={w.variables.filter((v) => takes(kind, v))} change={change} upload={upload} />;
}
