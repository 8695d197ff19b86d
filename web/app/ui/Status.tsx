import { isOld } from "../data";
import type { DeviceStatus } from "../model/device";
import { statusOf } from "../model/values";
import { t } from "../text";

// Status says whether a device is connected. While nothing live comes it says what was known last, and that.
export function Status({ device, told }: { device: string; told: DeviceStatus }) {
  const status = statusOf(device, told);
  const old = isOld();
  const kind = { ONLINE: "online", OFFLINE: "offline", UNKNOWN: "unknown" } as const;
  return (
    <span class={`status ${kind[status]}${old ? " old" : ""}`} title={old ? t("status.old") : undefined}>
      {t(`status.${kind[status]}`)}
    </span>
  );
}
