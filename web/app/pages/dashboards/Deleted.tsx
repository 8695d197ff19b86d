import { useQuery } from "../../data";
import { type Dashboard, deleteDashboard, listDashboards, restoreDashboard } from "../../model/dashboard";
import { mayWrite } from "../../session";
import { t, tn } from "../../text";
import { Gone } from "../../ui/Gone";

export default function Deleted() {
  const list = useQuery("dashboards:deleted", async (s) => (await listDashboards(s, true)).filter((d) => d.deleted_at));
  return (
    <Gone<Dashboard>
      title={t("boards.deleted")}
      back={{ href: "/app/dashboards", label: t("boards.title") }}
      list={list}
      fixed={!mayWrite.value}
      about={(d) => tn("boards.widgets", d.widgets.length)}
      restore={restoreDashboard}
      destroy={(id) => deleteDashboard(id, true)}
      destroyText={t("board.destroy.text")}
    />
  );
}
