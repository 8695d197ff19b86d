import type { Control } from "../../ui/Field";

// Zones are those that this browser knows, which are those of the tz database.
const zones = (): string[] => {
  const all = Intl.supportedValuesOf("timeZone");
  return all.includes("UTC") ? all : ["UTC", ...all];
};

export function ZoneSelect({ control, value, onChange }: { control: Control; value: string; onChange: (zone: string) => void }) {
  const all = zones();
  return (
    <select {...control} value={value} onChange={(e) => onChange(e.currentTarget.value)}>
      {!all.includes(value) && <option value={value}>{value}</option>}
      {all.map((z) => (
        <option key={z} value={z}>
          {z.replaceAll("_", " ")}
        </option>
      ))}
    </select>
  );
}
