import { useSignal } from "@preact/signals";
import { isOld, useQuery } from "../data";
import { moment, now, shown, span } from "../format";
import type { Kind } from "../model/kind";
import { lastOf } from "../model/values";
import { t } from "../text";
import { Button } from "../ui/Button";
import { Empty } from "../ui/Empty";
import { Failure, Note } from "../ui/Note";
import { Skeleton } from "../ui/Skeleton";
import type { Range } from "./ranges";
import { type Change, changes } from "./series";
import { stretchesOf } from "./stretches";
import { Stripe } from "./Stripe";

const page = 25;

// States is the course of what is no number: a stripe of states, and the list of changes.
export function States({ property, kind, range, zone }: { property: { id: string; name: string }; kind: Kind; range: Range; zone: string }) {
  const more = useSignal(page);
  const query = useQuery(`states:${property.id}:${range.key}`, (s) => {
    const to = Math.ceil(Date.now() / 1000);
    return changes(property.id, to - range.seconds, to, s);
  });
  const data = query.data.value;
  if (!data) return query.error.value ? <Failure error={query.error.value} again={() => void query.reload()} /> : <Skeleton kind="block" rows={2} />;
  const last = lastOf(property.id).value;
  const all = grown(data.all, last.at, last.value);
  const to = Math.max(now.value / 1000, all.at(-1)?.at ?? 0);
  const from = to - range.seconds;
  if (!all.length)
    return (
      <Empty icon="chart" title={t("chart.none")}>
        <p>{t("chart.none.text")}</p>
      </Empty>
    );
  const text = (value: unknown): string => shown(kind, value, zone);
  const stretches = stretchesOf(all, kind, from, to, zone);
  const newest = [...all].reverse();
  return (
    <div class="stack">
      <Failure error={query.error.value} />
      {data.step > 0 && <Note>{t("chart.sampled", { step: span(data.step) })}</Note>}
      <Stripe from={from} to={to} all={stretches.filter((s) => s.to > from)} label={t("chart.states", { name: property.name })} zone={zone} />
      <table class="small changes">
        <thead>
          <tr>
            <th scope="col">{t("col.value")}</th>
            <th scope="col">{t("col.when")}</th>
            <th scope="col" class="end">
              {t("col.long")}
            </th>
          </tr>
        </thead>
        <tbody>
          {newest.slice(0, more.value).map((c, i) => (
            <tr key={c.at}>
              <th scope="row">
                <span class={"key " + (stretches[all.length - 1 - i]?.kind ?? "none")} aria-hidden="true" />
                <span class="breaks">{text(c.value)}</span>
              </th>
              <td>
                <time dateTime={new Date(c.at * 1000).toISOString()}>{moment(c.at * 1000, zone)}</time>
              </td>
              <td class="end soft">{span((newest[i - 1]?.at ?? to) - c.at)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {newest.length > more.value && (
        <div>
          <Button small onClick={() => (more.value += 4 * page)}>
            {t("more")}
          </Button>
        </div>
      )}
    </div>
  );
}

// grown adds what came since the history was read.
function grown(all: Change[], at: string, value: unknown): Change[] {
  const when = at ? Date.parse(at) / 1000 : 0;
  const last = all.at(-1);
  if (isOld() || !when || (last && (when <= last.at || JSON.stringify(last.value) === JSON.stringify(value)))) return all;
  return [...all, { at: when, value }];
}
