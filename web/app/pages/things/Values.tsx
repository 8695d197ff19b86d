import { useQuery } from "../../data";
import { kindOf } from "../../model/kind";
import { listTypes, type Property, type Thing } from "../../model/thing";
import { lastOf } from "../../model/values";
import type { Params } from "../../router";
import { t } from "../../text";
import { Ago } from "../../ui/Ago";
import { ButtonLink } from "../../ui/Button";
import { Empty } from "../../ui/Empty";
import { Icon } from "../../ui/Icon";
import { Frame } from "./Frame";
import { LastValue, unitsOf } from "./LastValue";
import { Publish } from "./Publish";

export default function Values({ params }: { params: Params }) {
  const types = useQuery("types", listTypes).data.value;
  const units = unitsOf(types);
  return (
    <Frame params={params}>
      {({ thing, writes }) =>
        thing.properties?.length ? (
          <ul class="cards">
            {thing.properties.map((p) => (
              <Card key={p.id} thing={thing} property={p} unit={units.get(p.type)} type={types && (types.find((one) => one.type === p.type)?.name ?? p.type)} writes={writes} />
            ))}
          </ul>
        ) : (
          <Empty icon="things" title={t("values.none")} actions={writes && <ButtonLink kind="main" icon="plus" href={`/app/things/${thing.id}/setup?add=1`}>{t("property.add")}</ButtonLink>}>
            <p>{t("values.none.text")}</p>
          </Empty>
        )
      }
    </Frame>
  );
}

function Card({ thing, property: p, unit, type, writes }: { thing: Thing; property: Property; unit: string | undefined; type: string | undefined; writes: boolean }) {
  const kind = kindOf(p.type);
  const last = lastOf(p.id).value;
  const sets = writes && p.permission === "READ_WRITE";
  return (
    <li class="card" data-property={p.variable_name}>
      <div class="card-head">
        <h2>{p.name}</h2>
        <a class="card-link" href={`/app/things/${thing.id}/history?property=${p.id}`} aria-label={t("values.history", { name: p.name })} title={t("thing.history")}>
          <Icon name="chart" size={18} />
        </a>
      </div>
      {!(sets && kind === "bool") && <LastValue property={p} kind={kind} unit={unit} zone={thing.timezone} big />}
      {p.schedule && <p class="soft">{p.schedule.active ? t("schedule.on") : t("schedule.off")}</p>}
      {sets && <Publish thing={thing} property={p} kind={kind} unit={unit} />}
      <p class="card-foot">
        <span>{type ?? ""}</span>
        <span>{last.at ? <Ago at={last.at} zone={thing.timezone} /> : t("never")}</span>
      </p>
    </li>
  );
}
