import type { Signal } from "@preact/signals";
import { Problem } from "../../api";
import type { Device } from "../../model/device";
import { createThing, type PropertyWish, type Thing } from "../../model/thing";
import { t } from "../../text";
import { Check } from "../../ui/Field";

export const firstProperty: PropertyWish[] = [{ name: "temperature", variable_name: "temperature", type: "FLOAT", permission: "READ_ONLY", update_strategy: "ON_CHANGE", update_parameter: 0, persist: true }];

// A Choice is whether a thing is made with a device, without which no value would have a place, and whether with a property.
export interface Choice {
  thing: Signal<boolean>;
  sample: Signal<boolean>;
}

export function ThingChoice({ thing, sample }: Choice) {
  return (
    <>
      <Check label={t("make.thing")} hint={t("make.thing.hint")} checked={thing.value} onChange={(on) => (thing.value = on)} />
      {thing.value && <Check label={t("make.sample")} hint={t("make.sample.hint")} checked={sample.value} onChange={(on) => (sample.value = on)} />}
    </>
  );
}

// thingFor makes the thing of a device, under its name, or with a number behind that where another thing has it.
export async function thingFor(device: Device, name: string, properties: PropertyWish[]): Promise<Thing> {
  const plain = plainName(name);
  for (let n = 1; ; n++) {
    try {
      return await createThing({ name: n === 1 ? plain : `${plain.slice(0, 60)} ${n}`, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone, device_id: device.id, properties });
    } catch (err) {
      if (!(err instanceof Problem) || err.code !== "thing-name-taken" || n === 20) throw err;
    }
  }
}

// plainName is a name as things may have it: fewer characters than devices' names.
function plainName(name: string): string {
  const plain = name
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .replace(/[^a-zA-Z0-9_. -]/g, "_")
    .trim();
  return plain || "Thing";
}
