import { bytes } from "../../format";
import { isPlain } from "../../model/ota";
import { t } from "../../text";
import { Field } from "../../ui/Field";

// FileField chooses a program: a .ota file, or a plain image where the board is known.
export function FileField({ file, board, error, onPick }: { file: File | undefined; board: string | undefined; error?: string | undefined; onPick: (f: File | undefined) => void }) {
  const plain = file && isPlain(file);
  return (
    <Field label={t("ota.file")} error={error ?? (plain && !board ? t("ota.file.noboard") : undefined)} hint={file ? `${bytes(file.size)}${plain && board ? " · " + t("ota.file.plain", { board }) : ""}` : t("ota.file.hint")}>
      {(f) => <input {...f} type="file" accept=".ota,.bin,application/octet-stream" onChange={(e) => onPick(e.currentTarget.files?.[0])} />}
    </Field>
  );
}

// Sending shows how much of a file has gone.
export function Sending({ part }: { part: number | undefined }) {
  if (part === undefined) return null;
  return (
    <div class="course-bar" role="status">
      <progress max={1} value={part} aria-label={t("ota.sending")} />
      <span>{part < 1 ? t("ota.sending") : t("ota.checking")}</span>
    </div>
  );
}
