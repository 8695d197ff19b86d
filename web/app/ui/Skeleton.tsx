import { t } from "../text";

// Skeleton keeps the place of what is being loaded, so that nothing moves when it comes.
export function Skeleton({ rows = 5, kind = "row" }: { rows?: number; kind?: "row" | "card" | "block" }) {
  return (
    <div class={"skeletons " + kind} role="status" aria-label={t("loading")}>
      {Array.from({ length: rows }, (_, i) => (
        <span key={i} class="skeleton" aria-hidden="true" />
      ))}
    </div>
  );
}
