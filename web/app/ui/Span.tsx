import { useSignal } from "@preact/signals";
import { t } from "../text";
import { Field } from "./Field";

const units = [
  { seconds: 1, label: "unit.seconds" },
  { seconds: 60, label: "unit.minutes" },
  { seconds: 3600, label: "unit.hours" },
  { seconds: 86_400, label: "unit.days" },
] as const;

// SpanField is a length of time, in the unit that somebody chooses.
export function SpanField({ label, seconds, hint, error, onChange }: { label: string; seconds: number; hint?: string; error?: string | undefined; onChange: (seconds: number) => void }) {
  const unit = useSignal<number>([...units].reverse().find((u) => seconds && seconds % u.seconds === 0)?.seconds ?? 60);
  return (
    <Field label={label} hint={hint} error={error}>
      {(f) => (
        <div class="setter-row">
          <input {...f} type="number" min={0} step="any" required value={seconds / unit.value} onInput={(e) => onChange(Math.round(Number(e.currentTarget.value) * unit.value))} />
          <select
            aria-label={t("schedule.unit")}
            value={String(unit.value)}
            onChange={(e) => {
              const n = seconds / unit.value;
              unit.value = Number(e.currentTarget.value);
              onChange(Math.round(n * unit.value));
            }}
          >
            {units.map((u) => (
              <option key={u.seconds} value={u.seconds}>
                {t(u.label)}
              </option>
            ))}
          </select>
        </div>
      )}
    </Field>
  );
}
