import { useSignal } from "@preact/signals";
import { Problem } from "../../api";
import { type Query, useQuery } from "../../data";
import { moment } from "../../format";
import { type Coming, comings, deleteDevice, type Device as Shape, getDevice, hasSecret, renameDevice, restoreDevice, tagDevice, untagDevice } from "../../model/device";
import { hearStatuses } from "../../model/values";
import { go, type Params } from "../../router";
import { mayWrite } from "../../session";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Ago } from "../../ui/Ago";
import { Button, ButtonLink } from "../../ui/Button";
import { confirm } from "../../ui/Confirm";
import { CopyText } from "../../ui/Copy";
import { Empty } from "../../ui/Empty";
import { Menu } from "../../ui/Menu";
import { Failure, Note } from "../../ui/Note";
import { Facts, Head, Panel } from "../../ui/Page";
import { Rename } from "../../ui/Rename";
import { Skeleton } from "../../ui/Skeleton";
import { Status } from "../../ui/Status";
import { TagEditor } from "../../ui/Tag";
import { say } from "../../ui/Toast";
import { Webhooks } from "../hooks/Webhooks";
import { DeviceUpdates } from "../ota/DeviceUpdates";
import { Comings } from "./Comings";
import { NewSecret } from "./Secret";
import { SimulationPanel } from "./Simulation";

export default function Device({ params }: { params: Params }) {
  const id = params.id ?? "";
  const device = useQuery("device:" + id, (s) => getDevice(id, s), { devices: [id], onDevices: hearStatuses });
  const d = device.data.value;
  const err = device.error.value;
  if (!d)
    return (
      <>
        <Head title={err ? t("device.none") : t("device.title")} crumb={{ href: "/app/devices", label: t("devices.title") }} />
        {err instanceof Problem && err.status === 404 ? <Missing text={err.detail} /> : err ? <Failure error={err} again={() => void device.reload()} /> : <Skeleton kind="block" rows={3} />}
      </>
    );
  return <Found d={d} device={device} />;
}

function Missing({ text }: { text: string }) {
  return (
    <Empty icon="devices" title={text} actions={<ButtonLink href="/app/devices">{t("nowhere.devices")}</ButtonLink>}>
      <p>{t("missing.text")}</p>
    </Empty>
  );
}

