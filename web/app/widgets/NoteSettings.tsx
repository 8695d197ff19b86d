import { t } from "../text";
import { Field } from "../ui/Field";
import { ColorOption } from "./field";
import { most } from "./note/markdown";
import { textIn } from "./option";
import type { SettingsProps } from "./widget";

export function Settings({ widget, change }: SettingsProps) {
  return (
    <div class="stack">
      <Field label={t("widget.note.text")} hint={t("widget.note.hint")}>
        {(f) => <textarea {...f} rows={8} maxLength={most} value={textIn(widget.options.text)} onInput={(e) => change({ text: e.currentTarget.value })} />}
      </Field>
      <ColorOption widget={widget} change={change} name="color" label={t("widget.note.color")} otherwise="#fff3c4" />
    </div>
  );
}
