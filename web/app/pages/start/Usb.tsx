import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { isAbort, Problem, words } from "../../api";
import { getDevice, listBoards } from "../../model/device";
import { boards } from "../../serial/boards";
import * as first from "../../serial/first";
import { canSerial, choose, type Port, trouble } from "../../serial/line";
import type { Net, Network } from "../../serial/message";
import { Conversation, inWords, type Step } from "../../serial/second";
import { t, type Key } from "../../text";
import { Button } from "../../ui/Button";
import { Field } from "../../ui/Field";
import { Note } from "../../ui/Note";
import { Panel } from "../../ui/Page";
import { complain } from "../../ui/Toast";
import type { Made } from "./Connect";
import { Ctl } from "./Ctl";
import { NetFields, type Way } from "./Net";
import { Steps } from "./Steps";
import { firstProperty, ThingChoice, thingFor } from "./ThingFor";

// A Found is the board behind a port that somebody has chosen.
interface Found {
  port: Port;
  vid: string;
  pid: string;
  fqbn: string;
  type: string;
  name: string;
  ways: Way[];
}

const secondSteps: Step[] = ["identify", "claim", "network", "join", "arrive"];
const firstSteps: first.Step[] = ["create", "key", "sign", "write"];

const hex = (n: number): string => n.toString(16).padStart(4, "0");

// found says which board is behind a port, by what USB tells of it.
function found(port: Port): Found {
  const { usbVendorId = 0, usbProductId = 0 } = port.getInfo();
  const [vid, pid] = [hex(usbVendorId), hex(usbProductId)];
  const b = boards[`${vid}:${pid}`];
  if (!b) throw trouble("wrong", { port: usbVendorId ? `${vid}:${pid}` : "?" });
  return { port, vid, pid, fqbn: b.fqbn, type: b.type, name: b.name, ways: b.ways.split(" ") as Way[] };
}

// Usb brings a board in that is on a cable: by the browser's own serial ports where it has them, else it says by which program.
export function Usb({ onMade }: { onMade: (m: Made) => void }) {
  if (!canSerial())
    return (
      <Panel title={t("usb.title")}>
        <Note>{t("usb.browser")}</Note>
        <Ctl />
      </Panel>
    );
  return <Cable onMade={onMade} />;
}

function Cable({ onMade }: { onMade: (m: Made) => void }) {
  const board = useSignal<Found | undefined>(undefined);
  const now = useSignal<Key | "">("");
  const met = useSignal<Network[] | undefined>(undefined);
  const wrong = useSignal<Problem | undefined>(undefined);
  const name = useSignal(t("usb.name"));
  const choice = { thing: useSignal(true), sample: useSignal(true) };
  const talk = useRef<Conversation | undefined>(undefined);
  const left = useMemo(() => new AbortController(), []);
  const hangUp = async (): Promise<void> => {
    await talk.current?.close();
    talk.current = met.value = undefined;
  };
  useEffect(
    () => () => {
      left.abort();
      void talk.current?.close();
    },
    [],
  );
  // doing shows what is done, and what went wrong with it; only what the network refuses leaves the board on the line.
  const doing = async (what: () => Promise<void>): Promise<void> => {
    wrong.value = undefined;
    try {
      await what();
    } catch (err) {
      if (left.signal.aborted || isAbort(err)) return;
      const why = inWords(err);
      wrong.value = why instanceof Problem ? why : new Problem(0, "ours", words(why));
      if (wrong.value.code !== "board-network") await hangUp();
    } finally {
      now.value = "";
    }
  };
  const start = (): Promise<void> =>
    doing(async () => {
      await hangUp();
      const port = await choose();
      if (!port) return;
      const b = (board.value = found(port));
      now.value = "usb.step.greet";
      const about = (await listBoards(left.signal)).find((k) => k.fqbn === b.fqbn);
      const c = await Conversation.meet(port, { sketch: about?.min_provisioning_sketch_version ?? "", radio: about?.min_provisioning_wifi_version ?? "" }, left.signal);
      if (left.signal.aborted) return c.close();
      talk.current = c;
      met.value = c.networks;
    });
  const done = async (id: string): Promise<void> => {
    const device = await getDevice(id);
    const thing = choice.thing.value ? await thingFor(device, device.name, choice.sample.value ? firstProperty : []).catch((err: unknown) => complain(words(err))) : undefined;
    onMade({ device, secret: "", simulated: false, ...(thing && { thing }) });
  };
  const bringIn = (b: Found, net: Net): Promise<void> =>
    doing(async () => {
      const id = await talk.current?.bringIn({ name: name.value.trim(), net, vid: b.vid, pid: b.pid }, (s) => (now.value = `usb.step.${s}`));
      await hangUp();
      if (id) await done(id);
    });
  const older = (b: Found): Promise<void> => doing(async () => done(await first.bringIn(b.port, { name: name.value.trim() || b.name, type: b.type, fqbn: b.fqbn }, (s) => (now.value = `usb.step.${s}`), left.signal)));
  const b = board.value;
  const steps: Key[] = firstSteps.some((s) => now.value === `usb.step.${s}`) ? firstSteps.map((s): Key => `usb.step.${s}`) : now.value === "usb.step.greet" ? ["usb.step.greet"] : secondSteps.map((s): Key => `usb.step.${s}`);
  return (
    <Panel title={b && (met.value || now.value) ? b.name : t("usb.cable")}>
      <div class="stack">
        {wrong.value && wrong.value.code !== "board-network" && <Note kind="bad">{wrong.value.detail}</Note>}
        {now.value && <Steps all={steps} now={now.value} label={t("usb.steps")} />}
        {b && met.value && (
          <form
            class="stack"
            hidden={!!now.value}
            onSubmit={(e) => e.preventDefault()}
          >
            <Field label={t("make.name")} hint={t("make.name.hint")}>
              {(f) => <input {...f} type="text" required maxLength={64} autocomplete="off" value={name.value} onInput={(e) => (name.value = e.currentTarget.value)} />}
            </Field>
            <NetFields ways={b.ways} networks={met.value} wrong={wrong.value?.code === "board-network" ? wrong.value.detail : undefined}>
              {(net) => (
                <>
                  <ThingChoice {...choice} />
                  <div class="acts">
                    <Button kind="main" type="submit" onClick={(e) => (e.currentTarget as HTMLButtonElement).form?.reportValidity() && void bringIn(b, net())}>
                      {t("usb.do")}
                    </Button>
                    <Button kind="quiet" onClick={() => void hangUp()}>
                      {t("usb.other")}
                    </Button>
                  </div>
                </>
              )}
            </NetFields>
          </form>
        )}
        {!met.value && !now.value && (
          <>
            <p>
              {t("usb.cable.text")} <a href="/docs/boards#arduino-boards-with-a-key-of-their-own">{t("usb.help")}</a>
            </p>
            <div class="acts">
              <Button kind="main" icon="usb" onClick={() => void start()}>
                {wrong.value ? t("again") : t("usb.choose")}
              </Button>
              {b && wrong.value?.code === "board-silent" && <Button onClick={() => void older(b)}>{t("usb.older")}</Button>}
            </div>
            <details class="more">
              <summary>{t("usb.ctl")}</summary>
              <Ctl />
            </details>
          </>
        )}
      </div>
    </Panel>
  );
}
