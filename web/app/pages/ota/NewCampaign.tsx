import { useSignal } from "@preact/signals";
import { useQuery } from "../../data";
import { listDevices } from "../../model/device";
import { type Campaign, listImages, startCampaign } from "../../model/ota";
import { go, query } from "../../router";
import { mayWrite } from "../../session";
import { t, tn } from "../../text";
import { useAct } from "../../ui/act";
import { Button, ButtonLink } from "../../ui/Button";
import { Check, Choice, Field } from "../../ui/Field";
import { Failure, Note } from "../../ui/Note";
import { Head, Panel } from "../../ui/Page";
import { PickList } from "../../ui/PickList";
import { Skeleton } from "../../ui/Skeleton";
import { say } from "../../ui/Toast";
import { type Patience, PatienceChoice } from "./DeviceUpdates";
import { StoreDialog } from "./StoreDialog";

const crumb = () => ({ href: "/app/updates", label: t("campaigns.title") });

// NewCampaign chooses a program, boards and waves. What cannot be updated is told, and left out.
export default function NewCampaign() {
  const images = useQuery("ota:images", listImages);
  const list = useQuery("devices", (s) => listDevices(s));
  const devices = list.data.value?.filter((d) => d.ota_compatible);
  const image = useSignal(query("image"));
  const picked = useSignal<string[]>(query("devices").split(",").filter(Boolean));
  const waves = useSignal<"all" | "waves">("all");
  const size = useSignal("10");
  const halt = useSignal("20");
  const later = useSignal(false);
  const at = useSignal("");
  const patience = useSignal<Patience>("1440");
  const storing = useSignal(false);
  const begun = useSignal<Campaign | undefined>(undefined);
  const act = useAct();
  if (!mayWrite.value)
    return (
      <>
        <Head title={t("campaigns.add")} crumb={crumb()} />
        <Note kind="warn">{t("read.only")}</Note>
      </>
    );
  const start = async (): Promise<void> => {
    const c = await startCampaign({
      image_id: image.value,
      device_ids: picked.value,
      wave_size: waves.value === "waves" ? Number(size.value) : 0,
      max_failed_percent: waves.value === "waves" ? Number(halt.value) : 100,
      expire_in_mins: Number(patience.value),
      ...(later.value && at.value && { start_at: new Date(at.value).toISOString() }),
    });
    if (c.skipped?.length) begun.value = c;
    else {
      say(t("campaign.started"));
      go("/app/updates/" + c.id);
    }
  };
  const made = begun.value;
  if (made) return <Skipped c={made} names={new Map(list.data.value?.map((d) => [d.id, d.name]))} />;
  const boards = [...new Set(devices?.filter((d) => picked.value.includes(d.id)).map((d) => d.label))];
  return (
    <>
      <Head title={t("campaigns.add")} crumb={crumb()} />
      <Failure error={list.error.value ?? images.error.value} again={() => void Promise.all([list.reload(), images.reload()])} />
      {!devices || !images.data.value ? (
        !list.error.value && <Skeleton kind="block" rows={3} />
      ) : (
        <form
          class="stack formpage"
          onSubmit={(e) => {
            e.preventDefault();
            if (picked.value.length) void act.run(start);
          }}
        >
          {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
          <Panel title={t("campaign.program")}>
            <Field label={t("ota.image")} hint={images.data.value.length ? undefined : t("programs.none")}>
              {(f) => (
                <div class="setter-row grow">
                  <select {...f} required value={image.value} onChange={(e) => (image.value = e.currentTarget.value)}>
                    <option value="">{t("choose")}</option>
                    {images.data.value?.map((i) => (
                      <option key={i.id} value={i.id}>
                        {i.name || i.id} ({i.board})
                      </option>
                    ))}
                  </select>
                  <Button icon="plus" onClick={() => (storing.value = true)}>
                    {t("programs.add")}
                  </Button>
                </div>
              )}
            </Field>
          </Panel>
          <Panel title={t("campaign.boards")}>
            {devices.length ? <PickList legend={t("campaign.choose")} all={devices.map((d) => ({ id: d.id, name: d.name, about: d.label, ...(d.tags && { tags: d.tags }) }))} picked={picked.value} onChange={(ids) => (picked.value = ids)} /> : <p class="soft">{t("campaign.noboards")}</p>}
            {boards.length > 1 && <Note kind="warn">{t("campaign.mixed", { boards: boards.join(", ") })}</Note>}
          </Panel>
          <Panel title={t("campaign.how")}>
            <Choice
              legend={t("campaign.waves")}
              value={waves.value}
              onChange={(v) => (waves.value = v)}
              options={[
                { value: "all", label: t("campaign.waves.all") },
                { value: "waves", label: t("campaign.waves.some"), hint: t("campaign.waves.hint") },
              ]}
            />
            {waves.value === "waves" && (
              <div class="pair">
                <Field label={t("campaign.size")} hint={picked.value.length ? tn("campaign.waves.n", Math.ceil(picked.value.length / Math.max(1, Number(size.value)))) : undefined}>
                  {(f) => <input {...f} type="number" min={1} max={100000} step={1} required value={size.value} onInput={(e) => (size.value = e.currentTarget.value)} />}
                </Field>
                <Field label={t("campaign.halt")} hint={t("campaign.halt.hint")}>
                  {(f) => <input {...f} type="number" min={0} max={100} step={1} required value={halt.value} onInput={(e) => (halt.value = e.currentTarget.value)} />}
                </Field>
              </div>
            )}
            <PatienceChoice value={patience.value} onChange={(p) => (patience.value = p)} />
            <Check label={t("campaign.later")} checked={later.value} onChange={(on) => (later.value = on)} />
            {later.value && <Field label={t("campaign.at")}>{(f) => <input {...f} type="datetime-local" required value={at.value} onInput={(e) => (at.value = e.currentTarget.value)} />}</Field>}
          </Panel>
          <div class="acts formacts">
            <ButtonLink href="/app/updates">{t("cancel")}</ButtonLink>
            <Button kind="main" type="submit" icon="update" busy={act.busy.value} disabled={!picked.value.length}>
              {picked.value.length ? tn("campaign.start", picked.value.length) : t("campaign.start.none")}
            </Button>
          </div>
        </form>
      )}
      {storing.value && (
        <StoreDialog
          onClose={() => (storing.value = false)}
          onStored={(i) => {
            storing.value = false;
            void images.reload().then(() => (image.value = i.id));
          }}
        />
      )}
    </>
  );
}

// Skipped says which boards are left out, and why.
function Skipped({ c, names }: { c: Campaign; names: Map<string, string> }) {
  return (
    <>
      <Head title={t("campaign.started")} crumb={crumb()} />
      <Note kind="warn">
        <p>{tn("campaign.skipped", c.skipped?.length ?? 0)}</p>
      </Note>
      <ul class="rows sheet">
        {c.skipped?.map((s) => (
          <li key={s.device_id}>
            <div class="what">
              <b>{names.get(s.device_id) ?? s.device_id}</b>
              <span>{s.detail}</span>
            </div>
          </li>
        ))}
      </ul>
      <div class="acts">
        <ButtonLink kind="main" href={"/app/updates/" + c.id}>
          {t("campaign.to")}
        </ButtonLink>
      </div>
    </>
  );
}
