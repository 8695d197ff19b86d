import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

// A Control is what makes an input the one of its field.
export interface Control {
  id: string;
  "aria-describedby"?: string;
  "aria-invalid"?: "true";
}

// Field is a label with its input, what is to be known before and what is wrong.
export function Field({ label, hint, error, children }: { label: ComponentChildren; hint?: ComponentChildren; error?: string | undefined; children: (f: Control) => ComponentChildren }) {
  const id = useId();
  const about = [hint && id + "-hint", error && id + "-error"].filter(Boolean).join(" ");
  const control: Control = { id, ...(about && { "aria-describedby": about }), ...(error && { "aria-invalid": "true" as const }) };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(control)}
      {hint && (
        <p class="hint" id={id + "-hint"}>
          {hint}
        </p>
      )}
      {error && (
        <p class="field-error" id={id + "-error"}>
          {error}
        </p>
      )}
    </div>
  );
}

// Check is a box to tick, with its words beside it.
export function Check({ label, hint, checked, onChange }: { label: ComponentChildren; hint?: ComponentChildren; checked: boolean; onChange: (on: boolean) => void }) {
  const id = useId();
  return (
    <div class="check">
      <input id={id} type="checkbox" checked={checked} aria-describedby={hint ? id + "-hint" : undefined} onChange={(e) => onChange(e.currentTarget.checked)} />
      <div>
        <label for={id}>{label}</label>
        {hint && (
          <p class="hint" id={id + "-hint"}>
            {hint}
          </p>
        )}
      </div>
    </div>
  );
}

// Choice is one of a few, all of which are seen.
export function Choice<T extends string>({ legend, value, options, onChange }: { legend: string; value: T; options: { value: T; label: string; hint?: string }[]; onChange: (v: T) => void }) {
  const name = useId();
  return (
    <fieldset class="choice">
      <legend>{legend}</legend>
      {options.map((o) => (
        <label key={o.value} class="option">
          <input type="radio" name={name} value={o.value} checked={value === o.value} onChange={() => onChange(o.value)} />
          <span>
            {o.label}
            {o.hint && <small>{o.hint}</small>}
          </span>
        </label>
      ))}
    </fieldset>
  );
}
