import { bytes, moment, span } from "../../format";
import { over, type Update } from "../../model/ota";
import { t, type Key } from "../../text";
import { Icon } from "../../ui/Icon";
import { Note } from "../../ui/Note";
import { stepOf, steps, why } from "./why";

const looks = { pending: "wait", in_progress: "wait", succeeded: "good", failed: "bad", cancelled: "plain", expired: "warn" } as const;

// StatusWord is how far an update is, in a word.
export function StatusWord({ status }: { status: Update["status"] }) {
  return <span class={"outcome " + looks[status]}>{t(statusNames[status])}</span>;
}

export const statusNames: Record<Update["status"], Key> = { pending: "ota.pending", in_progress: "ota.progress", succeeded: "ota.succeeded", failed: "ota.failed", cancelled: "ota.cancelled", expired: "ota.expired" };

// Course shows how far an update is, step by step, and why it failed.
export function Course({ u }: { u: Update }) {
  const at = stepOf(u);
  const part = u.firmware_size ? Math.min(1, u.fetched / u.firmware_size) : 0;
  return (
    <div class="course">
      <ol class="course-steps">
        {steps.map((step, i) => (
          <li key={step} class={i < at || u.status === "succeeded" ? "done" : i > at ? "" : u.status === "failed" ? "bad" : over(u.status) ? "" : "now"} aria-current={i === at && !over(u.status) ? "step" : undefined}>
            <span class="course-mark">{i < at || u.status === "succeeded" ? <Icon name="check" size={14} /> : i === at && u.status === "failed" ? <Icon name="close" size={14} /> : null}</span>
            {t(`ota.step.${step}`)}
          </li>
        ))}
      </ol>
      {!over(u.status) && at >= 1 && at <= 2 && (
        <div class="course-bar">
          <progress max={1} value={part} aria-label={t("ota.step.fetch")} />
          <span>{t("ota.fetched", { done: bytes(u.fetched), all: bytes(u.firmware_size) })}</span>
        </div>
      )}
      {u.status === "pending" && <p class="hint">{u.start_at && Date.parse(u.start_at) > Date.now() ? t("ota.starts", { when: moment(u.start_at) }) : t("ota.waits", { when: moment(u.expires_at) })}</p>}
      {u.retry_attempt > 0 && !over(u.status) && <p class="hint">{t("ota.again", { n: u.retry_attempt, of: u.max_retries })}</p>}
      {u.status === "failed" && <Why reason={u.error_reason ?? ""} />}
      {u.status === "cancelled" && <p><StatusWord status={u.status} /></p>}
      {u.status === "expired" && <Note kind="warn">{t("ota.expired.text")}</Note>}
      {u.status === "succeeded" && u.ended_at && <Note kind="good">{t("ota.succeeded.text", { span: span(Math.max(1, (Date.parse(u.ended_at) - Date.parse(u.started_at)) / 1000)) })}</Note>}
    </div>
  );
}

export function Why({ reason }: { reason: string }) {
  return (
    <Note kind="bad">
      <p>
        <code>{reason || "failed"}</code>
      </p>
      <p>{why(reason)}</p>
    </Note>
  );
}
