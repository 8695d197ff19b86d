import { useQuery } from "../../data";
import { num } from "../../format";
import { listDevices } from "../../model/device";
import { listThings, listTypes } from "../../model/thing";
import { deleteTrigger, fired, type Firing, listTriggers, restoreTrigger, type Trigger, updateTrigger, usage } from "../../model/trigger";
import { query, setQuery } from "../../router";
import { mayWrite } from "../../session";
import { t, tn } from "../../text";
import { useAct } from "../../ui/act";
import { Ago } from "../../ui/Ago";
import { ButtonLink } from "../../ui/Button";
import { Empty } from "../../ui/Empty";
import { useEvery } from "../../ui/every";
import { Gone } from "../../ui/Gone";
import { Icon } from "../../ui/Icon";
import { byName, type Column, DeletedLink, ListBar, ListTable, newest, type Sorting, useListing } from "../../ui/List";
import { Failure, Note } from "../../ui/Note";
import { Head } from "../../ui/Page";
import { Skeleton } from "../../ui/Skeleton";
import { TagList } from "../../ui/Tag";
import { complain } from "../../ui/Toast";
import { unitsOf } from "../things/LastValue";
import { Toggle } from "../../control/Toggle";
import { doesWords, kindIcon, type Known, known, watchWords } from "./words";

export default function Triggers() {
  if (query("deleted")) return <Deleted />;
  return <Living />;
}

function Deleted() {
  const list = useQuery("triggers:deleted", async (s) => (await listTriggers(s, true)).filter((x) => x.deleted_at));
  return (
    <Gone<Trigger>
      title={t("triggers.deleted.title")}
      back={{ href: "/app/triggers", label: t("triggers.title") }}
      list={list}
      fixed={!mayWrite.value}
      about={(x) => tn("actions.count", x.actions.length)}
      restore={restoreTrigger}
      destroy={(id) => deleteTrigger(id, true)}
      destroyText={t("trigger.destroy.text")}
    />
  );
}

type Row = Trigger & { last?: Firing };

const sorts = (): Sorting<Row>[] => [
  { key: "name", label: t("sort.name"), by: byName },
  { key: "fired", label: t("sort.fired"), by: (a, b) => newest(a.last?.at, b.last?.at) },
  { key: "changed", label: t("sort.changed"), by: (a, b) => newest(a.updated_at, b.updated_at) },
  { key: "made", label: t("sort.made"), by: (a, b) => newest(a.created_at, b.created_at) },
];

const columns = (): Column[] => [{ label: t("col.name") }, { label: t("col.does") }, { label: t("col.fired"), end: true }, { label: t("trigger.armed") }];

function Living() {
  const list = useQuery("triggers", (s) => listTriggers(s));
  const fires = useQuery("triggers:fired", fired);
  useEvery(10_000, true, () => void fires.reload());
  const things = useQuery("things", (s) => listThings(s)).data.value;
  const devices = useQuery("devices", (s) => listDevices(s)).data.value;
  const k = known(things, devices, unitsOf(useQuery("types", listTypes).data.value));
  const last = new Map((fires.data.value ?? []).map((f) => [f.trigger_id, f]));
  const all = list.data.value?.map((x): Row => ({ ...x, ...(last.has(x.id) && { last: last.get(x.id)! }) }));
  const ready = all && things && devices;
  const { shown, tags } = useListing(all ?? [], sorts(), (x) => [x.name, x.description, x.id, k.properties.get(x.property_id ?? "")?.property.name ?? "", k.properties.get(x.property_id ?? "")?.thing.name ?? ""].join(" "));
  return (
    <>
      <Head title={t("triggers.title")} about={<Used />}>
        <ButtonLink icon="bell" href="/app/notices">
          {t("notices.title")}
        </ButtonLink>
        {mayWrite.value && all && all.length > 0 && (
          <ButtonLink kind="main" icon="plus" href="/app/triggers/new">
            {t("triggers.add")}
          </ButtonLink>
        )}
      </Head>
      <Failure error={list.error.value} again={() => void list.reload()} />
      {all && all.length === 0 && !list.error.value ? (
        <Empty icon="bolt" title={t("triggers.none")} actions={<None />}>
          <p>{t("triggers.none.text")}</p>
        </Empty>
      ) : (
        <>
          <ListBar label={t("triggers.find")} sorts={sorts()} tags={tags}>
            <DeletedLink />
          </ListBar>
          {!ready ? (
            !list.error.value && <Skeleton rows={5} />
          ) : shown.length ? (
            <ListTable shown={shown} picked={undefined} columns={columns()} cells={(x) => <Cells x={x} k={k} after={() => void list.reload()} />} />
          ) : (
            <Empty icon="search" title={t("list.nothing")} />
          )}
        </>
      )}
      <p class="sr" role="status">
        {all && query("q") ? tn("list.found", shown.length) : ""}
      </p>
    </>
  );
}

