import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { t, tn } from "../text";
import { byName } from "./List";

export interface Pickable {
  id: string;
  name: string;
  tags?: Record<string, string>;
  about?: string;
}

const shownAtOnce = 100;

// PickList chooses some of many, which are found by name or tag.
export function PickList({ legend, all, picked, error, onChange }: { legend: string; all: Pickable[]; picked: string[]; error?: string | undefined; onChange: (ids: string[]) => void }) {
  const wanted = useSignal("");
  const id = useId();
  const chosen = new Set(picked);
  const find = wanted.value.trim().toLowerCase();
  const tags = (one: Pickable): string => Object.entries(one.tags ?? {}).map(([k, v]) => `${k}:${v}`).join(" ");
  const found = all.filter((one) => !find || `${one.name} ${tags(one)}`.toLowerCase().includes(find)).sort(byName);
  const set = (ids: string[], on: boolean): void => onChange(on ? [...new Set([...picked, ...ids])] : picked.filter((one) => !ids.includes(one)));
  return (
    <fieldset class="picklist" aria-describedby={error ? id : undefined}>
      <legend>
        {legend} <span class="soft">{tn("list.picked", picked.length)}</span>
      </legend>
      {all.length > 6 && <input type="search" aria-label={t("pick.find")} placeholder={t("pick.find")} value={wanted.value} onInput={(e) => (wanted.value = e.currentTarget.value)} />}
      <div class="picklist-all">
        {found.slice(0, shownAtOnce).map((one) => (
          <label key={one.id}>
            <input type="checkbox" checked={chosen.has(one.id)} onChange={(e) => set([one.id], e.currentTarget.checked)} />
            <span>
              {one.name}
              {one.about && <small>{one.about}</small>}
            </span>
          </label>
        ))}
        {!found.length && <p class="soft">{t("list.nothing")}</p>}
        {found.length > shownAtOnce && <p class="soft">{tn("pick.more", found.length - shownAtOnce)}</p>}
      </div>
      {found.length > 1 && (
        <div class="acts">
          <button type="button" class="linkish" onClick={() => set(found.map((one) => one.id), true)}>
            {find ? tn("pick.found", found.length) : tn("pick.all", found.length)}
          </button>
          {picked.length > 0 && (
            <button type="button" class="linkish" onClick={() => onChange([])}>
              {t("list.unpick")}
            </button>
          )}
        </div>
      )}
      {error && (
        <p class="field-error" id={id}>
          {error}
        </p>
      )}
    </fieldset>
  );
}
