import type { Campaign, Tally, UpdateStatus } from "../../model/ota";
import { t, type Key } from "../../text";
import { statusNames } from "./Course";

const order: UpdateStatus[] = ["succeeded", "in_progress", "pending", "failed", "expired", "cancelled"];

export const stateNames: Record<Campaign["state"], Key> = { running: "campaign.running", halted: "campaign.halted", cancelled: "campaign.cancelled", done: "campaign.done" };

const looks = { running: "wait", halted: "warn", cancelled: "plain", done: "good" } as const;

export function StateWord({ state }: { state: Campaign["state"] }) {
  return <span class={"outcome " + looks[state]}>{t(stateNames[state])}</span>;
}

export function count(all: Tally[], status: UpdateStatus): number {
  return all.filter((one) => one.status === status).reduce((n, one) => n + one.devices, 0);
}

// Tallies are how many boards of a campaign are how far: a bar, and the numbers.
export function Tallies({ all }: { all: Tally[] }) {
  const parts = order.map((status) => ({ status, n: count(all, status) })).filter((p) => p.n > 0);
  const total = parts.reduce((n, p) => n + p.n, 0);
  return (
    <div class="tallies">
      <div class="tally-bar" role="img" aria-label={parts.map((p) => `${t(statusNames[p.status])}: ${p.n}`).join(", ")}>
        {parts.map((p) => (
          <span
            key={p.status}
            class={"is-" + p.status}
            ref={(e) => {
              if (e) e.style.flexGrow = String(p.n / total);
            }}
          />
        ))}
      </div>
      <ul class="tally-legend">
        {parts.map((p) => (
          <li key={p.status} class={"is-" + p.status}>
            <b>{p.n}</b> {t(statusNames[p.status])}
          </li>
        ))}
      </ul>
    </div>
  );
}