function None() {
  return (
    <>
      {mayWrite.value && (
        <ButtonLink kind="main" icon="plus" href="/app/triggers/new">
          {t("triggers.add")}
        </ButtonLink>
      )}
      <ButtonLink icon="trash" href="/app/triggers?deleted=1">
        {t("triggers.deleted.title")}
      </ButtonLink>
    </>
  );
}

// Used says how much of what the space may have is used.
export function Used() {
  const u = useQuery("triggers:usage", usage).data.value;
  if (!u) return <> </>;
  return (
    <>
      <span>{u.triggers_limit === null ? tn("triggers.count", u.triggers) : t("triggers.count.of", { n: num(u.triggers), of: num(u.triggers_limit) })}</span>
      <span>{u.today_limit === null ? tn("triggers.today", u.today) : t("triggers.today.of", { n: num(u.today), of: num(u.today_limit) })}</span>
      {u.held_today > 0 && <span class="bad-text">{tn("triggers.held", u.held_today)}</span>}
    </>
  );
}

function Cells({ x, k, after }: { x: Row; k: Known; after: () => void }) {
  return (
    <>
      <th scope="row">
        <a class="rowlink" href={"/app/triggers/" + x.id}>
          {x.name}
        </a>
        <span class="under">{watchWords(x, k)}</span>
        <TagList tags={x.tags} onPick={(tag) => setQuery("tag", tag)} />
      </th>
      <td data-label={t("col.does")}>
        {x.actions.length ? (
          <ul class="does">
            {x.actions.map((a) => (
              <li key={a.id}>
                <Icon name={kindIcon(a.kind)} size={16} />
                {doesWords(a, k)}
              </li>
            ))}
          </ul>
        ) : (
          <span class="soft">{t("actions.none")}</span>
        )}
      </td>
      <td class="end" data-label={t("col.fired")}>
        <span class="soft">{x.last ? <Ago at={x.last.at} /> : t("never")}</span>
        {x.last && x.last.dead > 0 && <span class="under bad-text">{tn("fired.dead", x.last.dead)}</span>}
        {x.last && x.last.waiting > 0 && <span class="under">{tn("fired.waiting", x.last.waiting)}</span>}
      </td>
      <td data-label={t("trigger.armed")}>
        <Armed id={x.id} name={x.name} on={x.active} after={after} />
      </td>
    </>
  );
}

// Armed arms a trigger, or has it rest.
export function Armed({ id, name, on, after }: { id: string; name: string; on: boolean; after: () => void }) {
  const act = useAct();
  if (!mayWrite.value) return <span class={on ? "status online" : "status offline"}>{on ? t("trigger.on") : t("trigger.off")}</span>;
  const set = async (active: boolean): Promise<void> => {
    if (!(await act.run(() => updateTrigger(id, { active }))) && act.wrong.value) complain(act.wrong.value);
    after();
  };
  return <Toggle on={on} label={t("trigger.armed.label", { name })} text={on ? t("trigger.on") : t("trigger.off")} busy={act.busy.value} onChange={(v) => void set(v)} />;
}

// Held says that the space did as much as it may today.
export function Held() {
  const u = useQuery("triggers:usage", usage).data.value;
  if (!u || u.today_limit === null || u.today < u.today_limit) return null;
  return (
    <Note kind="warn">
      <p>{t("triggers.spent", { of: num(u.today_limit) })}</p>
    </Note>
  );
}
