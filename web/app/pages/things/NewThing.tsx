import { useSignal } from "@preact/signals";
import { Problem } from "../../api";
import { useQuery } from "../../data";
import { listDevices } from "../../model/device";
import { createThing } from "../../model/thing";
import { go } from "../../router";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { confirm } from "../../ui/Confirm";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { Note } from "../../ui/Note";
import { DeviceSelect } from "./Attach";
import { ZoneSelect } from "./Zone";

// NewThing makes a thing, perhaps with a device, and leads to where its properties are added.
export function NewThing({ device, onClose }: { device: string; onClose: () => void }) {
  const devices = useQuery("devices", (s) => listDevices(s));
  const name = useSignal("");
  const zone = useSignal(Intl.DateTimeFormat().resolvedOptions().timeZone);
  const chosen = useSignal(device);
  const act = useAct();
  const make = async (): Promise<void> => {
    const wish = { name: name.value.trim(), timezone: zone.value, ...(chosen.value && { device_id: chosen.value }) };
    let made;
    try {
      made = await createThing(wish);
    } catch (err) {
      if (!(err instanceof Problem) || err.code !== "device-attached") throw err;
      if (!(await confirm({ title: t("attach.taken"), text: t("attach.taken.text"), action: t("attach.take") }))) return;
      made = await createThing(wish, true);
    }
    go(`/app/things/${made.id}/setup`);
  };
  return (
    <Dialog
      title={t("things.add")}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" form="new-thing" busy={act.busy.value}>
            {t("things.make")}
          </Button>
        </>
      }
    >
      <form
        id="new-thing"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          void act.run(make);
        }}
      >
        {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
        <Field label={t("col.name")} hint={t("thing.name.hint")}>
          {(f) => <input {...f} type="text" required maxLength={64} autocomplete="off" value={name.value} onInput={(e) => (name.value = e.currentTarget.value)} />}
        </Field>
        <Field label={t("col.device")} hint={t("thing.device.hint")}>
          {(f) => <DeviceSelect control={f} all={devices.data.value ?? []} value={chosen.value} onChange={(v) => (chosen.value = v)} />}
        </Field>
        <Field label={t("thing.zone")} hint={t("thing.zone.hint")}>
          {(f) => <ZoneSelect control={f} value={zone.value} onChange={(v) => (zone.value = v)} />}
        </Field>
      </form>
    </Dialog>
  );
}
