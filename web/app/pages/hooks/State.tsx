import { moment, now } from "../../format";
import type { Health, Hook } from "../../model/hook";
import { t, tn, tx } from "../../text";
import { Ago } from "../../ui/Ago";

const looks = { ok: "good", new: "wait", failing: "warn", disabled: "bad" } as const;

// State is how a webhook does: whether it is taken, what was answered last, and what waits or was lost.
export function State({ h: { health }, zone }: { h: Hook; zone: string | undefined }) {
  const counted = counts(health);
  const state = health.state === "ok" && !health.last_at ? "new" : health.state;
  return (
    <>
      {state !== "off" && (
        <span>
          <span class={"outcome " + looks[state]}>{t(`hook.state.${state}`)}</span>
        </span>
      )}
      <Why h={health} zone={zone} />
      {counted && <span>{counted}</span>}
    </>
  );
}

function Why({ h, zone }: { h: Health; zone: string | undefined }) {
  if (h.state === "disabled") return <span>{t(h.last_result === "unasked" ? "hook.unasked" : "hook.disabled")}</span>;
  if (!h.last_at) return null;
  const next = h.state === "failing" && h.next_at && Date.parse(h.next_at) > now.value ? " · " + t("delivery.next", { when: moment(h.next_at, zone) }) : "";
  return (
    <span>
      {tx("hook.last", { when: <Ago at={h.last_at} zone={zone} />, answer: answer(h) })}
      {next}
    </span>
  );
}

// answer is what came of the last try.
function answer(h: Health): string {
  if (h.last_result === "banned") return t("hook.banned");
  return h.last_status === null ? t("delivery.noanswer") : t("delivery.answer", { status: h.last_status });
}

function counts(h: Health): string {
  const parts: string[] = [];
  if (h.delivered) parts.push(tn("hook.delivered", h.delivered));
  if (h.queued) parts.push(tn("hook.queued", h.queued));
  if (h.dropped) parts.push(tn("hook.dropped", h.dropped));
  if (h.dead) parts.push(tn("hook.dead", h.dead));
  return parts.join(" · ");
}
