import { useSignal } from "@preact/signals";
import { words } from "../../api";
import { type Query, useQuery } from "../../data";
import { bytes } from "../../format";
import { type Campaign, deleteImage, type Image, listCampaigns, listImages } from "../../model/ota";
import { mayWrite } from "../../session";
import { t, tn } from "../../text";
import { Ago } from "../../ui/Ago";
import { Button, ButtonLink } from "../../ui/Button";
import { confirm } from "../../ui/Confirm";
import { Empty } from "../../ui/Empty";
import { useEvery } from "../../ui/every";
import { type Column, ListTable } from "../../ui/List";
import { Failure } from "../../ui/Note";
import { Head, Panel } from "../../ui/Page";
import { Skeleton } from "../../ui/Skeleton";
import { complain, say } from "../../ui/Toast";
import { StoreDialog } from "./StoreDialog";
import { StateWord } from "./Tallies";

const columns = (): Column[] => [{ label: t("campaign.program") }, { label: t("col.status") }, { label: t("campaign.boards"), end: true }, { label: t("campaign.wave"), end: true }, { label: t("campaign.begun"), end: true }];

// Campaigns lists updates of many boards, and the programs that are kept for them.
export default function Campaigns() {
  const list = useQuery("ota:campaigns", listCampaigns);
  const images = useQuery("ota:images", listImages);
  const all = list.data.value;
  useEvery(5000, !!all?.some((c) => c.state === "running"), () => void list.reload());
  const name = (c: Campaign): string => images.data.value?.find((i) => i.id === c.image_id)?.name || t("campaign.image.gone");
  return (
    <>
      <Head title={t("campaigns.title")} crumb={{ href: "/app/devices", label: t("devices.title") }} about={t("campaigns.about")}>
        {mayWrite.value && all && all.length > 0 && (
          <ButtonLink kind="main" icon="plus" href="/app/updates/new">
            {t("campaigns.add")}
          </ButtonLink>
        )}
      </Head>
      <Failure error={list.error.value} again={() => void list.reload()} />
      {!all || !images.data.value ? (
        !list.error.value && <Skeleton rows={4} />
      ) : all.length ? (
        <ListTable shown={all.map((c) => ({ ...c, name: name(c) }))} picked={undefined} columns={columns()} cells={(c) => <Cells c={c} />} />
      ) : (
        <Empty
          icon="update"
          title={t("campaigns.none")}
          actions={
            mayWrite.value && (
              <ButtonLink kind="main" icon="plus" href="/app/updates/new">
                {t("campaigns.add")}
              </ButtonLink>
            )
          }
        >
          <p>{t("campaigns.none.text")}</p>
        </Empty>
      )}
      {images.data.value && <Programs images={images} />}
    </>
  );
}

function Cells({ c }: { c: Campaign & { name: string } }) {
  return (
    <>
      <th scope="row">
        <a class="rowlink" href={"/app/updates/" + c.id}>
          {c.name}
        </a>
      </th>
      <td>
        <StateWord state={c.state} />
      </td>
      <td class="end" data-label={t("campaign.boards")}>
        {c.devices}
      </td>
      <td class="end" data-label={t("campaign.wave")}>
        {t("campaign.wave.of", { n: c.wave, of: c.waves })}
      </td>
      <td class="end soft" data-label={t("campaign.begun")}>
        <Ago at={c.created_at} />
      </td>
    </>
  );
}

function Programs({ images }: { images: Query<Image[]> }) {
  const adding = useSignal(false);
  const all = (images.data.value ?? []).filter((i) => i.lasting);
  const drop = async (i: Image): Promise<void> => {
    if (!(await confirm({ title: t("program.delete.title", { name: i.name || i.id }), text: t("program.delete.text"), action: t("delete"), danger: true }))) return;
    try {
      await deleteImage(i.id);
      say(t("program.deleted", { name: i.name || i.id }));
    } catch (err) {
      complain(words(err));
    }
    await images.reload();
  };
  return (
    <Panel
      title={t("programs.title")}
      actions={
        mayWrite.value && (
          <Button small icon="plus" onClick={() => (adding.value = true)}>
            {t("programs.add")}
          </Button>
        )
      }
    >
      {all.length ? (
        <ul class="rows">
          {all.map((i) => (
            <li key={i.id}>
              <div class="what">
                <b>{i.name || i.id}</b>
                <span>
                  <code>{i.board}</code> · {bytes(i.file_size)} · <Ago at={i.created_at} />
                </span>
              </div>
              {mayWrite.value && <Button small kind="danger" icon="trash" label={t("program.delete", { name: i.name || i.id })} onClick={() => void drop(i)} />}
            </li>
          ))}
        </ul>
      ) : (
        <p class="soft">{t("programs.none")}</p>
      )}
      <p class="sr" role="status">
        {tn("programs.count", all.length)}
      </p>
      {adding.value && (
        <StoreDialog
          onClose={() => (adding.value = false)}
          onStored={() => {
            adding.value = false;
            void images.reload();
          }}
        />
      )}
    </Panel>
  );
}
