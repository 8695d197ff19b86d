import { useSignal } from "@preact/signals";
import { useQuery } from "../../data";
import { listBoards } from "../../model/device";
import { type Image, isPlain, storeImage } from "../../model/ota";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { byName } from "../../ui/List";
import { Note } from "../../ui/Note";
import { near } from "./DeviceUpdates";
import { FileField, Sending } from "./FileField";

// StoreDialog keeps a program here, for campaigns.
export function StoreDialog({ onClose, onStored }: { onClose: () => void; onStored: (i: Image) => void }) {
  const boards = useQuery("boards", listBoards).data.value ?? [];
  const file = useSignal<File | undefined>(undefined);
  const name = useSignal("");
  const board = useSignal("");
  const part = useSignal<number | undefined>(undefined);
  const act = useAct();
  const f = file.value;
  const plain = !!f && isPlain(f);
  const store = async (): Promise<void> => {
    if (!f) return;
    onStored(await storeImage(f, name.value.trim(), plain ? board.value : undefined, (n) => (part.value = n)));
  };
  return (
    <Dialog
      title={t("programs.add")}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" form="store" busy={act.busy.value} disabled={!f}>
            {t("programs.keep")}
          </Button>
        </>
      }
    >
      <form
        id="store"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          void act.run(store).then(() => (part.value = undefined));
        }}
      >
        {act.wrong.value && !near.includes(act.code.value) && <Note kind="bad">{act.wrong.value}</Note>}
        <FileField
          file={f}
          board={board.value || (plain ? t("make.board.choose") : undefined)}
          error={act.at(...near)}
          onPick={(picked) => {
            file.value = picked;
            if (picked && !name.value) name.value = picked.name.replace(/\.(ota|bin)$/i, "").slice(0, 128);
          }}
        />
        {plain && (
          <Field label={t("make.board")} hint={t("programs.board.hint")}>
            {(c) => (
              <select {...c} required value={board.value} onChange={(e) => (board.value = e.currentTarget.value)}>
                <option value="">{t("make.board.choose")}</option>
                {[...boards]
                  .map((b) => ({ ...b, name: b.label }))
                  .sort(byName)
                  .map((b) => (
                    <option key={b.fqbn} value={b.fqbn}>
                      {b.label}
                    </option>
                  ))}
              </select>
            )}
          </Field>
        )}
        <Field label={t("col.name")}>{(c) => <input {...c} type="text" maxLength={128} autocomplete="off" value={name.value} onInput={(e) => (name.value = e.currentTarget.value)} />}</Field>
        <Sending part={part.value} />
      </form>
    </Dialog>
  );
}
