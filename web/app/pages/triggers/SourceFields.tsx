import { useQuery } from "../../data";
import { listDevices } from "../../model/device";
import { isNumber, type Kind, kindOf } from "../../model/kind";
import { listThings, listTypes, type Thing } from "../../model/thing";
import type { Operator } from "../../model/trigger";
import { hear } from "../../model/values";
import { t, type Key } from "../../text";
import type { Act } from "../../ui/act";
import { Check, Choice, Field } from "../../ui/Field";
import { byName } from "../../ui/List";
import { Failure, Note } from "../../ui/Note";
import { PickList } from "../../ui/PickList";
import { Skeleton } from "../../ui/Skeleton";
import { SpanField } from "../../ui/Span";
import { LastValue, unitsOf } from "../things/LastValue";
import { PropertySelect } from "../things/PropertySelect";
import { operators, propertiesOf, ranged, type Source } from "./source";

const operatorNames: Record<Operator, Key> = { ANY: "op.any", EQ: "op.eq", NEQ: "op.neq", GT: "op.gt", GTE: "op.gte", LT: "op.lt", LTE: "op.lte", BETWEEN: "op.between", OUTSIDE: "op.outside" };

interface Props {
  s: Source;
  act: Act;
  change: (some: Partial<Source>) => void;
}

// SourceFields choose what a trigger watches.
export function SourceFields(p: Props) {
  return (
    <>
      <Choice
        legend={t("source.what")}
        value={p.s.watch}
        onChange={(watch) => p.change({ watch })}
        options={[
          { value: "property", label: t("source.property"), hint: t("source.property.hint") },
          { value: "status", label: t("source.status"), hint: t("source.status.hint") },
        ]}
      />
      {p.act.at("invalid-trigger-source") && <Note kind="bad">{p.act.wrong.value}</Note>}
      {p.s.watch === "property" ? <PropertySource {...p} /> : <StatusSource {...p} />}
    </>
  );
}

function PropertySource({ s, act, change }: Props) {
  const list = useQuery("things", (signal) => listThings(signal), { things: s.thing ? [s.thing] : [], onValues: hear });
  const units = unitsOf(useQuery("types", listTypes).data.value);
  const things = list.data.value;
  if (!things) return list.error.value ? <Failure error={list.error.value} again={() => void list.reload()} /> : <Skeleton rows={2} />;
  const thing = things.find((x) => x.id === s.thing);
  const property = propertiesOf(thing).find((x) => x.id === s.property);
  const kind = property && kindOf(property.type);
  const unit = property && units.get(property.type);
  const choose = (id: string): void => {
    const next = kindOf(propertiesOf(thing).find((x) => x.id === id)?.type ?? "");
    const list = operators[next === "text" ? "text" : "number"];
    change({ property: id, ...(!list.includes(s.operator) && { operator: list[0]! }) });
  };
  return (
    <>
      <div class="pair">
        <ThingSelect label={t("col.thing")} things={things} value={s.thing} usable={(x) => propertiesOf(x).length > 0} onChange={(id) => change({ thing: id, property: "" })} />
        <Field label={t("history.property")} error={act.at("property-not-found", "trigger-wrong-type")} hint={thing && !propertiesOf(thing).length ? t("source.property.none") : undefined}>
          {(f) => <PropertySelect control={f} all={propertiesOf(thing)} value={s.property} disabled={!thing} onChange={choose} />}
        </Field>
      </div>
      {property && kind && (
        <p class="hint now-line">
          {t("source.now")} <LastValue property={property} kind={kind} unit={unit} zone={thing?.timezone} />
        </p>
      )}
      {kind && <ConditionFields s={s} act={act} change={change} kind={kind} unit={unit} />}
    </>
  );
}

