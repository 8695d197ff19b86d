import { useRef } from "preact/hooks";
import type { Change, Changes } from "../../chart/series";
import { stretchesOf } from "../../chart/stretches";
import { Stripe } from "../../chart/Stripe";
import { useQuery } from "../../data";
import { moment, now, shown, span } from "../../format";
import { kindOf } from "../../model/kind";
import { t } from "../../text";
import { type Chosen, endsOf } from "../range";
import { tellsAll } from "../use";
import type { Variable, ViewProps } from "../widget";

const mostStates = 12; // that are named below
const mostHeard = 1000; // changes that are kept while one looks

// Timeline is the course of what is no number: a stripe of states, with what each means and for how long it was so.
export function Timeline({ p, variable, name, range }: { p: ViewProps; variable: Variable; name: string; range: Chosen }) {
  const kind = kindOf(variable.type);
  const query = useQuery<Changes>(`states:${variable.id}:${range.key}`, async (signal) => {
    const [from, to] = endsOf(range);
    return p.past && (kind === "bool" || tellsAll(p, variable)) ? p.past.changes(variable, from, Math.ceil(to), signal) : { all: [], step: 0 };
  });
  void now.value;
  // What came since the history was read.
  const heard = useRef<Change[]>([]);
  const at = p.values[0]?.at ? Date.parse(p.values[0].at) / 1000 : 0;
  if (!p.stale && range.to === undefined && at > (heard.current.at(-1)?.at ?? 0)) heard.current = [...heard.current, { at, value: p.values[0]?.value }].slice(-mostHeard);
  const data = query.data.value;
  const zone = variable.thing_timezone.name;
  if (!data) return <div class="w-chart-wait">{query.error.value !== undefined ? <p class="w-none">{t("widget.past.lost")}</p> : <span class="skeleton" role="status" aria-label={t("loading")} />}</div>;
  const last = p.values[0];
  const [from, to] = endsOf(range);
  const newest = data.all.at(-1)?.at ?? 0;
  const changes = [...data.all, ...heard.current.filter((c) => c.at > newest)];
  const all = stretchesOf(
    changes.filter((c, i) => i === 0 || JSON.stringify(c.value) !== JSON.stringify(changes[i - 1]?.value)),
    kind,
    from,
    to,
    zone,
  ).filter((s) => s.to > from);
  const totals = new Map<string, { kind: string; seconds: number }>();
  for (const s of all) totals.set(s.label, { kind: s.kind, seconds: (totals.get(s.label)?.seconds ?? 0) + s.to - s.from });
  const state = all.at(-1);
  return (
    <>
      <p class="w-readout">
        <b>{last?.at ? shown(kind, last.value, zone) : t("value.none")}</b>
        {state && <span>{t("widget.since", { at: moment(state.from * 1000, zone) })}</span>}
      </p>
      {all.length ? <Stripe from={from} to={to} all={all} label={t("chart.states", { name })} zone={zone} /> : <p class="w-none">{t("chart.none")}</p>}
      <ul class="w-legend">
        {[...totals]
          .sort((a, b) => b[1].seconds - a[1].seconds)
          .slice(0, mostStates)
          .map(([label, s]) => (
            <li key={label}>
              <span class={"key " + s.kind} aria-hidden="true" />
              {label} <span class="soft">{span(s.seconds)}</span>
            </li>
          ))}
      </ul>
    </>
  );
}
