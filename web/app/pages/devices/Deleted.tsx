import { useQuery } from "../../data";
import { deleteDevice, type Device, listDevices, restoreDevice } from "../../model/device";
import { mayWrite } from "../../session";
import { t } from "../../text";
import { Gone } from "../../ui/Gone";

export function Deleted() {
  const list = useQuery("devices:deleted", async (s) => (await listDevices(s, true)).filter((d) => d.deleted_at));
  return (
    <Gone<Device>
      title={t("devices.deleted.title")}
      back={{ href: "/app/devices", label: t("devices.title") }}
      list={list}
      fixed={!mayWrite.value}
      about={(d) => d.label}
      restore={restoreDevice}
      destroy={(id) => deleteDevice(id, true)}
      destroyText={t("device.destroy.text")}
    />
  );
}
