import { useSignal } from "@preact/signals";
import { fromHex, toHex } from "../model/color";
import { lastOf } from "../model/values";
import { t } from "../text";
import { Button } from "../ui/Button";
import type { Setter } from "./Control";
import { Level } from "./Level";
import { Toggle } from "./Toggle";

type Parts = Record<string, number | boolean | undefined>;

const partsOf = (property: { id: string }): Parts => (lastOf(property.id).value.value ?? {}) as Parts;

const numberOf = (v: Parts, key: string): number => (typeof v[key] === "number" ? (v[key] as number) : 0);

export function LocationControl({ property, busy, set }: Setter) {
  const v = partsOf(property);
  const lat = useSignal<string | undefined>(undefined);
  const lon = useSignal<string | undefined>(undefined);
  const send = async (): Promise<void> => {
    if (await set({ lat: Number(lat.value ?? numberOf(v, "lat")), lon: Number(lon.value ?? numberOf(v, "lon")) })) lat.value = lon.value = undefined;
  };
  return (
    <form
      class="setter"
      onSubmit={(e) => {
        e.preventDefault();
        void send();
      }}
    >
      <div class="pair">
        <label class="mini">
          {t("set.lat")}
          <input type="number" step="any" value={lat.value ?? numberOf(v, "lat")} onInput={(e) => (lat.value = e.currentTarget.value)} />
        </label>
        <label class="mini">
          {t("set.lon")}
          <input type="number" step="any" value={lon.value ?? numberOf(v, "lon")} onInput={(e) => (lon.value = e.currentTarget.value)} />
        </label>
      </div>
      <div>
        <Button small type="submit" icon="send" busy={busy}>
          {t("set")}
        </Button>
      </div>
    </form>
  );
}

export function ColorControl({ property, busy, set }: Setter) {
  const v = partsOf(property);
  const hex = toHex({ hue: numberOf(v, "hue"), sat: numberOf(v, "sat"), bri: numberOf(v, "bri") });
  return (
    <label class="setter-row color">
      <input type="color" value={hex} disabled={busy} onChange={(e) => void set(fromHex(e.currentTarget.value))} />
      {t("set.color")}
    </label>
  );
}

export function DimmedControl({ property, busy, set }: Setter) {
  const v = partsOf(property);
  return (
    <div class="setter">
      <Toggle on={v.swi === true} label={property.name} busy={busy} onChange={(on) => void set({ swi: on })} />
      <Level label={t("set.brightness")} value={numberOf(v, "bri")} busy={busy} onSet={(bri) => set({ bri })} />
    </div>
  );
}

export function ColoredControl(s: Setter) {
  const v = partsOf(s.property);
  return (
    <div class="setter">
      <Toggle on={v.swi === true} label={s.property.name} busy={s.busy} onChange={(on) => void s.set({ swi: on })} />
      <ColorControl {...s} />
    </div>
  );
}

export function TelevisionControl({ property, busy, set }: Setter) {
  const v = partsOf(property);
  return (
    <div class="setter">
      <Toggle on={v.swi === true} label={property.name} busy={busy} onChange={(on) => void set({ swi: on })} />
      <Level label={t("tv.volume")} value={numberOf(v, "vol")} busy={busy} onSet={(vol) => set({ vol })} />
      <Toggle on={v.mut === true} label={t("tv.mute")} text={t("tv.mute")} busy={busy} onChange={(on) => void set({ mut: on })} />
      <div class="pair">
        <Part label={t("tv.channel")} value={numberOf(v, "cha")} busy={busy} onSet={(cha) => set({ cha })} />
        <Part label={t("tv.input")} value={numberOf(v, "inp")} busy={busy} onSet={(inp) => set({ inp })} />
      </div>
    </div>
  );
}

function Part({ label, value, busy, onSet }: { label: string; value: number; busy: boolean; onSet: (v: number) => Promise<boolean> }) {
  return (
    <label class="mini">
      {label}
      <input type="number" min={0} step={1} value={value} disabled={busy} onChange={(e) => void onSet(Number(e.currentTarget.value))} />
    </label>
  );
}
