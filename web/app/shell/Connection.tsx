import { reachable } from "../api";
import { ago, moment } from "../format";
import { since, state } from "../live";
import { t } from "../text";
import { Icon } from "../ui/Icon";

// Connection says whether what is on screen is live.
export function Connection() {
  const s = state.value;
  if (s === "idle") return <p class="connection is-idle" />;
  const kind = s === "live" ? "live" : s === "connecting" ? "connecting" : s === "reconnecting" ? "reconnecting" : "offline";
  const last = since.value ? moment(since.value) : "";
  return (
    <p class={"connection is-" + kind} title={last && kind !== "live" ? t("live.since", { at: last }) : undefined} role="status">
      {t(`live.${kind}`)}
    </p>
  );
}

// Offline tells across the page that the server cannot be reached, and from when what is shown is.
export function Offline() {
  if (reachable.value && state.value !== "offline") return null;
  return (
    <div class="unreachable" role="alert">
      <Icon name="warn" size={18} />
      <p>{since.value ? t("offline.since", { ago: ago(since.value) }) : t("offline.text")}</p>
    </div>
  );
}
