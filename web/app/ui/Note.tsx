import type { ComponentChildren } from "preact";
import { words } from "../api";
import { t } from "../text";
import { Button } from "./Button";
import { Icon } from "./Icon";

// Note is something to know on a page; a bad one is read out at once.
export function Note({ kind = "info", children }: { kind?: "info" | "good" | "warn" | "bad"; children: ComponentChildren }) {
  return (
    <div class={"note " + kind} role={kind === "bad" ? "alert" : undefined}>
      <Icon name={kind === "good" ? "check" : kind === "info" ? "info" : "warn"} />
      <div>{children}</div>
    </div>
  );
}

// Failure says why something could not be shown or done, in the server's words.
export function Failure({ error, again }: { error: unknown; again?: () => void }) {
  if (!error) return null;
  return (
    <Note kind="bad">
      <p>{words(error)}</p>
      {again && (
        <Button small onClick={again}>
          {t("again")}
        </Button>
      )}
    </Note>
  );
}
