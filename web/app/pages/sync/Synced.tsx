import type { Group, Member } from "../../model/sync";
import { t, tn } from "../../text";

const shownAtOnce = 4;

// Synced says with which others a property is kept the same.
export function Synced({ property, group }: { property: string; group: Group | undefined }) {
  if (!group) return <span>{t("property.synced")}</span>;
  const others = group.properties.filter((m) => m.id !== property);
  return (
    <span class="synced">
      {t("sync.with")}{" "}
      {others.slice(0, shownAtOnce).map((m, n) => (
        <span key={m.id}>
          {n > 0 && ", "}
          <Named m={m} />
        </span>
      ))}
      {others.length > shownAtOnce && " " + tn("things.more", others.length - shownAtOnce)}
    </span>
  );
}

function Named({ m }: { m: Member }) {
  if (m.state === "NOT_FOUND") return <>{t("sync.gone")}</>;
  const name = `${m.thing_name} · ${m.name}`;
  if (m.state === "DELETED") return <>{t("sync.deleted", { name })}</>;
  return <a href={`/app/things/${m.thing_id}/setup`}>{name}</a>;
}
