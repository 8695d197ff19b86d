import { useSignal } from "@preact/signals";
import { words } from "../../api";
import { useQuery } from "../../data";
import { save } from "../../download";
import { type Dashboard, listDashboards, templateAddress } from "../../model/dashboard";
import { usePicture } from "../../model/picture";
import { query, setQuery } from "../../router";
import { mayWrite } from "../../session";
import { t, tn } from "../../text";
import { Ago } from "../../ui/Ago";
import { Button } from "../../ui/Button";
import { Empty } from "../../ui/Empty";
import { Icon } from "../../ui/Icon";
import { byName, DeletedLink, ListBar, newest, type Sorting, useListing } from "../../ui/List";
import { lazy } from "../../ui/lazy";
import { type Item, Menu } from "../../ui/Menu";
import { Failure } from "../../ui/Note";
import { Head } from "../../ui/Page";
import { Skeleton } from "../../ui/Skeleton";
import { TagList } from "../../ui/Tag";
import { complain } from "../../ui/Toast";
import { kindNamed } from "../../widgets";
import { isLent, mayEdit } from "./feed";
import { columns, heightOf, spotsOf } from "./grid";
import { remove } from "./remove";

const NewDashboard = lazy(() => import("./NewDashboard"));
const Deleted = lazy(() => import("./Deleted"));
const Import = lazy(() => import("./Import"));
const Clone = lazy(() => import("./Clone"));

const sorts = (): Sorting<Dashboard>[] => [
  { key: "name", label: t("sort.name"), by: byName },
  { key: "changed", label: t("sort.changed"), by: (a, b) => newest(a.updated_at, b.updated_at) },
];

export default function Dashboards() {
  return query("deleted") ? <Deleted /> : <Living />;
}

function Living() {
  const list = useQuery("dashboards", listDashboards);
  const all = list.data.value;
  const { shown, tags } = useListing(all ?? [], sorts(), (d) => [d.name, d.id, ...d.widgets.map((w) => w.name ?? "")].join(" "));
  const making = query("new");
  const cloning = useSignal<Dashboard | undefined>(undefined);
  const add = mayWrite.value && (
    <>
      <Button icon="upload" onClick={() => setQuery("new", "import")}>
        {t("boards.import")}
      </Button>
      <Button kind="main" icon="plus" onClick={() => setQuery("new", "1")}>
        {t("boards.add")}
      </Button>
    </>
  );
  return (
    <>
      <Head title={t("boards.title")} about={all ? tn("boards.count", all.length) : " "}>
        {all && all.length > 0 && add}
      </Head>
      <Failure error={list.error.value} again={() => void list.reload()} />
      {!all && !list.error.value && (
        <>
          <div class="listbar-space" />
          <Skeleton kind="card" rows={3} />
        </>
      )}
      {all && !all.length && (
        <>
          <Empty icon="dashboards" title={t("boards.none")} actions={add}>
            <p>{mayWrite.value ? t("boards.none.text") : t("boards.none.viewer")}</p>
          </Empty>
          <p class="center">
            <DeletedLink />
          </p>
        </>
      )}
      {all && all.length > 0 && (
        <>
          <ListBar label={t("boards.find")} sorts={sorts()} tags={tags}>
            <DeletedLink />
          </ListBar>
          {shown.length ? (
            <ul class="boards">
              {shown.map((d) => (
                <Card key={d.id} d={d} after={() => void list.reload()} clone={() => (cloning.value = d)} />
              ))}
            </ul>
          ) : (
            <Empty icon="search" title={t("list.nothing")} />
          )}
        </>
      )}
      <p class="sr" role="status">
        {all && query("q") ? tn("list.found", shown.length) : ""}
      </p>
      {making === "1" && mayWrite.value && <NewDashboard onClose={() => setQuery("new", "")} />}
      {making === "import" && mayWrite.value && <Import onClose={() => setQuery("new", "")} />}
      {cloning.value && <Clone dashboard={cloning.value} onClose={() => (cloning.value = undefined)} />}
    </>
  );
}

function Card({ d, after, clone }: { d: Dashboard; after: () => void; clone: () => void }) {
  const template = (): void => void save(templateAddress(d.id), {}, d.name + ".json").catch((err: unknown) => complain(words(err)));
  const items: Item[] = [];
  if (mayEdit(d)) {
    items.push({ label: t("board.edit"), icon: "edit", href: `/app/dashboards/${d.id}?edit=1` });
    items.push({ label: t("boards.clone"), icon: "clone", onPick: clone });
  }
  if (!isLent(d)) items.push({ label: t("boards.template"), icon: "download", onPick: template });
  const groups = [{ items }];
  if (mayEdit(d)) groups.push({ items: [{ label: t("delete"), icon: "trash", danger: true, onPick: () => void remove(d, after).then((gone) => gone && after()) }] });
  return (
    <li class="boardcard">
      <Cover d={d} />
      <div class="boardcard-what">
        <h2>
          <a class="rowlink" href={"/app/dashboards/" + d.id}>
            {d.name}
          </a>
        </h2>
        <p class="soft">
          {d.shared_by ? t("board.by", { name: d.shared_by.username || t("board.somebody") }) : tn("boards.widgets", d.widgets.length)} · <Ago at={d.updated_at} />
        </p>
        <TagList tags={d.tags} />
        {d.shared_with && d.shared_with.length > 0 && (
          <p class="boardcard-shared">
            <Icon name="share" size={14} />
            {tn("boards.guests", d.shared_with.length)}
          </p>
        )}
      </div>
      {groups[0]!.items.length > 0 && <Menu label={t("boards.more", { name: d.name })} groups={groups} up />}
    </li>
  );
}

// Cover is a dashboard's picture, or a drawing of where its widgets stand.
function Cover({ d }: { d: Dashboard }) {
  const picture = usePicture(d.cover_image?.startsWith("/") ? d.cover_image : "");
  if (d.cover_image?.startsWith("/") && picture !== "") return <div class="cover">{picture && <img src={picture} alt="" loading="lazy" />}</div>;
  return (
    <div class="cover drawn">
      <Plan d={d} />
    </div>
  );
}

const rows = 12; // of a drawing: what is below is not seen

function Plan({ d }: { d: Dashboard }) {
  const first = d.widgets.filter((w) => w.page_id === "0").slice(0, 30);
  const spots = spotsOf(first, false);
  const high = Math.max(rows, Math.min(rows + 4, heightOf(spots.values())));
  if (!first.length) return <Icon name="dashboards" size={40} />;
  return (
    <svg viewBox={`0 0 ${columns(false) * 10} ${high * 10}`} preserveAspectRatio="xMidYMin slice" aria-hidden="true">
      {first.map((w) => {
        const s = spots.get(w.id);
        if (!s) return null;
        const lines = kindNamed(w.type)?.icon;
        const size = Math.min(24, s.w * 5, s.h * 5);
        return (
          <g key={w.id}>
            <rect x={s.x * 10 + 1.5} y={s.y * 10 + 1.5} width={s.w * 10 - 3} height={s.h * 10 - 3} rx="4" />
            {lines && (
              <svg x={(s.x + s.w / 2) * 10 - size / 2} y={(s.y + s.h / 2) * 10 - size / 2} width={size} height={size} viewBox="0 0 24 24">
                <path d={lines} />
              </svg>
            )}
          </g>
        );
      })}
    </svg>
  );
}
