import { useSignal } from "@preact/signals";
import { type Device, newSecret } from "../../model/device";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { CopyText } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { Note } from "../../ui/Note";

// NewSecret gives a device another secret key, after saying what that ends, and shows it for the only time.
export function NewSecret({ device, onClose }: { device: Device; onClose: () => void }) {
  const key = useSignal("");
  const act = useAct();
  const make = async (): Promise<void> => {
    await act.run(async () => (key.value = await newSecret(device.id)));
  };
  if (key.value)
    return (
      <Dialog key="made" title={t("secret.made")} sure onClose={onClose} actions={<Button kind="main" onClick={onClose}>{t("secret.kept")}</Button>}>
        <div class="stack">
          <ShownOnce />
          <Credentials id={device.id} secret={key.value} />
        </div>
      </Dialog>
    );
  return (
    <Dialog
      key="ask"
      title={t("secret.new.title", { name: device.name })}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" icon="key" busy={act.busy.value} onClick={() => void make()}>
            {t("secret.new")}
          </Button>
        </>
      }
    >
      <div class="stack">
        {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
        <p>{t("secret.new.text")}</p>
      </div>
    </Dialog>
  );
}

export function ShownOnce() {
  return <Note kind="warn">{t("secret.once")}</Note>;
}

// Credentials are what a device shows the server.
export function Credentials({ id, secret }: { id: string; secret: string }) {
  return (
    <dl class="credentials">
      <div>
        <dt>{t("device.id")}</dt>
        <dd>
          <CopyText text={id} label={t("copy.what", { what: t("device.id") })} />
        </dd>
      </div>
      <div>
        <dt>{t("secret.key")}</dt>
        <dd>
          <CopyText big text={secret} label={t("copy.what", { what: t("secret.key") })} />
        </dd>
      </div>
    </dl>
  );
}
