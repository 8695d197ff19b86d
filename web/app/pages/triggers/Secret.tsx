import { t } from "../../text";
import { Button } from "../../ui/Button";
import { CopyText } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { Note } from "../../ui/Note";

export interface Made {
  trigger: string;
  secret: string;
}

// Secret shows the key of a webhook's signatures, for the only time.
export function Secret({ made, onClose }: { made: Made; onClose: () => void }) {
  return (
    <Dialog title={t("hook.secret.title")} sure onClose={onClose} actions={<Button kind="main" onClick={onClose}>{t("secret.kept")}</Button>}>
      <div class="stack">
        <Note kind="warn">{t("hook.secret.once")}</Note>
        <CopyText big text={made.secret} label={t("copy.what", { what: t("hook.secret.title") })} />
        <p class="soft">{t("hook.secret.text")}</p>
      </div>
    </Dialog>
  );
}