function Found({ d, device }: { d: Shape; device: Query<Shape> }) {
  const renaming = useSignal(false);
  const secret = useSignal(false);
  const act = useAct();
  const writes = mayWrite.value && !d.deleted_at;
  const remove = async (): Promise<void> => {
    if (!(await confirm({ title: t("device.delete.title", { name: d.name }), text: t("device.delete.text"), action: t("delete"), danger: true, typed: d.name }))) return;
    if (await act.run(() => deleteDevice(d.id))) {
      say(t("device.deleted", { name: d.name }), () => void restoreDevice(d.id).then(() => go("/app/devices/" + d.id)));
      go("/app/devices");
    }
  };
  return (
    <>
      <Head title={d.name} crumb={{ href: "/app/devices", label: t("devices.title") }} about={<><Status device={d.id} told={d.device_status} /> <span>{d.label}</span></>}>
        {writes && (
          <Menu
            label={t("device.acts", { name: d.name })}
            groups={[
              {
                items: [
                  { label: t("rename"), icon: "edit", onPick: () => (renaming.value = true) },
                  { label: t("secret.new"), icon: "key", onPick: () => (secret.value = true) },
                ],
              },
              { items: [{ label: t("delete"), icon: "trash", danger: true, onPick: () => void remove() }] },
            ]}
          />
        )}
      </Head>
      <Failure error={device.error.value} again={() => void device.reload()} />
      {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
      {d.deleted_at && <Restore d={d} after={() => void device.reload()} />}
      <div class="columns">
        <div class="stack wide">
          <Panel title={t("device.identity")}>
            <Facts
              all={[
                [t("device.id"), <CopyText text={d.id} label={t("copy.what", { what: t("device.id") })} />],
                [t("device.kind"), d.label],
                [t("device.fqbn"), d.fqbn && <code>{d.fqbn}</code>],
                [t("device.serial"), d.serial && <code>{d.serial}</code>],
                [t("device.hardware"), d.unique_hardware_id && <code>{d.unique_hardware_id}</code>],
                [t("device.mac"), d.ble_mac && <code>{d.ble_mac}</code>],
                [t("device.made"), d.created_at && moment(d.created_at)],
                [t("device.locked"), d.locked ? t("device.locked.text") : ""],
              ]}
            />
          </Panel>
          <Panel title={t("device.network")}>
            <Facts
              all={[
                [t("device.activity"), d.last_activity_at ? <Ago at={d.last_activity_at} /> : t("never")],
                [t("device.connection"), d.connection_type],
                [t("device.library"), d.lib_version],
                [t("device.wifi"), d.wifi_fw_version],
                [t("device.ota"), d.ota_compatible ? (d.ota_available ? t("device.ota.ready") : t("device.ota.can")) : t("device.ota.not")],
              ]}
            />
            {d.events && d.events.length > 0 && (
              <details>
                <summary>{t("device.reports")}</summary>
                <table class="small">
                  <thead>
                    <tr>
                      <th scope="col">{t("device.report")}</th>
                      <th scope="col">{t("device.report.value")}</th>
                      <th scope="col">{t("device.report.when")}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {d.events.map((e) => (
                      <tr key={e.name}>
                        <th scope="row">
                          <code>{e.name}</code>
                        </th>
                        <td class="breaks">{e.value}</td>
                        <td>
                          <Ago at={e.updated_at} />
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </details>
            )}
          </Panel>
          {!d.deleted_at && <DeviceUpdates d={d} />}
          {!d.deleted_at && <Webhooks device={d} writes={writes} reload={() => device.reload()} />}
          {!d.deleted_at && <Events id={d.id} />}
        </div>
        <div class="stack">
          <Panel title={t("col.thing")}>
            {d.thing ? (
              <p>
                <a class="strong" href={"/app/things/" + d.thing.id}>
                  {d.thing.name}
                </a>
              </p>
            ) : (
              <div class="stack tight">
                <p class="soft">{t("device.free.text")}</p>
                {writes && (
                  <div>
                    <ButtonLink small icon="plus" href={"/app/things?new=" + d.id}>
                      {t("device.thing.make")}
                    </ButtonLink>
                  </div>
                )}
              </div>
            )}
          </Panel>
          {!d.deleted_at && <SimulationPanel device={d} />}
          {!d.deleted_at && <Secret id={d.id} writes={writes} certificate={!!d.issuer_ca} onNew={() => (secret.value = true)} />}
          <Panel title={t("tags.title")}>
            <TagEditor tags={d.tags} fixed={!writes} set={(k, v) => tagDevice(d.id, k, v).then(() => device.reload())} drop={(k) => untagDevice(d.id, k).then(() => device.reload())} />
          </Panel>
        </div>
      </div>
      {renaming.value && (
        <Rename
          title={t("device.rename")}
          name={d.name}
          onClose={() => (renaming.value = false)}
          save={async (name) => {
            await renameDevice(d.id, name);
            await device.reload();
          }}
        />
      )}
      {secret.value && <NewSecret device={d} onClose={() => (secret.value = false)} />}
    </>
  );
}

function Restore({ d, after }: { d: Shape; after: () => void }) {
  const act = useAct();
  return (
    <Note kind="warn">
      <p>{t("device.gone", { when: moment(d.deleted_at ?? "") })}</p>
      {act.wrong.value && <p>{act.wrong.value}</p>}
      {mayWrite.value && (
        <Button small icon="restore" busy={act.busy.value} onClick={() => void act.run(() => restoreDevice(d.id)).then((done) => done && after())}>
          {t("restore")}
        </Button>
      )}
    </Note>
  );
}

function Secret({ id, writes, certificate, onNew }: { id: string; writes: boolean; certificate: boolean; onNew: () => void }) {
  const secret: Query<{ set: boolean }> = useQuery(`device:${id}:pass`, (s) => hasSecret(id, s), { devices: [id], onDevices: () => void secret.reload() });
  const set = secret.data.value?.set;
  return (
    <Panel title={t("device.proof")}>
      <p class="soft">{certificate ? t("proof.certificate") : set === undefined ? " " : set ? t("proof.secret") : t("proof.none")}</p>
      {writes && (
        <div>
          <Button small icon="key" onClick={onNew}>
            {t("secret.new")}
          </Button>
        </div>
      )}
    </Panel>
  );
}

function Events({ id }: { id: string }) {
  const all: Query<{ events: Coming[] }> = useQuery(`device:${id}:status`, (s) => comings(id, s), { devices: [id], onDevices: () => void all.reload() });
  return (
    <Panel title={t("device.events")}>
      <Failure error={all.error.value} again={() => void all.reload()} />
      {all.data.value ? <Comings all={all.data.value.events} /> : <Skeleton rows={3} />}
    </Panel>
  );
}
