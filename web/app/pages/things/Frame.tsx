import type { ComponentChildren } from "preact";
import { Problem } from "../../api";
import { type Query, useQuery } from "../../data";
import { moment } from "../../format";
import { getThing, restoreThing, type Thing } from "../../model/thing";
import { hear } from "../../model/values";
import type { Params } from "../../router";
import { mayWrite } from "../../session";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button, ButtonLink } from "../../ui/Button";
import { Empty } from "../../ui/Empty";
import { Failure, Note } from "../../ui/Note";
import { Head } from "../../ui/Page";
import { Skeleton } from "../../ui/Skeleton";
import { Tabs } from "../../ui/Tabs";

export interface Shown {
  thing: Thing;
  reload: () => Promise<void>;
  writes: boolean;
}

// Frame is what all pages of a thing share: its name, its tabs, and what to say when it is not there.
export function Frame({ params, children }: { params: Params; children: (s: Shown) => ComponentChildren }) {
  const id = params.id ?? "";
  const query: Query<Thing> = useQuery("thing:" + id, (s) => getThing(id, s), { things: [id], onValues: hear });
  const thing = query.data.value;
  const err = query.error.value;
  const crumb = { href: "/app/things", label: t("things.title") };
  if (!thing && err instanceof Problem && err.status === 404)
    return (
      <>
        <Head title={t("thing.none")} crumb={crumb} />
        <Empty icon="things" title={err.detail} actions={<ButtonLink href="/app/things">{t("nowhere.things")}</ButtonLink>}>
          <p>{t("missing.text")}</p>
        </Empty>
      </>
    );
  const at = "/app/things/" + id;
  return (
    <>
      <Head title={thing?.name ?? t("thing.title")} crumb={crumb} about={thing?.device_id ? <a href={"/app/devices/" + thing.device_id}>{thing.device_name || thing.device_id}</a> : thing ? t("thing.nodevice") : " "} />
      <Tabs
        label={t("thing.tabs")}
        all={[
          { href: at, label: t("thing.values") },
          { href: at + "/history", label: t("thing.history") },
          { href: at + "/setup", label: t("thing.setup") },
          { href: at + "/sketch", label: t("thing.sketch") },
          { href: at + "/about", label: t("thing.about") },
        ]}
      />
      <Failure error={err} again={() => void query.reload()} />
      {thing?.deleted_at && <Gone thing={thing} after={() => void query.reload()} />}
      {thing ? children({ thing, reload: () => query.reload(), writes: mayWrite.value && !thing.deleted_at }) : !err && <Skeleton kind="card" rows={4} />}
    </>
  );
}

function Gone({ thing, after }: { thing: Thing; after: () => void }) {
  const act = useAct();
  return (
    <Note kind="warn">
      <p>{t("thing.gone", { when: moment(thing.deleted_at ?? "", thing.timezone) })}</p>
      {act.wrong.value && <p>{act.wrong.value}</p>}
      {mayWrite.value && (
        <Button small icon="restore" busy={act.busy.value} onClick={() => void act.run(() => restoreThing(thing.id)).then((done) => done && after())}>
          {t("restore")}
        </Button>
      )}
    </Note>
  );
}
