import { moment } from "../../format";
import type { Hook } from "../../model/hook";
import { t } from "../../text";
import { Button } from "../../ui/Button";
import { CopyText } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { Note } from "../../ui/Note";

// Key shows what signs the calls of a webhook. The API tells it to whoever may change the webhook, at any time.
export function Key({ h, onClose }: { h: Hook; onClose: () => void }) {
  return (
    <Dialog title={t("hook.secret.title")} onClose={onClose} actions={<Button kind="main" onClick={onClose}>{t("close")}</Button>}>
      <div class="stack">
        <CopyText big text={h.secret} label={t("copy.what", { what: t("hook.secret.title") })} />
        {h.old_secret_until && <Note>{t("hook.key.old", { when: moment(h.old_secret_until) })}</Note>}
        <p>
          {t("hook.secret.text")} <a href="/docs/api#webhooks">{t("hooks.docs")}</a>
        </p>
        <p class="hint">{t("hook.key.again")}</p>
      </div>
    </Dialog>
  );
}
