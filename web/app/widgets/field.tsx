// Fields of options, which most settings are made of.
import { t } from "../text";
import { Button } from "../ui/Button";
import { Check, Field } from "../ui/Field";
import { colorIn, flagIn, numberIn, textIn } from "./option";
import type { SettingsProps } from "./widget";

interface Of extends Pick<SettingsProps, "widget" | "change"> {
  name: string; // of the option
  label: string;
  hint?: string;
}

export function TextOption({ widget, change, name, label, hint, most = 64, placeholder }: Of & { most?: number; placeholder?: string }) {
  return (
    <Field label={label} hint={hint}>
      {(f) => <input {...f} type="text" autocomplete="off" maxLength={most} placeholder={placeholder} value={textIn(widget.options[name])} onInput={(e) => change({ [name]: e.currentTarget.value || undefined })} />}
    </Field>
  );
}

export function NumberOption({ widget, change, name, label, hint, min, max, placeholder }: Of & { min?: number; max?: number; placeholder?: string }) {
  const n = numberIn(widget.options[name]);
  return (
    <Field label={label} hint={hint}>
      {(f) => (
        <input {...f} type="number" step="any" min={min} max={max} placeholder={placeholder} value={n === undefined ? "" : String(n)} onInput={(e) => change({ [name]: e.currentTarget.value === "" ? undefined : Number(e.currentTarget.value) })} />
      )}
    </Field>
  );
}

export function FlagOption({ widget, change, name, label, hint, otherwise }: Of & { otherwise: boolean }) {
  return <Check label={label} hint={hint} checked={flagIn(widget.options[name], otherwise)} onChange={(on) => change({ [name]: on })} />;
}

// ColorOption is a colour, or none: then the widget has its own.
export function ColorOption({ widget, change, name, label, otherwise }: Of & { otherwise: string }) {
  const color = colorIn(widget.options[name]);
  return (
    <Field label={label}>
      {(f) => (
        <div class="setter-row">
          <input {...f} type="color" value={color || otherwise} onInput={(e) => change({ [name]: e.currentTarget.value })} />
          {color && (
            <Button small onClick={() => change({ [name]: undefined })}>
              {t("widget.color.own")}
            </Button>
          )}
        </div>
      )}
    </Field>
  );
}

export function ChoiceOption({ widget, change, name, label, hint, options, otherwise }: Of & { options: { value: string; label: string }[]; otherwise: string }) {
  const value = textIn(widget.options[name]);
  return (
    <Field label={label} hint={hint}>
      {(f) => (
        <select {...f} value={options.some((o) => o.value === value) ? value : otherwise} onChange={(e) => change({ [name]: e.currentTarget.value })}>
          {options.map((o) => (
            <option key={o.value} value={o.value}>
              {o.label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

// RangeOptions are both ends of what a widget shows, and what is wrong with them.
export function RangeOptions({ widget, change, step }: Pick<SettingsProps, "widget" | "change"> & { step?: boolean }) {
  const min = numberIn(widget.options.min);
  const max = numberIn(widget.options.max);
  const by = numberIn(widget.options.step);
  return (
    <>
      <div class="pair">
        <NumberOption widget={widget} change={change} name="min" label={t("property.min")} />
        <NumberOption widget={widget} change={change} name="max" label={t("property.max")} />
        {step && <NumberOption widget={widget} change={change} name="step" label={t("widget.step")} />}
      </div>
      {min !== undefined && max !== undefined && min >= max && (
        <p class="field-error" role="alert">
          {t("widget.range.wrong")}
        </p>
      )}
      {by !== undefined && by <= 0 && (
        <p class="field-error" role="alert">
          {t("widget.step.wrong")}
        </p>
      )}
    </>
  );
}
