import { words } from "../../api";
import { useQuery } from "../../data";
import { deleteDevice, type Device, listDevices, restoreDevice } from "../../model/device";
import { path } from "../../router";
import { mayWrite } from "../../session";
import { t } from "../../text";
import { Gone } from "../../ui/Gone";
import { complain, say } from "../../ui/Toast";

// DeletedLink leads to what was deleted and can be brought back.
export function DeletedLink() {
  return (
    <a class="listbar-link" href={path.value + "?deleted=1"}>
      {t("deleted.link")}
    </a>
  );
}

export function Deleted() {
  const list = useQuery("devices:deleted", async (s) => (await listDevices(s, true)).filter((d) => d.deleted_at));
  const act = async (what: () => Promise<unknown>, done: string): Promise<void> => {
    try {
      await what();
      say(done);
    } catch (err) {
      complain(words(err));
    }
    await list.reload();
  };
  return (
    <Gone<Device>
      title={t("devices.deleted.title")}
      back={{ href: "/app/devices", label: t("devices.title") }}
      list={list}
      fixed={!mayWrite.value}
      about={(d) => d.label}
      restore={(d) => act(() => restoreDevice(d.id), t("restored", { name: d.name }))}
      destroy={(d) => act(() => deleteDevice(d.id, true), t("destroyed", { name: d.name }))}
      destroyText={t("device.destroy.text")}
    />
  );
}
