import { useSignal } from "@preact/signals";
import { useQuery } from "../../data";
import { kindOf } from "../../model/kind";
import { dissolve, type Group, keepSame, least, type Member, most, takeOut } from "../../model/sync";
import { listThings, type Property, type Thing, type Type } from "../../model/thing";
import { hear } from "../../model/values";
import { t, tn, type Key } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { confirm } from "../../ui/Confirm";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { byName } from "../../ui/List";
import { Failure, Note } from "../../ui/Note";
import { Skeleton } from "../../ui/Skeleton";
import { say } from "../../ui/Toast";
import { LastValue, unitsOf } from "../things/LastValue";
import { PropertySelect } from "../things/PropertySelect";
import { sorted } from "./fit";

interface Props {
  property: Property;
  group: Group | undefined;
  types: Type[];
  reload: () => Promise<void>; // of the thing and its groups
  onClose: () => void;
}

// SyncDialog is where a property is kept the same as others: which they are, with their values, and which may join.
export function SyncDialog({ property, group, types, reload, onClose }: Props) {
  const followed = (group?.properties ?? []).flatMap((m) => m.thing_id ?? []);
  const list = useQuery("things", (s) => listThings(s), { things: followed, onValues: hear });
  const act = useAct();
  const things = property.sync_id && !group ? undefined : list.data.value; // its group is on the way
  const after = async (): Promise<void> => {
    await reload();
    await list.reload();
  };
  const out = async (id: string): Promise<void> => {
    if (!group || !(await act.run(() => takeOut(group, id)))) return;
    if (id === property.id) {
      onClose();
      say(t("sync.left", { name: property.name }));
    }
    await after();
  };
  const end = async (): Promise<void> => {
    if (!group || !(await confirm({ title: t("sync.end.title"), text: t("sync.end.text"), action: t("sync.end"), danger: true }))) return;
    if (!(await act.run(() => dissolve(group)))) return;
    onClose();
    say(t("sync.ended"));
    await after();
  };
  return (
    <Dialog
      title={t("sync.edit", { name: property.name })}
      wide
      onClose={onClose}
      actions={
        <>
          {group && group.properties.length > least && (
            <Button kind="danger" busy={act.busy.value} onClick={() => void end()}>
              {t("sync.end")}
            </Button>
          )}
          {group && (
            <Button icon="unlink" busy={act.busy.value} onClick={() => void out(property.id)}>
              {t("sync.leave")}
            </Button>
          )}
          <Button onClick={onClose}>{t("close")}</Button>
        </>
      }
    >
      <div class="stack">
        {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
        <p class="soft">{t("sync.text")}</p>
        {group && <Members group={group} own={property.id} types={types} busy={act.busy.value} drop={(id) => void out(id)} />}
        {!group && property.permission === "READ_ONLY" && <Note>{t("sync.gives.own")}</Note>}
        <Failure error={list.error.value} again={() => void list.reload()} />
        {!things && !list.error.value && <Skeleton rows={2} />}
        {things && group && group.properties.length >= most && <p class="hint">{tn("sync.full", most)}</p>}
        {things && (group?.properties.length ?? 0) < most && (
          <Join
            property={property}
            group={group}
            things={things}
            types={types}
            busy={act.busy.value}
            join={async (p) => {
              const done = await act.run(() => keepSame(group, property.id, p.id));
              if (done) await after();
              return done;
            }}
          />
        )}
      </div>
    </Dialog>
  );
}

function Members({ group, own, types, busy, drop }: { group: Group; own: string; types: Type[]; busy: boolean; drop: (id: string) => void }) {
  const units = unitsOf(types);
  return (
    <ul class="rows fixed members" aria-label={t("sync.members")}>
      {group.properties.map((m) => (
        <li key={m.id}>
          <div class="what">
            <b>{m.name ?? t("sync.gone")}</b> {m.variable_name && <code>{m.variable_name}</code>}
            <span>{[m.thing_name, m.id === own && t("sync.own"), stateOf(m)].filter(Boolean).join(" · ")}</span>
          </div>
          {m.state === "OK" || m.state === "GIVES" ? <LastValue property={m} kind={kindOf(group.type)} unit={units.get(group.type)} /> : <span />}
          {m.id !== own && <Button small kind="quiet" icon="close" busy={busy} label={t("sync.drop", { name: `${m.thing_name ?? ""} ${m.name ?? t("sync.gone")}`.trim() })} onClick={() => drop(m.id)} />}
        </li>
      ))}
    </ul>
  );
}

const stateWords: Record<Exclude<Member["state"], "OK">, Key> = { GIVES: "sync.state.gives", DELETED: "sync.state.deleted", RETYPED: "sync.state.retyped", NOT_FOUND: "sync.state.gone" };

const stateOf = (m: Member): string => (m.state === "OK" ? "" : t(stateWords[m.state]));

interface JoinProps {
  property: Property;
  group: Group | undefined;
  things: Thing[];
  types: Type[];
  busy: boolean;
  join: (p: Property) => Promise<boolean>;
}

// Join chooses a thing, then one of its properties that fit. Why others do not is said.
function Join({ property, group, things, types, busy, join }: JoinProps) {
  const thing = useSignal("");
  const chosen = useSignal("");
  const named = [...things].filter((x) => x.properties?.some((p) => p.id !== property.id)).sort(byName);
  const fitting = named.filter((x) => sorted(x, property, group).fits.length > 0);
  const none = named.filter((x) => !fitting.includes(x));
  const { fits, others } = sorted(
    named.find((x) => x.id === thing.value),
    property,
    group,
  );
  const pick = fits.find((p) => p.id === chosen.value);
  const typeName = (type: string): string => types.find((one) => one.type === type)?.name ?? type;
  const choose = (id: string): void => {
    thing.value = id;
    chosen.value = "";
  };
  const options = (some: Thing[]) =>
    some.map((x) => (
      <option key={x.id} value={x.id}>
        {x.name}
      </option>
    ));
  return (
    <form
      id="sync"
      class="stack tight"
      onSubmit={(e) => {
        e.preventDefault();
        if (pick) void join(pick).then((done) => done && choose(""));
      }}
    >
      {!fitting.length && <Note>{t("sync.none", { type: typeName(group?.type ?? property.type) })}</Note>}
      <div class="pair">
        <Field label={t("col.thing")}>
          {(f) => (
            <select {...f} required value={thing.value} onChange={(e) => choose(e.currentTarget.value)}>
              <option value="">{t("choose")}</option>
              {fitting.length > 0 && <optgroup label={t("sync.things")}>{options(fitting)}</optgroup>}
              {none.length > 0 && <optgroup label={t("sync.things.none")}>{options(none)}</optgroup>}
            </select>
          )}
        </Field>
        <Field label={t("history.property")}>
          {(f) => <PropertySelect key={thing.value} control={f} all={fits} value={chosen.value} disabled={!fits.length} onChange={(id) => (chosen.value = id)} />}
        </Field>
      </div>
      {others.length > 0 && (
        <details open={!fits.length} key={thing.value}>
          <summary>{tn("sync.unfit", others.length)}</summary>
          <ul class="unfit">
            {others.map(({ property: p, why }) => (
              <li key={p.id}>
                <b>{p.name}</b> <span class="soft">{t(`sync.why.${why}`, { type: typeName(p.type) })}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
      <div>
        <Button kind="main" type="submit" icon="link" busy={busy} disabled={!pick}>
          {t("sync.join")}
        </Button>
      </div>
    </form>
  );
}
