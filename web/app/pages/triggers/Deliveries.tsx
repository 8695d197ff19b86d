import { useSignal } from "@preact/signals";
import { useQuery } from "../../data";
import { ago, moment, now } from "../../format";
import { deliveries, type Delivery, retryDeliveries } from "../../model/trigger";
import { mayWrite } from "../../session";
import { t, tn } from "../../text";
import { useAct } from "../../ui/act";
import { Ago } from "../../ui/Ago";
import { Button } from "../../ui/Button";
import { useEvery } from "../../ui/every";
import { Failure, Note } from "../../ui/Note";
import { Skeleton } from "../../ui/Skeleton";
import { say } from "../../ui/Toast";

const few = 5;

// Deliveries are what became of what an action did, the newest first. They are asked for less often among many actions.
export function Deliveries({ action, name, among }: { action: string; name: string; among: number }) {
  const list = useQuery(`trigger:deliveries:${action}`, (s) => deliveries(action, s));
  const whole = useSignal(false);
  const act = useAct();
  useEvery(3000 + 1000 * among, true, () => void list.reload());
  const all = list.data.value;
  if (!all) return list.error.value ? <Failure error={list.error.value} again={() => void list.reload()} /> : <Skeleton rows={1} />;
  if (!all.length) return <p class="soft">{t("delivery.none")}</p>;
  const dead = all.filter((d) => d.outcome === "dead").length;
  const retry = async (): Promise<void> => {
    const ok = await act.run(async () => {
      const { retried } = await retryDeliveries(action);
      say(tn("delivery.retried", retried));
    });
    if (ok) await list.reload();
  };
  return (
    <>
      {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
      <table class="small deliveries" aria-label={t("delivery.of", { name })}>
        <thead>
          <tr>
            <th scope="col">{t("col.when")}</th>
            <th scope="col">{t("delivery.what")}</th>
            <th scope="col" class="end">
              {t("delivery.tries")}
            </th>
          </tr>
        </thead>
        <tbody>
          {all.slice(0, whole.value ? all.length : few).map((d) => (
            <tr key={d.id}>
              <td>
                <Ago at={d.at} />
              </td>
              <td>
                <Outcome d={d} />
              </td>
              <td class="end">{d.tries}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <div class="acts">
        {all.length > few && !whole.value && (
          <Button small kind="quiet" onClick={() => (whole.value = true)}>
            {tn("delivery.more", all.length - few)}
          </Button>
        )}
        {dead > 0 && mayWrite.value && (
          <Button small icon="restore" busy={act.busy.value} onClick={() => void retry()}>
            {tn("delivery.retry", dead)}
          </Button>
        )}
      </div>
    </>
  );
}

const looks = { done: "good", waiting: "wait", dead: "bad", gone: "plain", limited: "warn", erased: "plain" } as const;

function Outcome({ d }: { d: Delivery }) {
  return (
    <>
      <span class={"outcome " + looks[d.outcome]}>{t(`outcome.${d.outcome}`)}</span>
      <span class="under">{why(d)}</span>
    </>
  );
}

// why says what happened: the answer of the other side, and when it is tried again.
function why(d: Delivery): string {
  const parts: string[] = [];
  if (d.answer !== null) parts.push(t("delivery.answer", { status: d.answer }));
  else if (d.tries > 0 && (d.outcome === "dead" || (d.outcome === "waiting" && d.tries > 1))) parts.push(t("delivery.noanswer"));
  if (d.outcome === "waiting" && d.next_at && Date.parse(d.next_at) > now.value) parts.push(t("delivery.next", { when: moment(d.next_at) }));
  if (d.outcome !== "waiting" && d.outcome !== "done") parts.push(t(`outcome.${d.outcome}.text`));
  if (d.outcome === "done" && d.ended_at && Date.parse(d.ended_at) - Date.parse(d.at) > 60_000) parts.push(t("delivery.late", { when: ago(d.ended_at) }));
  return parts.join(" · ");
}
