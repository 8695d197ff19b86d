import { useQuery } from "../../data";
import { deleteDevice, type Device, listDevices, tagDevice } from "../../model/device";
import { hearStatuses, statusOf } from "../../model/values";
import { query, setQuery } from "../../router";
import { mayWrite } from "../../session";
import { t, tn } from "../../text";
import { Ago } from "../../ui/Ago";
import { ButtonLink } from "../../ui/Button";
import { Empty } from "../../ui/Empty";
import { BulkBar, byName, type Column, DeletedLink, ListBar, ListTable, newest, type Sorting, useListing, usePicked } from "../../ui/List";
import { Failure } from "../../ui/Note";
import { Head } from "../../ui/Page";
import { Skeleton } from "../../ui/Skeleton";
import { Status } from "../../ui/Status";
import { TagList } from "../../ui/Tag";
import { FirstDevice } from "../start/FirstDevice";
import { held } from "../start/Start";
import { Deleted } from "./Deleted";

const sorts = (): Sorting<Device>[] => [
  { key: "name", label: t("sort.name"), by: byName },
  { key: "status", label: t("sort.status"), by: (a, b) => order(a) - order(b) || byName(a, b) },
  { key: "activity", label: t("sort.activity"), by: (a, b) => newest(a.last_activity_at, b.last_activity_at) },
  { key: "made", label: t("sort.made"), by: (a, b) => newest(a.created_at, b.created_at) },
];

const columns = (): Column[] => [{ label: t("col.name") }, { label: t("col.status") }, { label: t("col.thing") }, { label: t("col.activity"), end: true }];

const order = (d: Device): number => ({ ONLINE: 0, OFFLINE: 1, UNKNOWN: 2 })[statusOf(d.id, d.device_status)];

export default function Devices() {
  if (query("deleted")) return <Deleted />;
  return <Living />;
}

function Living() {
  const list = useQuery("devices", (s) => listDevices(s), { devices: "all", onDevices: hearStatuses });
  const picked = usePicked();
  const all = list.data.value;
  const { shown, tags } = useListing(all ?? [], sorts(), (d) => [d.name, d.label, d.id, d.serial, d.thing?.name ?? ""].join(" "));
  const online = (all ?? []).filter((d) => statusOf(d.id, d.device_status) === "ONLINE").length;
  if (held.value || (all && !all.length && !list.error.value)) return <FirstDevice />;
  return (
    <>
      <Head title={t("devices.title")} about={all ? t("devices.online", { n: online, of: all.length }) : undefined}>
        <ButtonLink icon="update" href="/app/updates">
          {t("campaigns.title")}
        </ButtonLink>
        {mayWrite.value && (
          <ButtonLink kind="main" icon="plus" href="/app/devices/new">
            {t("devices.add")}
          </ButtonLink>
        )}
      </Head>
      <Failure error={list.error.value} again={() => void list.reload()} />
      <ListBar label={t("devices.find")} sorts={sorts()} tags={tags}>
        <DeletedLink />
      </ListBar>
      {!all ? <Skeleton rows={6} /> : shown.length ? <ListTable shown={shown} picked={mayWrite.value ? picked : undefined} columns={columns()} cells={(d) => <Row device={d} />} /> : <Empty icon="search" title={t("list.nothing")} />}
      <p class="sr" role="status">
        {all && query("q") ? tn("list.found", shown.length) : ""}
      </p>
      {mayWrite.value && <BulkBar picked={picked} shown={shown} bulk={{ noun: "devices", tag: tagDevice, drop: deleteDevice, after: () => void list.reload() }} />}
    </>
  );
}

function Row({ device: d }: { device: Device }) {
  return (
    <>
      <th scope="row">
        <a class="rowlink" href={"/app/devices/" + d.id}>
          {d.name}
        </a>
        <span class="under">{d.label}</span>
        <TagList tags={d.tags} onPick={(tag) => setQuery("tag", tag)} />
      </th>
      <td>
        <Status device={d.id} told={d.device_status} />
      </td>
      <td data-label={t("col.thing")}>{d.thing ? <a href={"/app/things/" + d.thing.id}>{d.thing.name}</a> : <span class="soft">{t("device.free")}</span>}</td>
      <td class="end soft" data-label={t("col.activity")}>
        {d.last_activity_at ? <Ago at={d.last_activity_at} /> : t("never")}
      </td>
    </>
  );
}
