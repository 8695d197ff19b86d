import { useSignal } from "@preact/signals";
import { useQuery } from "../../data";
import type { Device } from "../../model/device";
import { getPlace, type Place, port } from "../../model/place";
import { program, type Thing } from "../../model/thing";
import { t } from "../../text";
import { ButtonLink } from "../../ui/Button";
import { Code } from "../../ui/Copy";
import { Failure } from "../../ui/Note";
import { Panel } from "../../ui/Page";
import { Skeleton } from "../../ui/Skeleton";
import { Credentials, ShownOnce } from "../devices/Secret";
import { Simulation, useSimulation } from "../devices/Simulation";
import { Waiting } from "./Waiting";

// A Made is what somebody has just made, with the key that nobody can show again; "" for a board that has one of its own.
export interface Made {
  device: Device;
  secret: string;
  thing?: Thing;
  simulated: boolean;
  failed?: unknown; // why the server does not simulate it, which it should
}

// Connect shows what the device needs, and waits for it.
export function Connect({ made }: { made: Made }) {
  const { device, thing } = made;
  if (made.simulated)
    return (
      <div class="start">
        <Waiting device={device} thing={thing} />
        <Simulated made={made} />
      </div>
    );
  return (
    <div class="start">
      <Waiting device={device} thing={thing} />
      {made.secret && (
        <Panel title={t("connect.key", { name: device.name })}>
          <div class="stack">
            <ShownOnce />
            <Credentials id={device.id} secret={made.secret} />
          </div>
        </Panel>
      )}
      <Panel title={t("connect.program")}>{!made.secret ? <Own thing={thing} /> : thing ? <Program made={made} thing={thing} /> : <Plain />}</Panel>
    </div>
  );
}

const languages = [
  { code: "cpp", label: "Arduino" },
  { code: "python", label: "Python" },
  { code: "micropython", label: "MicroPython" },
  { code: "javascript", label: "JavaScript" },
];

// Program is the file with secrets, filled in, of the program that the server writes for the thing.
function Program({ made, thing }: { made: Made; thing: Thing }) {
  const sketch = !made.device.no_sketch;
  const language = useSignal(sketch ? "cpp" : "python");
  const p = useQuery(`thing:${thing.id}:sketch:${language.value}`, (s) => program(thing.id, { language: language.value }, s));
  const secrets = p.data.value?.files.find((f) => f.name.startsWith("arduino_secrets") || f.name.endsWith("/arduino_secrets.h"));
  return (
    <div class="stack">
      <p>{t("connect.text")}</p>
      <div class="segments" role="group" aria-label={t("sketch.language")}>
        {languages
          .filter((l) => l.code !== "cpp" || sketch)
          .map((l) => (
            <button key={l.code} type="button" aria-pressed={language.value === l.code} onClick={() => (language.value = l.code)}>
              {l.label}
            </button>
          ))}
      </div>
      <Failure error={p.error.value} />
      {secrets ? <Code text={filled(secrets.text, made.secret)} label={secrets.name} /> : !p.error.value && <Skeleton kind="block" rows={1} />}
      <div>
        <ButtonLink icon="code" href={`/app/things/${thing.id}/sketch?language=${language.value}`}>
          {t("connect.sketch")}
        </ButtonLink>
      </div>
    </div>
  );
}

// filled puts the key where the file leaves room for it.
export function filled(text: string, secret: string): string {
  return text.replace(/(SECRET_DEVICE_KEY\b\s*[:=]?\s*)""/, (_, before: string) => `${before}"${secret}"`);
}

// Simulated is what the server does by itself, and below it the command for whoever would rather be the board.
function Simulated({ made }: { made: Made }) {
  const asked = useSimulation(made.device);
  const place = useQuery("place", getPlace).data.value;
  return (
    <Panel title={t("simulation.title")}>
      <div class="stack">
        {!asked.data.value?.running && <Failure error={made.failed} />}
        <Simulation device={made.device} asked={asked} secret={made.secret} />
        <details class="more" open={!!made.failed}>
          <summary>{t("connect.simulated")}</summary>
          <div class="stack">
            <p class="soft">{t("connect.simulated.text")}</p>
            {place ? <Code text={command(made, place)} label={t("connect.simulated.command")} /> : <Skeleton kind="block" rows={1} />}
            {place?.ca && (
              <p class="hint">
                {t("connect.simulated.ca")}{" "}
                <a href="/ca.pem" download="ca.pem">
                  {t("usb.ca")}
                </a>
              </p>
            )}
          </div>
        </details>
      </div>
    </Panel>
  );
}

function command(made: Made, place: Place): string {
  return `DEVICE_KEY=${made.secret} ardesiactl device simulate ${made.device.id} --host ${place.host} --port ${port(place.secret)}${place.ca ? " --ca ca.pem" : ""}`;
}

// Own is what is left to do with a board that has a key of its own: its program. No secret is in that.
function Own({ thing }: { thing: Thing | undefined }) {
  return (
    <div class="stack">
      <p>{t(thing ? "connect.own" : "connect.own.plain")}</p>
      {thing && (
        <div>
          <ButtonLink icon="code" href={`/app/things/${thing.id}/sketch`}>
            {t("connect.sketch")}
          </ButtonLink>
        </div>
      )}
    </div>
  );
}

function Plain() {
  const place = useQuery("place", getPlace).data.value;
  return (
    <div class="stack">
      <p>{t("connect.plain")}</p>
      {place && <Code text={place.secret} label={t("connect.address")} />}
    </div>
  );
}
