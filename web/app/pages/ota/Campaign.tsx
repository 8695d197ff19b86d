import { useSignal } from "@preact/signals";
import { Problem } from "../../api";
import { type Query, useQuery } from "../../data";
import { bytes, moment } from "../../format";
import { listDevices } from "../../model/device";
import { campaignUpdates, cancelCampaign, type Campaign as Shape, getCampaign, listImages, over, resumeCampaign, startCampaign, type Update } from "../../model/ota";
import { go, type Params } from "../../router";
import { mayWrite } from "../../session";
import { t, tn } from "../../text";
import { useAct } from "../../ui/act";
import { Button, ButtonLink } from "../../ui/Button";
import { confirm } from "../../ui/Confirm";
import { Empty } from "../../ui/Empty";
import { useEvery } from "../../ui/every";
import { Failure, Note } from "../../ui/Note";
import { Facts, Head, Panel } from "../../ui/Page";
import { Skeleton } from "../../ui/Skeleton";
import { say } from "../../ui/Toast";
import { StatusWord } from "./Course";
import { count, StateWord, Tallies } from "./Tallies";
import { why } from "./why";

const crumb = () => ({ href: "/app/updates", label: t("campaigns.title") });

export default function Campaign({ params }: { params: Params }) {
  const id = params.id ?? "";
  const found = useQuery("ota:campaign:" + id, (s) => getCampaign(id, s));
  const err = found.error.value;
  if (found.data.value) return <Found c={found.data.value} found={found} />;
  return (
    <>
      <Head title={err ? t("campaign.none") : t("campaign.title")} crumb={crumb()} />
      {err instanceof Problem && err.status === 404 ? (
        <Empty icon="update" title={err.detail} actions={<ButtonLink href="/app/updates">{t("campaigns.to")}</ButtonLink>}>
          <p>{t("missing.text")}</p>
        </Empty>
      ) : err ? (
        <Failure error={err} again={() => void found.reload()} />
      ) : (
        <Skeleton kind="block" rows={3} />
      )}
    </>
  );
}

function Found({ c, found }: { c: Shape; found: Query<Shape> }) {
  const updates = useQuery("ota:campaign:updates:" + c.id, (s) => campaignUpdates(c.id, s));
  const image = useQuery("ota:images", listImages).data.value?.find((i) => i.id === c.image_id);
  const act = useAct();
  const going = c.state === "running";
  const tally = c.tally ?? [];
  const reload = async (): Promise<void> => void (await Promise.all([found.reload(), updates.reload()]));
  // The two answers are of different moments: it is asked until both say that all is over.
  const open = count(tally, "in_progress") + count(tally, "pending") > 0 || !!updates.data.value?.some((u) => !over(u.status));
  useEvery(2000, going || (open && c.state !== "halted"), () => void reload());
  const failed = (updates.data.value ?? []).filter((u) => u.status === "failed" || u.status === "expired");
  const cancel = async (): Promise<void> => {
    if (!(await confirm({ title: t("campaign.cancel.title"), text: t("campaign.cancel.text"), action: t("campaign.cancel"), no: t("confirm.back"), danger: true }))) return;
    await act.run(() => cancelCampaign(c.id));
    await reload();
  };
  const retry = async (): Promise<void> => {
    const ids = failed.map((u) => u.device_id);
    if (!(await confirm({ title: tn("campaign.retry.title", ids.length), text: t("campaign.retry.text"), action: t("campaign.retry") }))) return;
    await act.run(async () => {
      const next = await startCampaign({ image_id: c.image_id, device_ids: ids, wave_size: c.wave_size, max_failed_percent: c.max_failed_percent, expire_in_mins: 1440 });
      say(t("campaign.started"));
      go("/app/updates/" + next.id);
    });
  };
  return (
    <>
      <Head title={image?.name || t("campaign.title")} crumb={crumb()} about={<><StateWord state={c.state} /> <span>{moment(c.created_at)}</span></>}>
        {mayWrite.value && (
          <>
            {(going || c.state === "halted") && (
              <Button kind="danger" busy={act.busy.value} onClick={() => void cancel()}>
                {t("campaign.cancel")}
              </Button>
            )}
            {c.state === "halted" && (
              <Button kind="main" icon="play" busy={act.busy.value} onClick={() => void act.run(() => resumeCampaign(c.id)).then(reload)}>
                {t("campaign.resume")}
              </Button>
            )}
            {!going && c.state !== "halted" && failed.length > 0 && image && (
              <Button kind="main" icon="restore" busy={act.busy.value} onClick={() => void retry()}>
                {t("campaign.retry")}
              </Button>
            )}
          </>
        )}
      </Head>
      <Failure error={found.error.value} again={() => void found.reload()} />
      {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
      {c.state === "halted" && <Note kind="warn">{t("campaign.halted.text", { n: c.max_failed_percent })}</Note>}
      <Panel>
        <Tallies all={tally} />
        <Facts
          all={[
            [t("campaign.boards"), String(c.devices)],
            [t("campaign.wave"), t("campaign.wave.of", { n: c.wave, of: c.waves })],
            [t("campaign.program"), image ? `${image.name || image.id} · ${bytes(image.file_size)}` : t("campaign.image.gone")],
            [t("campaign.for"), image && <code>{image.board}</code>],
            [t("campaign.ended"), c.ended_at && moment(c.ended_at)],
          ]}
        />
        {c.waves > 1 && <Waves c={c} />}
      </Panel>
      <Boards updates={updates} failed={failed} />
    </>
  );
}

function Waves({ c }: { c: Shape }) {
  return (
    <details>
      <summary>{t("campaign.bywave")}</summary>
      <ol class="waves">
        {Array.from({ length: c.waves }, (_, i) => (
          <li key={i}>
            <span>{t("campaign.wave.n", { n: i + 1 })}</span>
            <Tallies all={(c.tally ?? []).filter((one) => one.wave === i + 1)} />
          </li>
        )).slice(0, 50)}
      </ol>
    </details>
  );
}

const shownAtOnce = 50;

function Boards({ updates, failed }: { updates: Query<Update[]>; failed: Update[] }) {
  const names = new Map(useQuery("devices", (s) => listDevices(s)).data.value?.map((d) => [d.id, d.name]));
  const most = useSignal(shownAtOnce);
  const all = updates.data.value;
  if (!all) return updates.error.value ? <Failure error={updates.error.value} again={() => void updates.reload()} /> : <Skeleton rows={3} />;
  const rest = all.filter((u) => !failed.includes(u));
  const sorted = [...failed, ...rest.filter((u) => u.status === "in_progress"), ...rest.filter((u) => u.status !== "in_progress")];
  return (
    <Panel title={failed.length ? tn("campaign.failed", failed.length) : t("campaign.boards")}>
      <ul class="rows fixed">
        {sorted.slice(0, most.value).map((u) => (
          <li key={u.id}>
            <div class="what">
              <a class="strong" href={"/app/devices/" + u.device_id}>
                {names.get(u.device_id) ?? u.device_id}
              </a>
              {u.status === "failed" && (
                <span>
                  <code>{u.error_reason}</code> {why(u.error_reason ?? "")}
                </span>
              )}
              {u.status === "in_progress" && <span>{t("ota.fetched", { done: bytes(u.fetched), all: bytes(u.firmware_size) })}</span>}
            </div>
            <StatusWord status={u.status} />
          </li>
        ))}
      </ul>
      {sorted.length > most.value && (
        <div>
          <Button small onClick={() => (most.value += 200)}>
            {t("more")}
          </Button>
        </div>
      )}
    </Panel>
  );
}
