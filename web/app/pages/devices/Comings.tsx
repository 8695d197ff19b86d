import { moment, now, span } from "../../format";
import type { Coming } from "../../model/device";
import { t } from "../../text";
import { Stripe, type Stretch } from "../../chart/Stripe";

const daySeconds = 86_400;

// Comings is when a device came and went: a bar of the last day, and the list.
export function Comings({ all }: { all: Coming[] }) {
  if (!all.length) return <p class="soft">{t("device.events.none")}</p>;
  const to = now.value / 1000;
  const from = to - daySeconds;
  const stretches: Stretch[] = [];
  let end = to;
  for (const e of all) {
    const at = Date.parse(e.updated_at) / 1000;
    if (end > from) stretches.unshift({ from: Math.max(at, from), to: end, label: e.value === "CONNECTED" ? t("status.online") : t("status.offline"), kind: e.value === "CONNECTED" ? "good" : "none" });
    end = at;
  }
  return (
    <div class="stack tight">
      <Stripe from={from} to={to} all={stretches} label={t("device.day")} />
      <ol class="comings">
        {all.slice(0, 12).map((e, i) => (
          <li key={e.updated_at + e.value}>
            <span class={e.value === "CONNECTED" ? "status online" : "status offline"}>{e.value === "CONNECTED" ? t("device.came") : t("device.went")}</span>
            <time dateTime={e.updated_at}>{moment(e.updated_at)}</time>
            <span class="soft">{duration(all, i)}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}

// duration is how long a device stayed as it came to be.
function duration(all: Coming[], i: number): string {
  const at = Date.parse(all[i]?.updated_at ?? "");
  const next = all[i - 1];
  return next ? t("device.for", { span: span((Date.parse(next.updated_at) - at) / 1000) }) : t("device.until.now");
}
