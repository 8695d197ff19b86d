import { useSignal } from "@preact/signals";
import { useQuery } from "../../data";
import { kindOf } from "../../model/kind";
import { deleteThing, listThings, listTypes, type Property, tagThing, type Thing } from "../../model/thing";
import { hear, hearStatuses, lastOf } from "../../model/values";
import { query, setQuery } from "../../router";
import { mayWrite } from "../../session";
import { t, tn } from "../../text";
import { Ago } from "../../ui/Ago";
import { Button } from "../../ui/Button";
import { Empty } from "../../ui/Empty";
import { BulkBar, byName, type Column, DeletedLink, ListBar, ListTable, newest, type Sorting, useListing, usePicked } from "../../ui/List";
import { Failure } from "../../ui/Note";
import { Head } from "../../ui/Page";
import { Skeleton } from "../../ui/Skeleton";
import { TagList } from "../../ui/Tag";
import { FirstDevice } from "../start/FirstDevice";
import { held } from "../start/Start";
import { Deleted } from "./Deleted";
import { NewThing } from "./NewThing";
import { LastValue, unitsOf } from "./LastValue";

const lastValue = (x: Thing): number => Math.max(0, ...(x.properties ?? []).map((p) => (p.value_updated_at ? Date.parse(p.value_updated_at) : 0)));

const sorts = (): Sorting<Thing>[] => [
  { key: "name", label: t("sort.name"), by: byName },
  { key: "value", label: t("sort.value"), by: (a, b) => lastValue(b) - lastValue(a) },
  { key: "changed", label: t("sort.changed"), by: (a, b) => newest(a.updated_at, b.updated_at) },
  { key: "made", label: t("sort.made"), by: (a, b) => newest(a.created_at, b.created_at) },
];

const columns = (): Column[] => [{ label: t("col.name") }, { label: t("col.values") }, { label: t("col.device") }, { label: t("col.value.when"), end: true }];

const shownValues = 3; // of each thing

export default function Things() {
  if (query("deleted")) return <Deleted />;
  return <Living />;
}

function Living() {
  const ids = useSignal<string[]>([]);
  const list = useQuery(
    "things",
    async (s) => {
      const all = await listThings(s);
      ids.value = all.slice(0, 200).map((x) => x.id);
      return all;
    },
    { things: ids.value, devices: "all", onValues: hear, onDevices: hearStatuses },
  );
  const picked = usePicked();
  const units = unitsOf(useQuery("types", listTypes).data.value);
  const all = list.data.value;
  const { shown, tags } = useListing(all ?? [], sorts(), (x) => [x.name, x.id, x.device_name ?? "", ...(x.properties ?? []).map((p) => p.name)].join(" "));
  const making = query("new");
  if (held.value || (all && !all.length && !list.error.value && !making)) return <FirstDevice />;
  return (
    <>
      <Head title={t("things.title")} about={all ? tn("things.count", all.length) : undefined}>
        {mayWrite.value && (
          <Button kind="main" icon="plus" onClick={() => setQuery("new", "1")}>
            {t("things.add")}
          </Button>
        )}
      </Head>
      <Failure error={list.error.value} again={() => void list.reload()} />
      <ListBar label={t("things.find")} sorts={sorts()} tags={tags}>
        <DeletedLink />
      </ListBar>
      {!all ? <Skeleton rows={6} /> : shown.length ? <ListTable shown={shown} picked={mayWrite.value ? picked : undefined} columns={columns()} cells={(x) => <Row thing={x} units={units} />} /> : <Empty icon="search" title={t("list.nothing")} />}
      <p class="sr" role="status">
        {all && query("q") ? tn("list.found", shown.length) : ""}
      </p>
      {mayWrite.value && <BulkBar picked={picked} shown={shown} bulk={{ noun: "things", tag: tagThing, drop: deleteThing, after: () => void list.reload() }} />}
      {making && mayWrite.value && <NewThing device={making === "1" ? "" : making} onClose={() => setQuery("new", "")} />}
    </>
  );
}

function Row({ thing: x, units }: { thing: Thing; units: Map<string, string> }) {
  return (
    <>
      <th scope="row">
        <a class="rowlink" href={"/app/things/" + x.id}>
          {x.name}
        </a>
        <TagList tags={x.tags} onPick={(tag) => setQuery("tag", tag)} />
      </th>
      <td class="whole">
        <Values thing={x} units={units} />
      </td>
      <td data-label={t("col.device")}>{x.device_id ? <a href={"/app/devices/" + x.device_id}>{x.device_name || x.device_id}</a> : <span class="soft">{t("thing.nodevice")}</span>}</td>
      <td class="end soft" data-label={t("col.value.when")}>
        <Newest all={x.properties ?? []} zone={x.timezone} />
      </td>
    </>
  );
}

function Values({ thing, units }: { thing: Thing; units: Map<string, string> }) {
  const all = thing.properties ?? [];
  if (!all.length) return <span class="soft">{t("thing.noproperties")}</span>;
  return (
    <ul class="values">
      {all.slice(0, shownValues).map((p) => (
        <li key={p.id}>
          <span class="soft">{p.name}</span>
          <LastValue property={p} kind={kindOf(p.type)} unit={units.get(p.type)} zone={thing.timezone} />
        </li>
      ))}
      {all.length > shownValues && <li class="soft">{tn("things.more", all.length - shownValues)}</li>}
    </ul>
  );
}

function Newest({ all, zone }: { all: Property[]; zone: string }) {
  const at = newestOf(all);
  return at ? <Ago at={at} zone={zone} /> : <>{t("never")}</>;
}

function newestOf(all: Property[]): string {
  let at = "";
  for (const p of all) {
    const one = lastOf(p.id).value.at;
    if (one && (!at || Date.parse(one) > Date.parse(at))) at = one;
  }
  return at;
}
