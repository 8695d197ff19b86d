import { isOld } from "../../data";
import { moment, shown } from "../../format";
import { toHex, type HSB } from "../../model/color";
import type { Kind } from "../../model/kind";
import type { Type } from "../../model/thing";
import { lastOf } from "../../model/values";
import { t } from "../../text";

// LastValue is the newest value of a property. What is not live looks so, and says from when it is.
export function LastValue({ property, kind, unit, zone, big }: { property: { id: string }; kind: Kind; unit?: string | undefined; zone?: string | undefined; big?: boolean }) {
  const last = lastOf(property.id).value;
  const old = isOld();
  const has = last.at !== "";
  const numeric = kind === "int" || kind === "float";
  return (
    <span class={["value", big && "big", old && has && "old", `is-${kind}`].filter(Boolean).join(" ")} title={has && old ? t("value.old", { at: moment(last.at, zone) }) : undefined}>
      {(kind === "color" || kind === "colored") && has && <Swatch value={last.value as HSB} />}
      {kind === "bool" && has && <span class={last.value ? "dot on" : "dot"} aria-hidden="true" />}
      <span class="value-text">{has ? shown(kind, last.value, zone) : t("value.none")}</span>
      {numeric && unit && has && <small>{unit}</small>}
    </span>
  );
}

// Swatch shows a colour. Its style is set on the element itself: pages may have no style in their text.
export function Swatch({ value }: { value: HSB }) {
  return (
    <span
      class="swatch"
      aria-hidden="true"
      ref={(e) => {
        if (e) e.style.backgroundColor = toHex(value);
      }}
    />
  );
}

// unitsOf is the usual unit of each type that has one.
export function unitsOf(types: Type[] | undefined): Map<string, string> {
  const all = new Map<string, string>();
  for (const one of types ?? []) if (one.units[0]) all.set(one.type, one.units[0]);
  return all;
}
