import { type Query, useQuery } from "../../data";
import { isNumber, kindOf } from "../../model/kind";
import { listTypes, type Property, type Thing } from "../../model/thing";
import { query, type Params, setQuery } from "../../router";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { Empty } from "../../ui/Empty";
import { Note } from "../../ui/Note";
import { Panel } from "../../ui/Page";
import { Line } from "../../chart/Line";
import { ranges, type Range } from "../../chart/ranges";
import { States } from "../../chart/States";
import { save } from "../../download";
import { Frame } from "./Frame";
import { unitsOf } from "./LastValue";
import type { Type } from "../../model/thing";

export default function History({ params }: { params: Params }) {
  const types = useQuery("types", listTypes);
  return <Frame params={params}>{({ thing }) => <Shown thing={thing} types={types} />}</Frame>;
}

function Shown({ thing, types }: { thing: Thing; types: Query<Type[]> }) {
  const all = thing.properties ?? [];
  const property = all.find((p) => p.id === query("property")) ?? all[0];
  const range = ranges.find((r) => r.key === query("range")) ?? ranges[1];
  if (!property || !range)
    return (
      <Empty icon="chart" title={t("history.none")}>
        <p>{t("values.none.text")}</p>
      </Empty>
    );
  return (
    <div class="stack">
      <div class="chartbar">
        <select aria-label={t("history.property")} value={property.id} onChange={(e) => setQuery("property", e.currentTarget.value)}>
          {all.map((p) => (
            <option key={p.id} value={p.id}>
              {p.name}
            </option>
          ))}
        </select>
        <div class="segments" role="group" aria-label={t("history.range")}>
          {ranges.map((r) => (
            <button key={r.key} type="button" aria-pressed={r === range} onClick={() => setQuery("range", r.key)}>
              {t(r.label)}
            </button>
          ))}
        </div>
      </div>
      <Chart key={property.id + range.key} thing={thing} property={property} range={range} unit={unitsOf(types.data.value).get(property.type)} />
      <Downloads thing={thing} property={property} range={range} />
    </div>
  );
}

function Chart({ thing, property, range, unit }: { thing: Thing; property: Property; range: Range; unit: string | undefined }) {
  const kind = kindOf(property.type);
  return (
    <Panel title={unit ? `${property.name} (${unit})` : property.name}>
      {!property.persist && <Note>{t("history.unkept")}</Note>}
      {isNumber(kind) ? <Line property={property} range={range} zone={thing.timezone} unit={unit} /> : <States property={property} kind={kind} range={range} zone={thing.timezone} />}
    </Panel>
  );
}

function Downloads({ thing, property, range }: { thing: Thing; property: Property; range: Range }) {
  const act = useAct();
  const path = `/v1/things/${thing.id}/history`;
  const one = (): Promise<boolean> =>
    act.run(() => save(path, { format: "csv", property: property.id, from: new Date(Date.now() - range.seconds * 1000).toISOString().replace(/\.\d+/, "") }, `${thing.name}-${property.variable_name}.csv`));
  const everything = (): Promise<boolean> => act.run(() => save(path, { format: "csv" }, thing.name + ".csv"));
  return (
    <div class="stack tight">
      {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
      <div class="acts">
        <Button icon="download" busy={act.busy.value} onClick={() => void one()}>
          {t("history.csv.range")}
        </Button>
        <Button icon="download" busy={act.busy.value} onClick={() => void everything()}>
          {t("history.csv.all")}
        </Button>
      </div>
      <p class="hint">{t("history.csv.hint")}</p>
    </div>
  );
}
