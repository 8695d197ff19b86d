import { words } from "../../api";
import { deleteDashboard, restoreDashboard } from "../../model/dashboard";
import { go } from "../../router";
import { t } from "../../text";
import { confirm } from "../../ui/Confirm";
import { complain, say } from "../../ui/Toast";

// remove deletes a dashboard; it can be taken back as long as that is offered. back is told of it; else one goes to it.
export async function remove(d: { id: string; name: string }, back = (): void => go("/app/dashboards/" + d.id)): Promise<boolean> {
  const yes = await confirm({ title: t("board.delete.title", { name: d.name }), text: t("board.delete.text"), action: t("delete"), danger: true });
  if (!yes) return false;
  try {
    await deleteDashboard(d.id);
  } catch (err) {
    complain(words(err));
    return false;
  }
  say(t("board.deleted", { name: d.name }), () => void restoreDashboard(d.id).then(back, (err: unknown) => complain(words(err))));
  return true;
}