export function ThingSelect({ label, things, value, usable, onChange }: { label: string; things: Thing[]; value: string; usable: (x: Thing) => boolean; onChange: (id: string) => void }) {
  return (
    <Field label={label}>
      {(f) => (
        <select {...f} required value={value} onChange={(e) => onChange(e.currentTarget.value)}>
          <option value="">{t("choose")}</option>
          {[...things].sort(byName).map((x) => (
            <option key={x.id} value={x.id} disabled={!usable(x) && x.id !== value}>
              {x.name}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

function ConditionFields({ s, act, change, kind, unit }: Props & { kind: Kind; unit: string | undefined }) {
  const error = act.at("invalid-condition");
  if (kind === "bool")
    return (
      <>
        <Choice
          legend={t("cond.when")}
          value={s.on ? "on" : "off"}
          onChange={(v) => change({ on: v === "on" })}
          options={[
            { value: "on", label: t("op.on") },
            { value: "off", label: t("op.off") },
          ]}
        />
        {error && <p class="field-error">{error}</p>}
      </>
    );
  const number = isNumber(kind) || kind === "time";
  const withUnit = (label: string): string => (unit ? `${label} (${unit})` : label);
  return (
    <>
      <div class="pair">
        <Field label={t("cond.when")}>
          {(f) => (
            <select {...f} value={s.operator} onChange={(e) => change({ operator: e.currentTarget.value as Operator })}>
              {operators[number ? "number" : "text"].map((o) => (
                <option key={o} value={o}>
                  {t(operatorNames[o])}
                </option>
              ))}
            </select>
          )}
        </Field>
        {s.operator !== "ANY" && (
          <Field label={withUnit(ranged(s.operator) ? t("cond.low") : t("cond.value"))} error={error} hint={kind === "time" ? t("cond.time.hint") : undefined}>
            {(f) => (number ? <input {...f} type="number" step="any" required value={s.value} onInput={(e) => change({ value: e.currentTarget.value })} /> : <input {...f} type="text" maxLength={1024} autocomplete="off" value={s.value} onInput={(e) => change({ value: e.currentTarget.value })} />)}
          </Field>
        )}
        {ranged(s.operator) && <Field label={withUnit(t("cond.high"))}>{(f) => <input {...f} type="number" step="any" required value={s.upper} onInput={(e) => change({ upper: e.currentTarget.value })} />}</Field>}
        {number && s.operator !== "NEQ" && (
          <Field label={withUnit(t("cond.hysteresis"))} hint={t("cond.hysteresis.hint")}>
            {(f) => <input {...f} type="number" min={0} step="any" placeholder="0" value={s.hysteresis} onInput={(e) => change({ hysteresis: e.currentTarget.value })} />}
          </Field>
        )}
      </div>
      <p class="hint">{t("cond.once")}</p>
    </>
  );
}

function StatusSource({ s, act, change }: Props) {
  const list = useQuery("devices", (signal) => listDevices(signal));
  const devices = list.data.value;
  if (!devices) return list.error.value ? <Failure error={list.error.value} again={() => void list.reload()} /> : <Skeleton rows={2} />;
  const error = act.at("invalid-device-status-source", "device-not-found");
  return (
    <>
      <Choice
        legend={t("source.devices")}
        value={s.whose}
        onChange={(whose) => change({ whose })}
        options={[
          { value: "all", label: t("source.all") },
          { value: "only", label: t("source.only") },
          { value: "but", label: t("source.but") },
        ]}
      />
      {s.whose !== "all" && (
        <PickList legend={s.whose === "only" ? t("source.only") : t("source.but")} error={error} all={devices.map((d) => ({ id: d.id, name: d.name, about: d.label, ...(d.tags && { tags: d.tags }) }))} picked={s.devices} onChange={(ids) => change({ devices: ids })} />
      )}
      <fieldset class="stack tight">
        <legend>{t("cond.when")}</legend>
        <Check label={t("source.offline")} checked={s.offline !== undefined} onChange={(on) => change({ offline: on ? 60 : undefined })} />
        {s.offline !== undefined && <SpanField label={t("source.offline.for")} hint={t("source.for.hint")} error={error} seconds={s.offline} onChange={(offline) => change({ offline })} />}
        <Check label={t("source.online")} checked={s.online !== undefined} onChange={(on) => change({ online: on ? 0 : undefined })} />
        {s.online !== undefined && <SpanField label={t("source.online.for")} error={error} seconds={s.online} onChange={(online) => change({ online })} />}
      </fieldset>
      {s.offline === undefined && s.online === undefined && <Note kind="warn">{t("source.neither")}</Note>}
    </>
  );
}
