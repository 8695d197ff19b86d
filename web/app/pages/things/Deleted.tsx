import { words } from "../../api";
import { useQuery } from "../../data";
import { deleteThing, listThings, restoreThing, type Thing } from "../../model/thing";
import { mayWrite } from "../../session";
import { t, tn } from "../../text";
import { Gone } from "../../ui/Gone";
import { complain, say } from "../../ui/Toast";

export function Deleted() {
  const list = useQuery("things:deleted", async (s) => (await listThings(s, true)).filter((x) => x.deleted_at));
  const act = async (what: () => Promise<unknown>, done: string): Promise<void> => {
    try {
      await what();
      say(done);
    } catch (err) {
      complain(words(err));
    }
    await list.reload();
  };
  return (
    <Gone<Thing>
      title={t("things.deleted.title")}
      back={{ href: "/app/things", label: t("things.title") }}
      list={list}
      fixed={!mayWrite.value}
      about={(x) => tn("things.properties", x.properties_count)}
      restore={(x) => act(() => restoreThing(x.id), t("restored", { name: x.name }))}
      destroy={(x) => act(() => deleteThing(x.id, true), t("destroyed", { name: x.name }))}
      destroyText={t("thing.destroy.text")}
    />
  );
}
