import { type Signal, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { words } from "../api";
import { path, query, setQuery } from "../router";
import { t, tn } from "../text";
import { Button } from "./Button";
import { confirm } from "./Confirm";
import { Icon } from "./Icon";
import { TagDialog } from "./Tag";
import { complain, say } from "./Toast";

export interface Sorting<T> {
  key: string;
  label: string;
  by: (a: T, b: T) => number;
}

export interface Listed {
  id: string;
  name: string;
  tags?: Record<string, string>;
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

export const byName = (a: { name: string }, b: { name: string }): number => collator.compare(a.name, b.name);

// newest puts the later of two times first; what a clock of milliseconds cannot tell apart, the texts can.
export function newest(a: string | undefined, b: string | undefined): number {
  return (b ? Date.parse(b) : 0) - (a ? Date.parse(a) : 0) || (b ?? "").localeCompare(a ?? "");
}

// useListing narrows and sorts a list as the address says, so that what somebody looked for can be gone back to.
export function useListing<T extends Listed>(all: T[], sorts: Sorting<T>[], text: (one: T) => string): { shown: T[]; tags: string[] } {
  const wanted = query("q").toLowerCase();
  const tag = query("tag");
  const sort = sorts.find((s) => s.key === query("sort")) ?? sorts[0];
  const tags = new Set<string>();
  for (const one of all) for (const [k, v] of Object.entries(one.tags ?? {})) tags.add(`${k}:${v}`);
  const shown = all.filter((one) => {
    if (wanted && !text(one).toLowerCase().includes(wanted)) return false;
    if (!tag) return true;
    const [key = "", value = ""] = tag.split(/:(.*)/s);
    return one.tags?.[key] === value;
  });
  if (sort) shown.sort(sort.by);
  return { shown, tags: [...tags].sort(collator.compare) };
}

// ListBar is the search, the filter by tag and the order of a list.
export function ListBar<T>({ label, sorts, tags, children }: { label: string; sorts: Sorting<T>[]; tags: string[]; children?: ComponentChildren }) {
  const tag = query("tag");
  return (
    <div class="listbar" role="search" aria-label={label}>
      <div class="listbar-find">
        <Icon name="search" size={18} />
        <input type="search" aria-label={label} placeholder={label} value={query("q")} onInput={(e) => setQuery("q", e.currentTarget.value)} />
      </div>
      {(tags.length > 0 || tag) && (
        <select aria-label={t("tags.by")} value={tag} onChange={(e) => setQuery("tag", e.currentTarget.value)}>
          <option value="">{t("tags.all")}</option>
          {(tags.includes(tag) || !tag ? tags : [tag, ...tags]).map((one) => (
            <option key={one} value={one}>
              {one.replace(":", ": ")}
            </option>
          ))}
        </select>
      )}
      <select aria-label={t("list.sort")} value={query("sort") || sorts[0]?.key} onChange={(e) => setQuery("sort", e.currentTarget.value === sorts[0]?.key ? "" : e.currentTarget.value)}>
        {sorts.map((s) => (
          <option key={s.key} value={s.key}>
            {s.label}
          </option>
        ))}
      </select>
      {children}
    </div>
  );
}

// A Picked is which entries of a list are chosen.
export type Picked = Signal<ReadonlySet<string>>;

export const usePicked = (): Picked => useSignal<ReadonlySet<string>>(new Set());

function Pick({ picked, id, name }: { picked: Picked; id: string; name: string }) {
  return (
    <input
      type="checkbox"
      aria-label={t("list.pick", { name })}
      checked={picked.value.has(id)}
      onChange={(e) => {
        const all = new Set(picked.value);
        if (e.currentTarget.checked) all.add(id);
        else all.delete(id);
        picked.value = all;
      }}
    />
  );
}

function PickAll({ picked, shown }: { picked: Picked; shown: Listed[] }) {
  const n = shown.filter((one) => picked.value.has(one.id)).length;
  return (
    <input
      type="checkbox"
      aria-label={t("list.pick.all")}
      checked={n > 0 && n === shown.length}
      ref={(box) => {
        if (box) box.indeterminate = n > 0 && n < shown.length;
      }}
      onChange={(e) => (picked.value = new Set(e.currentTarget.checked ? shown.map((one) => one.id) : []))}
    />
  );
}

export interface Column {
  label: string;
  end?: boolean; // at the end of its line
}

// ListTable is a list; with picked there is a box beside each entry to choose it by.
export function ListTable<T extends Listed>({ shown, picked, columns, cells }: { shown: T[]; picked: Picked | undefined; columns: Column[]; cells: (one: T) => ComponentChildren }) {
  return (
    <table class={picked ? "list chooses" : "list"}>
      <thead>
        <tr>
          {picked && (
            <th scope="col" class="pick">
              <PickAll picked={picked} shown={shown} />
            </th>
          )}
          {columns.map((c) => (
            <th key={c.label} scope="col" class={c.end ? "end" : undefined}>
              {c.label}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {shown.map((one) => (
          <tr key={one.id}>
            {picked && (
              <td class="pick">
                <Pick picked={picked} id={one.id} name={one.name} />
              </td>
            )}
            {cells(one)}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

// DeletedLink leads to what was deleted and can be brought back.
export function DeletedLink() {
  return (
    <a class="listbar-link" href={path.value + "?deleted=1"}>
      {t("deleted.link")}
    </a>
  );
}

export interface Bulk {
  noun: "devices" | "things";
  tag: (id: string, key: string, value: string) => Promise<void>;
  drop: (id: string) => Promise<void>;
  after: () => void;
}

// BulkBar does something with all that is chosen, one after the other, and says how many of it worked.
export function BulkBar({ picked, shown, bulk }: { picked: Picked; shown: Listed[]; bulk: Bulk }) {
  const tagging = useSignal(false);
  const busy = useSignal(0);
  const chosen = shown.filter((one) => picked.value.has(one.id));
  if (!chosen.length) return null;
  const each = async (what: (id: string) => Promise<void>, done: (n: number) => string): Promise<void> => {
    const left = new Set<string>();
    let why = "";
    for (const [i, one] of chosen.entries()) {
      busy.value = i + 1;
      try {
        await what(one.id);
      } catch (err) {
        left.add(one.id);
        why ||= words(err);
      }
    }
    busy.value = 0;
    picked.value = left;
    if (chosen.length > left.size) say(done(chosen.length - left.size));
    if (left.size) complain(`${tn("list.failed", left.size)} ${why}`);
    bulk.after();
  };
  const remove = async (): Promise<void> => {
    const yes = await confirm({ title: tn(`${bulk.noun}.delete`, chosen.length), text: t(`${bulk.noun}.delete.text`), action: t("delete"), danger: true });
    if (yes) await each(bulk.drop, (n) => tn(`${bulk.noun}.deleted`, n));
  };
  return (
    <div class="bulk" role="region" aria-label={t("list.bulk")}>
      <p role="status">{busy.value ? t("list.working", { n: busy.value, of: chosen.length }) : tn("list.picked", chosen.length)}</p>
      <div class="acts">
        <Button small icon="tag" busy={busy.value > 0} onClick={() => (tagging.value = true)}>
          {t("tags.add")}
        </Button>
        <Button small kind="danger" icon="trash" busy={busy.value > 0} onClick={() => void remove()}>
          {t("delete")}
        </Button>
        <Button small kind="quiet" onClick={() => (picked.value = new Set())}>
          {t("list.unpick")}
        </Button>
      </div>
      {tagging.value && (
        <TagDialog
          title={tn(`${bulk.noun}.tag`, chosen.length)}
          onClose={() => (tagging.value = false)}
          set={async (key, value) => {
            // The first tells whether the tag is good at all.
            const first = chosen[0];
            if (first) await bulk.tag(first.id, key, value);
            void each((id) => (id === first?.id ? Promise.resolve() : bulk.tag(id, key, value)), (n) => tn(`${bulk.noun}.tagged`, n));
          }}
        />
      )}
    </div>
  );
}
