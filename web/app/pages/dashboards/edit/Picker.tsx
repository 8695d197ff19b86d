import { useSignal } from "@preact/signals";
import { useQuery } from "../../../data";
import type { Variable } from "../../../model/dashboard";
import { listThings, listTypes, type Property, type Thing } from "../../../model/thing";
import { t, tn } from "../../../text";
import { Icon } from "../../../ui/Icon";
import { Failure } from "../../../ui/Note";
import { Skeleton } from "../../../ui/Skeleton";
import { fits } from "../../../widgets";
import type { Kind } from "../../../widgets/widget";

const most = 60; // that are shown at once

// Picker finds the variables that a widget shows, among those that its kind can show.
export function Picker({ kind, variables, gone, change }: { kind: Kind; variables: Variable[]; gone: boolean; change: (all: Variable[]) => void }) {
  const things = useQuery("things", listThings);
  const types = useQuery("types", listTypes).data.value;
  const typed = useSignal("");
  const one = kind.most === 1;
  const chosen = new Set(variables.map((v) => v.id));
  const all = (things.data.value ?? []).flatMap((thing) => (thing.properties ?? []).filter((p) => fits(kind, p)).map((property) => ({ thing, property })));
  const wanted = typed.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = all.filter(({ thing, property: p }) => {
    const text = `${p.name} ${p.variable_name} ${thing.name}`.toLowerCase();
    return wanted.every((w) => text.includes(w));
  });
  const full = !one && variables.length >= kind.most;
  const toggle = (thing: Thing, p: Property): void => {
    if (one) change([asVariable(thing, p)]);
    else if (chosen.has(p.id)) change(variables.filter((v) => v.id !== p.id));
    else change([...variables, asVariable(thing, p)]);
  };
  return (
    <fieldset class="picker">
      <legend>{one ? t("picker.one") : tn("picker.several", kind.most)}</legend>
      {gone && <p class="field-error">{t("picker.gone")}</p>}
      {variables.length > 0 && (
        <ul class="picked">
          {variables.map((v) => (
            <li key={v.id}>
              <b>{v.name}</b> <span class="soft">{v.thing_name}</span>
              {!fits(kind, v) && <span class="field-error">{t("picker.unfit")}</span>}
              <button type="button" class="tag-drop" aria-label={t("picker.drop", { name: v.name })} onClick={() => change(variables.filter((other) => other.id !== v.id))}>
                <Icon name="close" size={14} />
              </button>
            </li>
          ))}
        </ul>
      )}
      <Failure error={things.error.value} again={() => void things.reload()} />
      {!things.data.value && !things.error.value && <Skeleton rows={3} />}
      {things.data.value && !all.length && <p class="soft">{kind.needsWrite ? t("picker.none.write") : t("picker.none")}</p>}
      {all.length > 0 && (
        <>
          <input type="search" aria-label={t("picker.find")} placeholder={t("picker.find")} value={typed.value} onInput={(e) => (typed.value = e.currentTarget.value)} />
          <div class="picks" role="group" aria-label={t("picker.found")}>
            {found.slice(0, most).map(({ thing, property: p }) => (
              <label key={p.id} class="pickable">
                <input type={one ? "radio" : "checkbox"} name="variable" checked={chosen.has(p.id)} disabled={full && !chosen.has(p.id)} onChange={() => toggle(thing, p)} />
                <span>
                  <b>{p.name}</b> <span class="soft">{thing.name}</span>
                </span>
                <small class="soft">{types?.find((x) => x.type === p.type)?.name ?? p.type}</small>
              </label>
            ))}
            {!found.length && <p class="soft">{t("list.nothing")}</p>}
          </div>
          {found.length > most && <p class="hint">{tn("picker.more", found.length - most)}</p>}
        </>
      )}
    </fieldset>
  );
}

// asVariable is a property as dashboards tell of it.
function asVariable(thing: Thing, p: Property): Variable {
  return {
    id: p.id, name: p.name, variable_name: p.variable_name, type: p.type, permission: p.permission, thing_id: thing.id, thing_name: thing.name,
    thing_timezone: { name: thing.timezone, offset: 0, until: "" }, last_value: p.last_value, ...(p.value_updated_at && { last_value_updated_at: p.value_updated_at }),
  };
}
