import type { Property } from "../../model/thing";
import { t } from "../../text";
import type { Control } from "../../ui/Field";

// PropertySelect chooses one of some properties.
export function PropertySelect({ control, all, value, disabled, onChange }: { control: Control; all: Property[]; value: string; disabled: boolean; onChange: (id: string) => void }) {
  return (
    <select {...control} required disabled={disabled} value={all.some((p) => p.id === value) ? value : ""} onChange={(e) => onChange(e.currentTarget.value)}>
      <option value="">{t("choose")}</option>
      {all.map((p) => (
        <option key={p.id} value={p.id}>
          {p.name}
        </option>
      ))}
    </select>
  );
}
