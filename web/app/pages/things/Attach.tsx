import type { Device } from "../../model/device";
import { t } from "../../text";
import type { Control } from "../../ui/Field";
import { byName } from "../../ui/List";

// DeviceSelect chooses a device: those that no thing has come first.
export function DeviceSelect({ control, all, value, onChange }: { control: Control; all: Device[]; value: string; onChange: (id: string) => void }) {
  const sorted = [...all].sort(byName);
  const free = sorted.filter((d) => !d.thing);
  const taken = sorted.filter((d) => d.thing);
  return (
    <select {...control} value={value} onChange={(e) => onChange(e.currentTarget.value)}>
      <option value="">{t("attach.none")}</option>
      {free.length > 0 && (
        <optgroup label={t("attach.free")}>
          {free.map((d) => (
            <option key={d.id} value={d.id}>
              {d.name}
            </option>
          ))}
        </optgroup>
      )}
      {taken.length > 0 && (
        <optgroup label={t("attach.others")}>
          {taken.map((d) => (
            <option key={d.id} value={d.id}>
              {d.name} ({d.thing?.name})
            </option>
          ))}
        </optgroup>
      )}
    </select>
  );
}
