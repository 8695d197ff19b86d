// Why updates fail: what the board's word means, and what to do. The words are those of Arduino's library.
import type { Update } from "../../model/ota";
import { t } from "../../text";

const groups = {
  bootloader: "nocapablebootloaderfail",
  storage: "nootastoragefail otastorageinitfail otastorageopenfail otastorageendfail storageconfigfail",
  file: "otaheaderlengthfail otaheadercrcfail otaheadermagicnumberfail",
  answer: "parsehttpheaderfail httpheadererrorfail httpresponsefail",
  address: "urlparseerrorfail",
  connect: "serverconnecterrorfail",
  download: "otadownloadfail otaheadertimeoutfail",
  modem: "libraryfail modemfail",
  write: "erroropenupdatefilefail errorwriteupdatefilefail errorreformatfail errorunmountfail errorrenamefail",
  trust: "castorageinitfail castorageopenfail",
  mismatch: "sha256mismatch",
  unknown: "sha256unknown",
  interrupted: "interrupted",
  silent: "noanswer",
} as const;

const byReason = new Map<string, keyof typeof groups>();
for (const [group, reasons] of Object.entries(groups)) for (const reason of reasons.split(" ")) byReason.set(reason, group as keyof typeof groups);

// why says what a reason means, and what to do.
export function why(reason: string): string {
  const group = byReason.get(reason);
  if (group) return t(`ota.why.${group}`);
  return reason.startsWith("otaerror") ? t("ota.why.board") : t("ota.why.other");
}

// The steps of an update, in order, and which of them it has reached: its number, from 0.
export const steps = ["wait", "told", "fetch", "flash", "reboot", "runs"] as const;

const reached: Record<string, number> = { available: 1, start: 1, fetch: 2, flash: 3, reboot: 4 };

export function stepOf(u: Update): number {
  if (u.status === "succeeded") return 5;
  if (u.status === "pending") return 0;
  return reached[u.state ?? ""] ?? 1;
}
