import { useSignal } from "@preact/signals";
import { isNumber, kindOf } from "../../model/kind";
import type { Property, PropertyWish, Type } from "../../model/thing";
import { t, type Key } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Check, Choice, Field } from "../../ui/Field";
import { Note } from "../../ui/Note";

const groups: { tag: string; title: Key }[] = [
  { tag: "basic", title: "types.basic" },
  { tag: "dimension", title: "types.dimension" },
  { tag: "complex", title: "types.complex" },
  { tag: "home", title: "types.home" },
  { tag: "unit", title: "types.unit" },
];

interface Draft {
  name: string;
  variable: string;
  type: string;
  permission: "READ_ONLY" | "READ_WRITE";
  strategy: "ON_CHANGE" | "TIMED";
  delta: string;
  every: string;
  persist: boolean;
  min: string;
  max: string;
}

const text = (n: number | undefined): string => (n === undefined ? "" : String(n));

function draftOf(p: Property | undefined): Draft {
  if (!p) return { name: "", variable: "", type: "", permission: "READ_ONLY", strategy: "ON_CHANGE", delta: "0", every: "10", persist: true, min: "", max: "" };
  const timed = p.update_strategy === "TIMED";
  return {
    name: p.name,
    variable: p.variable_name,
    type: p.type,
    permission: p.permission,
    strategy: p.update_strategy,
    delta: timed ? "0" : String(p.update_parameter),
    every: timed ? String(p.update_parameter) : "10",
    persist: p.persist,
    min: text(p.min_value),
    max: text(p.max_value),
  };
}

// PropertyForm makes a property or changes one.
export function PropertyForm({ property, types, save, onClose }: { property?: Property; types: Type[]; save: (wish: PropertyWish) => Promise<void>; onClose: () => void }) {
  const draft = useSignal(draftOf(property));
  const act = useAct();
  const d = draft.value;
  const change = (some: Partial<Draft>): void => void (draft.value = { ...draft.value, ...some });
  const type = types.find((one) => one.type === d.type);
  const numeric = isNumber(kindOf(d.type)) && d.type !== "";
  const readOnly = type ? !type.rw : false;
  const wish = (): PropertyWish => ({
    name: d.name.trim(),
    ...(d.variable.trim() && { variable_name: d.variable.trim() }),
    type: d.type,
    permission: readOnly ? "READ_ONLY" : d.permission,
    update_strategy: d.strategy,
    update_parameter: Number(d.strategy === "TIMED" ? d.every : numeric ? d.delta : 0),
    persist: d.persist,
    ...(numeric && d.min !== "" && { min_value: Number(d.min) }),
    ...(numeric && d.max !== "" && { max_value: Number(d.max) }),
  });
  return (
    <Dialog
      title={property ? t("property.edit.title", { name: property.name }) : t("property.add")}
      wide
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" form="property" busy={act.busy.value}>
            {property ? t("save") : t("property.add")}
          </Button>
        </>
      }
    >
      <form
        id="property"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          void act.run(() => save(wish())).then((done) => done && onClose());
        }}
      >
        {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
        <div class="pair">
          <Field label={t("property.name")}>{(f) => <input {...f} type="text" required maxLength={64} autocomplete="off" value={d.name} onInput={(e) => change({ name: e.currentTarget.value })} />}</Field>
          <Field label={t("property.variable")} hint={t("property.variable.hint")}>
            {(f) => <input {...f} class="mono" type="text" maxLength={64} autocomplete="off" spellcheck={false} placeholder={variableFor(d.name)} value={d.variable} onInput={(e) => change({ variable: e.currentTarget.value })} />}
          </Field>
        </div>
        <Field label={t("property.type")} hint={type ? t("property.declaration", { declaration: type.declaration }) : undefined}>
          {(f) => (
            <select {...f} required value={d.type} onChange={(e) => change({ type: e.currentTarget.value })}>
              <option value="">{t("property.type.choose")}</option>
              {groups.map((g) => (
                <optgroup key={g.tag} label={t(g.title)}>
                  {types
                    .filter((one) => one.tags.includes(g.tag) && (!one.deprecated || g.tag === "unit" || one.type === d.type))
                    .map((one) => (
                      <option key={one.type} value={one.type}>
                        {one.units[0] ? `${one.name} (${one.units.join(", ")})` : one.name}
                      </option>
                    ))}
                </optgroup>
              ))}
              {d.type && !type && <option value={d.type}>{d.type}</option>}
            </select>
          )}
        </Field>
        {readOnly ? (
          <Note>{t("property.type.readonly")}</Note>
        ) : (
          <Choice
            legend={t("property.permission")}
            value={d.permission}
            onChange={(permission) => change({ permission })}
            options={[
              { value: "READ_ONLY", label: t("permission.read"), hint: t("permission.read.hint") },
              { value: "READ_WRITE", label: t("permission.write"), hint: t("permission.write.hint") },
            ]}
          />
        )}
        <Choice
          legend={t("property.strategy")}
          value={d.strategy}
          onChange={(strategy) => change({ strategy })}
          options={[
            { value: "ON_CHANGE", label: t("strategy.change") },
            { value: "TIMED", label: t("strategy.timed") },
          ]}
        />
        {d.strategy === "TIMED" && <Field label={t("strategy.every")}>{(f) => <input {...f} type="number" min={0} step="any" required value={d.every} onInput={(e) => change({ every: e.currentTarget.value })} />}</Field>}
        {d.strategy === "ON_CHANGE" && numeric && (
          <Field label={t("strategy.delta")} hint={t("strategy.delta.hint")}>
            {(f) => <input {...f} type="number" min={0} step="any" required value={d.delta} onInput={(e) => change({ delta: e.currentTarget.value })} />}
          </Field>
        )}
        {numeric && (
          <div class="pair">
            <Field label={t("property.min")} hint={t("property.range.hint")}>
              {(f) => <input {...f} type="number" step="any" value={d.min} onInput={(e) => change({ min: e.currentTarget.value })} />}
            </Field>
            <Field label={t("property.max")}>{(f) => <input {...f} type="number" step="any" value={d.max} onInput={(e) => change({ max: e.currentTarget.value })} />}</Field>
          </div>
        )}
        <Check label={t("property.persist")} hint={t("property.persist.hint")} checked={d.persist} onChange={(persist) => change({ persist })} />
      </form>
    </Dialog>
  );
}

// variableFor is the variable name that the server makes of a name; it decides, this only shows.
function variableFor(name: string): string {
  const plain = name.trim().replace(/[^a-zA-Z0-9_]/g, "_");
  return /^[0-9]/.test(plain) ? "_" + plain : plain;
}
