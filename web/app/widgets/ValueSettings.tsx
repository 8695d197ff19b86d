import { t } from "../text";
import { Field } from "../ui/Field";
import type { SettingsProps } from "./widget";

export function Settings({ widget, change }: SettingsProps) {
  const { decimals, unit } = widget.options;
  return (
    <div class="pair">
      <Field label={t("widget.unit")} hint={t("widget.unit.hint")}>
        {(f) => <input {...f} type="text" maxLength={32} autocomplete="off" value={typeof unit === "string" ? unit : ""} onInput={(e) => change({ unit: e.currentTarget.value || undefined })} />}
      </Field>
      <Field label={t("widget.decimals")} hint={t("widget.decimals.hint")}>
        {(f) => <input {...f} type="number" min={0} max={10} step={1} value={typeof decimals === "number" || typeof decimals === "string" ? String(decimals) : ""} onInput={(e) => change({ decimals: e.currentTarget.value === "" ? undefined : Number(e.currentTarget.value) })} />}
      </Field>
    </div>
  );
}
