import { useQuery } from "../../data";
import { shown } from "../../format";
import { type Device, getDevice } from "../../model/device";
import { kindOf } from "../../model/kind";
import { getThing, type Thing } from "../../model/thing";
import { hear, hearStatuses, lastOf, statusOf } from "../../model/values";
import { t } from "../../text";
import { ButtonLink } from "../../ui/Button";
import { Icon } from "../../ui/Icon";

// Waiting lights up when the device comes, and when its first value does.
export function Waiting({ device, thing }: { device: Device; thing: Thing | undefined }) {
  useQuery("device:" + device.id, (s) => getDevice(device.id, s), { devices: [device.id], onDevices: hearStatuses });
  const found = useQuery("thing:" + (thing?.id ?? ""), (s) => (thing ? getThing(thing.id, s) : Promise.resolve(undefined)), thing && { things: [thing.id], onValues: hear });
  const properties = (found.data.value ?? thing)?.properties ?? [];
  const first = properties.find((p) => lastOf(p.id).value.at);
  const online = statusOf(device.id, device.device_status) === "ONLINE";
  return (
    <section class="waiting" aria-label={t("waiting.title")} role="status">
      <Step done={online} text={online ? t("waiting.online", { name: device.name }) : t("waiting.offline")} />
      {thing && <Step done={!!first} text={first ? t("waiting.value", { name: first.name, value: shown(kindOf(first.type), lastOf(first.id).value.value, thing.timezone) }) : t("waiting.novalue")} />}
      <div class="acts">
        {thing && first && (
          <ButtonLink icon="chart" href={`/app/things/${thing.id}/history?range=1h&property=${first.id}`}>
            {t("waiting.chart")}
          </ButtonLink>
        )}
        {thing ? (
          <ButtonLink kind={first ? "main" : "plain"} href={"/app/things/" + thing.id}>
            {t("waiting.thing")}
          </ButtonLink>
        ) : (
          <ButtonLink href={"/app/devices/" + device.id}>{t("waiting.device")}</ButtonLink>
        )}
      </div>
    </section>
  );
}

function Step({ done, text }: { done: boolean; text: string }) {
  return (
    <p class={done ? "step done" : "step"}>
      <span class="step-mark">{done && <Icon name="check" size={16} />}</span>
      {text}
    </p>
  );
}
