import { t } from "../text";

// Toggle is a switch that shows what the device has, and asks for the other.
export function Toggle({ on, label, text, busy, fixed, onChange }: { on: boolean; label: string; text?: string; busy: boolean; fixed?: boolean; onChange: (on: boolean) => void }) {
  return (
    <button type="button" class="toggle" role="switch" aria-checked={on} aria-busy={busy || undefined} aria-label={label} disabled={fixed} onClick={() => !busy && onChange(!on)}>
      <span class="toggle-track" aria-hidden="true">
        <span class="toggle-thumb" />
      </span>
      <span aria-hidden="true">{text ?? (on ? t("value.on") : t("value.off"))}</span>
    </button>
  );
}
