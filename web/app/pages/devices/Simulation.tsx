import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type Query, useQuery } from "../../data";
import { hour } from "../../format";
import { type Device, getSimulation, newSecret, type Simulation as State, startSimulation, stopSimulation } from "../../model/device";
import { hearStatuses, statusOf } from "../../model/values";
import { mayWrite } from "../../session";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { confirm } from "../../ui/Confirm";
import { Failure, Note } from "../../ui/Note";
import { Panel } from "../../ui/Page";

// SimulationPanel says whether the server is this device, and lets it be. A device that has never been simulated has it if it may be
// anything: nobody takes a board for a program that has its name on it.
export function SimulationPanel({ device }: { device: Device }) {
  const asked = useSimulation(device);
  if (device.type !== "generic_device_secretkey" && !asked.data.value?.running) return null;
  return (
    <Panel title={t("simulation.title")}>
      <Simulation device={device} asked={asked} />
    </Panel>
  );
}

// The server takes a moment to see that somebody else is the device now.
const moment = 3000; // ms

export function useSimulation(device: Device): Query<State> {
  const later = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(later.current), []);
  const asked: Query<State> = useQuery(`device:${device.id}:simulation`, (s) => getSimulation(device.id, s), {
    devices: [device.id],
    onDevices: (all) => {
      hearStatuses(all);
      if (!all.some((d) => d.device === device.id)) return;
      void asked.reload();
      clearTimeout(later.current);
      later.current = setTimeout(() => void asked.reload(), moment);
    },
  });
  return asked;
}

// Simulation says until when the server is a device, and starts and stops that. secret is the device's key, where the page has it: it
// needs no other then.
export function Simulation({ device, asked, secret }: { device: Device; asked: Query<State>; secret?: string }) {
  const act = useAct();
  const key = useSignal(secret ?? "");
  const now = asked.data.value;
  const start = async (): Promise<void> => {
    const { name } = device;
    if (!key.value && !(await confirm({ title: t("simulation.key", { name }), text: t("simulation.key.text"), action: t("simulation.start") }))) return;
    await act.run(async () => {
      key.value ||= await newSecret(device.id);
      await startSimulation(device.id, key.value).finally(() => asked.reload());
    });
  };
  const stop = (): Promise<boolean> => act.run(() => stopSimulation(device.id).finally(() => asked.reload()));
  const taken = statusOf(device.id, device.device_status) === "ONLINE";
  return (
    <div class="stack tight">
      <Failure error={asked.error.value} again={() => void asked.reload()} />
      {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
      <p class="soft">{!now ? " " : now.running ? t("simulation.runs", { until: hour(now.until ?? "") }) : taken ? t("simulation.taken") : t("simulation.none")}</p>
      {mayWrite.value && now && (now.running || !taken) && (
        <div>
          {now.running ? (
            <Button small busy={act.busy.value} onClick={() => void stop()}>
              {t("simulation.stop")}
            </Button>
          ) : (
            <Button small icon="play" busy={act.busy.value} onClick={() => void start()}>
              {t("simulation.start")}
            </Button>
          )}
        </div>
      )}
    </div>
  );
}
