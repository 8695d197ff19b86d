import { useSignal } from "@preact/signals";
import { useQuery } from "../../data";
import { listDevices } from "../../model/device";
import { applyTemplate, getTemplate, type Made, type Template, type Whole } from "../../model/template";
import { mayWrite } from "../../session";
import { t, tn } from "../../text";
import { useAct } from "../../ui/act";
import { Button, ButtonLink } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { byName } from "../../ui/List";
import { Failure, Note } from "../../ui/Note";
import { Skeleton } from "../../ui/Skeleton";

// Apply shows what a template would make, and makes it.
export function Apply({ template, onClose }: { template: Template; onClose: () => void }) {
  const whole = useQuery("template:" + template.id, (s) => getTemplate(template.id, s));
  const prefix = useSignal("");
  const devices = useSignal<Record<string, string>>({});
  const made = useSignal<Made | undefined>(undefined);
  const act = useAct();
  const w = whole.data.value;
  if (made.value) return <Done made={made.value} onClose={onClose} />;
  const make = async (): Promise<void> => {
    made.value = await applyTemplate(template, prefix.value.trim() && prefix.value.trimStart(), devices.value);
  };
  return (
    <Dialog
      title={template.name}
      wide
      onClose={onClose}
      actions={
        mayWrite.value ? (
          <>
            <Button onClick={onClose}>{t("cancel")}</Button>
            <Button kind="main" type="submit" form="apply" busy={act.busy.value} disabled={!w}>
              {t("template.apply")}
            </Button>
          </>
        ) : (
          <Button onClick={onClose}>{t("close")}</Button>
        )
      }
    >
      <form
        id="apply"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          void act.run(make);
        }}
      >
        {act.wrong.value && act.code.value !== "invalid-template-prefix" && <Note kind="bad">{act.wrong.value}</Note>}
        {template.description && <p>{template.description}</p>}
        {!w && (whole.error.value ? <Failure error={whole.error.value} again={() => void whole.reload()} /> : <Skeleton rows={3} />)}
        {w && <Contents w={w} />}
        {w && mayWrite.value && (
          <>
            <Field label={t("template.prefix")} hint={t("template.prefix.hint")} error={act.at("invalid-template-prefix")}>
              {(f) => <input {...f} type="text" maxLength={45} autocomplete="off" value={prefix.value} onInput={(e) => (prefix.value = e.currentTarget.value)} />}
            </Field>
            <Devices w={w} chosen={devices.value} set={(thing, device) => (devices.value = { ...devices.value, [thing]: device })} />
          </>
        )}
      </form>
    </Dialog>
  );
}

function Contents({ w }: { w: Whole }) {
  return (
    <ul class="contents">
      {w.thing_templates.map((x) => (
        <li key={"t" + x.id}>
          <b>{x.name}</b> <span class="soft">{t("col.thing")}</span>
          <span class="under">{x.variables.map((v) => v.name).join(", ")}</span>
        </li>
      ))}
      {w.dashboard_templates.map((x, i) => (
        <li key={"d" + i}>
          <b>{x.name ?? "?"}</b> <span class="soft">{t("template.dashboard")}</span>
        </li>
      ))}
      {w.trigger_templates.map((x, i) => (
        <li key={"r" + i}>
          <b>{x.name ?? "?"}</b> <span class="soft">{t("trigger.title")}</span>
        </li>
      ))}
    </ul>
  );
}

function Devices({ w, chosen, set }: { w: Whole; chosen: Record<string, string>; set: (thing: string, device: string) => void }) {
  const free = (useQuery("devices", (s) => listDevices(s)).data.value ?? []).filter((d) => !d.thing).sort(byName);
  if (!free.length || !w.thing_templates.length) return null;
  return (
    <div class="pair">
      {w.thing_templates.map((x) => (
        <Field key={x.id} label={t("template.device", { name: x.name })} hint={x.device_metadata?.fqbn && t("template.made.for", { board: x.device_metadata.fqbn })}>
          {(f) => (
            <select {...f} value={chosen[x.id] ?? ""} onChange={(e) => set(x.id, e.currentTarget.value)}>
              <option value="">{t("template.device.later")}</option>
              {free.map((d) => (
                <option key={d.id} value={d.id}>
                  {d.name}
                </option>
              ))}
            </select>
          )}
        </Field>
      ))}
    </div>
  );
}

function Done({ made, onClose }: { made: Made; onClose: () => void }) {
  const first = made.things[0];
  const parts = [made.things.length && tn("template.things", made.things.length), made.dashboards.length && tn("template.dashboards", made.dashboards.length), made.triggers.length && tn("template.triggers", made.triggers.length)];
  return (
    <Dialog
      title={t("template.applied")}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("close")}</Button>
          {first && (
            <ButtonLink kind="main" href={"/app/things/" + first.id}>
              {t("waiting.thing")}
            </ButtonLink>
          )}
        </>
      }
    >
      <Note kind="good">{parts.filter(Boolean).join(" · ")}</Note>
    </Dialog>
  );
}
