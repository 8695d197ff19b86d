import { useSignal } from "@preact/signals";
import { useQuery } from "../../data";
import { type Board, createDevice, type Device, listBoards, newSecret, startSimulation } from "../../model/device";
import type { PropertyWish } from "../../model/thing";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { Field } from "../../ui/Field";
import { Note } from "../../ui/Note";
import { Panel } from "../../ui/Page";
import type { Made } from "./Connect";
import { firstProperty, ThingChoice, thingFor } from "./ThingFor";

const generic = "generic:generic:generic";

// What the simulated board has (sdk/go/simulated).
const simulatedProperties: PropertyWish[] = [
  { name: "temperature", variable_name: "temperature", type: "TEMPERATURE", permission: "READ_ONLY", update_strategy: "ON_CHANGE", update_parameter: 0, persist: true },
  { name: "humidity", variable_name: "humidity", type: "PERCENTAGE_RELATIVE_HUMIDITY", permission: "READ_ONLY", update_strategy: "ON_CHANGE", update_parameter: 0, persist: true },
  { name: "led", variable_name: "led", type: "STATUS", permission: "READ_WRITE", update_strategy: "ON_CHANGE", update_parameter: 0, persist: true },
  { name: "lamp", variable_name: "lamp", type: "HOME_COLORED_LIGHT", permission: "READ_WRITE", update_strategy: "ON_CHANGE", update_parameter: 0, persist: true },
];

// Make makes a device with a secret key, and with it a thing, without which no value would have a place.
export function Make({ simulated, onMade }: { simulated: boolean; onMade: (m: Made) => void }) {
  const boards = useQuery("boards", listBoards);
  const name = useSignal(t(simulated ? "make.simulated.name" : "make.first.name"));
  const fqbn = useSignal("");
  const choice = { thing: useSignal(true), sample: useSignal(true) };
  const act = useAct();
  // What was made before something failed is not made twice.
  const done = useSignal<{ device?: Device; secret?: string }>({});
  const usable = (boards.data.value ?? []).filter((b) => !/^lora|^mkrwan/.test(b.type));
  const chosen: Board | undefined = simulated ? undefined : usable.find((b) => b.fqbn === fqbn.value);
  const make = async (): Promise<void> => {
    const device = done.value.device ?? (await createDevice({ name: name.value.trim(), type: chosen?.type ?? "generic_device_secretkey", ...(chosen && chosen.fqbn !== generic && { fqbn: chosen.fqbn }) }));
    done.value = { ...done.value, device };
    const secret = done.value.secret ?? (await newSecret(device.id));
    done.value = { device, secret };
    if (!choice.thing.value && !simulated) return onMade({ device, secret, simulated });
    const properties = simulated ? simulatedProperties : choice.sample.value ? firstProperty : [];
    const thing = await thingFor(device, name.value, properties);
    // A server that is too busy for one leaves the other way to have it: the command, which the next page has.
    const failed: unknown = simulated ? await startSimulation(device.id, secret).then(() => undefined, (err: unknown) => err) : undefined;
    onMade({ device, secret, simulated, thing, failed });
  };
  return (
    <Panel title={simulated ? t("make.simulated") : t("make.title")}>
      <form
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          void act.run(make);
        }}
      >
        {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
        {simulated && <p class="soft">{t("make.simulated.text")}</p>}
        <div class="pair">
          <Field label={t("make.name")} hint={t("make.name.hint")}>
            {(f) => <input {...f} type="text" required maxLength={64} autocomplete="off" value={name.value} onInput={(e) => (name.value = e.currentTarget.value)} />}
          </Field>
          {!simulated && (
            <Field label={t("make.board")} hint={t("make.board.hint")} error={boards.error.value ? t("make.boards.failed") : undefined}>
              {(f) => (
                <select {...f} required value={fqbn.value} onChange={(e) => (fqbn.value = e.currentTarget.value)}>
                  <option value="">{t("make.board.choose")}</option>
                  <option value={generic}>{t("make.board.generic")}</option>
                  <optgroup label={t("make.board.esp")}>
                    {usable
                      .filter((b) => b.type === "login_and_secretkey_wifi" || b.type === "nano_nora")
                      .map((b) => (
                        <option key={b.fqbn} value={b.fqbn}>
                          {b.label}
                        </option>
                      ))}
                  </optgroup>
                  <optgroup label={t("make.board.arduino")}>
                    {usable
                      .filter((b) => b.vendor === "arduino" && b.type !== "nano_nora")
                      .map((b) => (
                        <option key={b.fqbn} value={b.fqbn}>
                          {b.label}
                        </option>
                      ))}
                  </optgroup>
                </select>
              )}
            </Field>
          )}
        </div>
        {!simulated && <ThingChoice {...choice} />}
        <div>
          <Button kind="main" type="submit" busy={act.busy.value}>
            {t(simulated ? "make.simulated.do" : "make.do")}
          </Button>
        </div>
      </form>
    </Panel>
  );
}
