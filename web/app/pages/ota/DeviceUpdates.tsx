import { useSignal } from "@preact/signals";
import { useQuery } from "../../data";
import type { Device } from "../../model/device";
import { cancelUpdate, getUpdate, isPlain, listImages, listUpdates, over, sendFile, sendStored, type Update } from "../../model/ota";
import { mayWrite } from "../../session";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Ago } from "../../ui/Ago";
import { Button } from "../../ui/Button";
import { confirm } from "../../ui/Confirm";
import { Dialog } from "../../ui/Dialog";
import { Choice, Field } from "../../ui/Field";
import { useEvery } from "../../ui/every";
import { Failure, Note } from "../../ui/Note";
import { Panel } from "../../ui/Page";
import { Skeleton } from "../../ui/Skeleton";
import { moment } from "../../format";
import { Course, StatusWord } from "./Course";
import { FileField, Sending } from "./FileField";
import { why } from "./why";

// DeviceUpdates is the part of a device's page about its program: what it is updated to, how far that is, what was before.
export function DeviceUpdates({ d }: { d: Device }) {
  const list = useQuery("ota:device:" + d.id, (s) => listUpdates(d.id, s));
  const sending = useSignal(false);
  const act = useAct();
  const all = list.data.value;
  const newest = all?.[0];
  const running = !!newest && !over(newest.status);
  useEvery(running ? 1000 : 10_000, true, () => void list.reload());
  const writes = mayWrite.value && !d.deleted_at;
  const cancel = async (u: Update): Promise<void> => {
    if (!(await confirm({ title: t("ota.cancel.title"), text: t("ota.cancel.text"), action: t("ota.cancel"), no: t("confirm.back"), danger: true }))) return;
    await act.run(() => cancelUpdate(u.id));
    await list.reload();
  };
  return (
    <Panel
      title={t("ota.title")}
      actions={
        writes &&
        d.ota_compatible && (
          <>
            {running && newest && (
              <Button small kind="danger" busy={act.busy.value} onClick={() => void cancel(newest)}>
                {t("ota.cancel")}
              </Button>
            )}
            {all && !running && (
              <Button small icon="update" onClick={() => (sending.value = true)}>
                {t("ota.send")}
              </Button>
            )}
          </>
        )
      }
    >
      {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
      <Failure error={list.error.value} again={() => void list.reload()} />
      {!d.ota_compatible && <p class="soft">{t("ota.cannot")}</p>}
      {!all && !list.error.value && <Skeleton rows={2} />}
      {all && !all.length && d.ota_compatible && <p class="soft">{t("ota.none")}</p>}
      {newest && <Course u={newest} />}
      {all && all.length > 0 && (
        <details>
          <summary>{t("ota.history")}</summary>
          <ul class="rows">
            {all.map((u) => (
              <Past key={u.id} u={u} />
            ))}
          </ul>
        </details>
      )}
      {sending.value && (
        <Send
          d={d}
          onClose={() => (sending.value = false)}
          onSent={() => {
            sending.value = false;
            void list.reload();
          }}
        />
      )}
    </Panel>
  );
}

function Past({ u }: { u: Update }) {
  const open = useSignal(false);
  return (
    <li>
      <div class="what">
        <StatusWord status={u.status} />
        <span>
          <Ago at={u.created_at} />
          {u.campaign_id && (
            <>
              {" · "}
              <a href={"/app/updates/" + u.campaign_id}>{t("ota.ofcampaign")}</a>
            </>
          )}
        </span>
        {u.status === "failed" && (
          <span>
            <code>{u.error_reason}</code> {why(u.error_reason ?? "")}
          </span>
        )}
        {open.value && <Steps id={u.id} />}
      </div>
      <Button small kind="quiet" expanded={open.value} onClick={() => (open.value = !open.value)}>
        {t("ota.steps")}
      </Button>
    </li>
  );
}

// Steps are what the device said of an update, word by word.
function Steps({ id }: { id: string }) {
  const one = useQuery("ota:course:" + id, (s) => getUpdate(id, s));
  const lines = one.data.value?.states;
  if (!lines) return one.error.value ? <Failure error={one.error.value} /> : <Skeleton rows={1} />;
  if (!lines.length) return <span>{t("ota.steps.none")}</span>;
  return (
    <ol class="lines">
      {lines.map((l, i) => (
        <li key={i}>
          <time dateTime={l.timestamp}>{moment(l.timestamp)}</time> <code>{l.state}</code> {l.state_data}
        </li>
      ))}
    </ol>
  );
}

export type Patience = "10" | "1440" | "10080"; // minutes that it is tried to begin

export function PatienceChoice({ value, onChange }: { value: Patience; onChange: (p: Patience) => void }) {
  return (
    <Choice
      legend={t("ota.patience")}
      value={value}
      onChange={onChange}
      options={[
        { value: "10", label: t("ota.patience.now"), hint: t("ota.patience.now.hint") },
        { value: "1440", label: t("ota.patience.day") },
        { value: "10080", label: t("ota.patience.week"), hint: t("ota.patience.hint") },
      ]}
    />
  );
}

// near are the refusals that are said at the file.
export const near = ["ota-file", "ota-file-version", "ota-file-length", "ota-file-crc", "ota-file-size", "ota-file-empty", "ota-other-board", "ota-form", "unreachable"];

function Send({ d, onClose, onSent }: { d: Device; onClose: () => void; onSent: () => void }) {
  const images = useQuery("ota:images", listImages).data.value ?? [];
  const file = useSignal<File | undefined>(undefined);
  const stored = useSignal("");
  const patience = useSignal<Patience>("10");
  const part = useSignal<number | undefined>(undefined);
  const act = useAct();
  const f = file.value;
  const ready = stored.value ? true : !!f && (!isPlain(f) || !!d.fqbn);
  const send = async (): Promise<void> => {
    const image = images.find((i) => i.id === stored.value);
    if (image) await sendStored(d.id, image, Number(patience.value));
    else if (f) await sendFile(d.id, f, d.fqbn, Number(patience.value), (n) => (part.value = n));
  };
  return (
    <Dialog
      title={t("ota.send.title", { name: d.name })}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" form="ota" icon="update" busy={act.busy.value} disabled={!ready}>
            {t("ota.send")}
          </Button>
        </>
      }
    >
      <form
        id="ota"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          if (!ready) return;
          void act.run(send).then((done) => {
            part.value = undefined;
            if (done) onSent();
          });
        }}
      >
        {act.wrong.value && !near.includes(act.code.value) && <Note kind="bad">{act.wrong.value}</Note>}
        {images.length > 0 && (
          <Field label={t("ota.image")}>
            {(c) => (
              <select {...c} value={stored.value} onChange={(e) => (stored.value = e.currentTarget.value)}>
                <option value="">{t("ota.image.file")}</option>
                {images.map((i) => (
                  <option key={i.id} value={i.id}>
                    {i.name || i.id} ({i.board})
                  </option>
                ))}
              </select>
            )}
          </Field>
        )}
        {stored.value ? act.at(...near) && <Note kind="bad">{act.wrong.value}</Note> : <FileField file={f} board={d.fqbn} error={act.at(...near)} onPick={(picked) => (file.value = picked)} />}
        <PatienceChoice value={patience.value} onChange={(p) => (patience.value = p)} />
        <Sending part={part.value} />
        <p class="hint">{t("ota.send.hint")}</p>
      </form>
    </Dialog>
  );
}
