import { useQuery } from "../../data";
import { deleteThing, listThings, restoreThing, type Thing } from "../../model/thing";
import { mayWrite } from "../../session";
import { t, tn } from "../../text";
import { Gone } from "../../ui/Gone";

export function Deleted() {
  const list = useQuery("things:deleted", async (s) => (await listThings(s, true)).filter((x) => x.deleted_at));
  return (
    <Gone<Thing>
      title={t("things.deleted.title")}
      back={{ href: "/app/things", label: t("things.title") }}
      list={list}
      fixed={!mayWrite.value}
      about={(x) => tn("things.properties", x.properties_count)}
      restore={restoreThing}
      destroy={(id) => deleteThing(id, true)}
      destroyText={t("thing.destroy.text")}
    />
  );
}
