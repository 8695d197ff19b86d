import { useSignal } from "@preact/signals";
import { Problem } from "../../api";
import { type Query, useQuery } from "../../data";
import { num, shown } from "../../format";
import { kindOf } from "../../model/kind";
import { listThings, listTypes } from "../../model/thing";
import { type Action, type ActionKind, deleteAction, deleteTrigger, getMute, getTrigger, type Linked, listMembers, restoreTrigger, setMute, tagTrigger, untagTrigger } from "../../model/trigger";
import { hear } from "../../model/values";
import { go, type Params } from "../../router";
import { mayWrite, space } from "../../session";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button, ButtonLink } from "../../ui/Button";
import { confirm } from "../../ui/Confirm";
import { Empty } from "../../ui/Empty";
import { Icon } from "../../ui/Icon";
import { Menu } from "../../ui/Menu";
import { Failure, Note } from "../../ui/Note";
import { Facts, Head, Panel } from "../../ui/Page";
import { Skeleton } from "../../ui/Skeleton";
import { TagEditor } from "../../ui/Tag";
import { say } from "../../ui/Toast";
import { LastValue, unitsOf } from "../things/LastValue";
import { Toggle } from "../../control/Toggle";
import { type Draft, draftOf, fresh } from "./action";
import { ActionDialog } from "./ActionDialog";
import { Deliveries } from "./Deliveries";
import { Missing } from "./Edit";
import { Secret } from "./Secret";
import { Armed, Held } from "./Triggers";
import { kindIcon, kindName, type Known, known, linkedWords } from "./words";

const crumb = () => ({ href: "/app/triggers", label: t("triggers.title") });

export default function Trigger({ params }: { params: Params }) {
  const id = params.id ?? "";
  const found = useQuery("trigger:" + id, (s) => getTrigger(id, s));
  const err = found.error.value;
  const x = found.data.value;
  if (x) return <Found x={x} found={found} />;
  return (
    <>
      <Head title={err ? t("trigger.none") : t("trigger.title")} crumb={crumb()} />
      {err instanceof Problem && err.status === 404 ? <Missing text={err.detail} /> : err ? <Failure error={err} again={() => void found.reload()} /> : <Skeleton kind="block" rows={3} />}
    </>
  );
}

function Found({ x, found }: { x: Linked; found: Query<Linked> }) {
  const act = useAct();
  const reload = (): void => void found.reload();
  const watched = x.linked_property?.property.thing_id;
  const things = useQuery("things", (s) => listThings(s), { things: watched ? [watched] : [], onValues: hear }).data.value;
  const units = unitsOf(useQuery("types", listTypes).data.value);
  const remove = async (): Promise<void> => {
    if (!(await confirm({ title: t("trigger.delete.title", { name: x.name }), text: t("trigger.delete.text"), action: t("delete"), danger: true }))) return;
    if (!(await act.run(() => deleteTrigger(x.id)))) return;
    say(t("trigger.deleted", { name: x.name }), () => void restoreTrigger(x.id).then(() => go("/app/triggers/" + x.id)));
    go("/app/triggers");
  };
  return (
    <>
      <Head title={x.name} crumb={crumb()} about={x.description || " "}>
        {mayWrite.value && (
          <>
            <ButtonLink icon="edit" href={`/app/triggers/${x.id}/edit`}>
              {t("edit")}
            </ButtonLink>
            <Menu label={t("trigger.acts", { name: x.name })} groups={[{ items: [{ label: t("delete"), icon: "trash", danger: true, onPick: () => void remove() }] }]} />
          </>
        )}
      </Head>
      <Failure error={found.error.value} again={reload} />
      {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
      <Held />
      <div class="columns">
        <div class="stack wide">
          <Watched x={x} k={known(things, undefined, units)} />
          <Actions x={x} k={known(things, undefined, units)} reload={reload} />
        </div>
        <div class="stack">
          <Panel title={t("trigger.armed")}>
            <Armed id={x.id} name={x.name} on={x.active} after={reload} />
            <p class="hint">{x.active ? t("trigger.on.text") : t("trigger.off.text")}</p>
          </Panel>
          <Mute id={x.id} />
          <Panel title={t("tags.title")}>
            <TagEditor tags={x.tags} fixed={!mayWrite.value} set={(key, v) => tagTrigger(x.id, key, v).then(reload)} drop={(key) => untagTrigger(x.id, key).then(reload)} />
          </Panel>
        </div>
      </div>
    </>
  );
}

function Watched({ x, k }: { x: Linked; k: Known }) {
  const p = x.linked_property?.property;
  const thing = p && k.properties.get(p.id)?.thing;
  const unit = p && k.units.get(p.type);
  const hysteresis = x.condition?.hysteresis;
  return (
    <Panel title={t("source.title")}>
      <p class="sentence">{linkedWords(x, thing, unit)}</p>
      {hysteresis ? <p class="hint">{t("cond.back", { value: num(hysteresis) + (unit ? " " + unit : "") })}</p> : null}
      {x.linked_property?.status === "WRONG_TYPE" && <Note kind="warn">{t("watch.wrongtype")}</Note>}
      {(x.linked_property?.status === "DELETED" || (!p && !x.device_status_source)) && <Note kind="warn">{t("watch.deleted")}</Note>}
      {p && (
        <Facts
          all={[
            [t("source.now"), k.properties.has(p.id) ? <LastValue property={p} kind={kindOf(p.type)} unit={unit} zone={thing?.timezone} /> : ""],
            [t("col.thing"), thing && <a href={"/app/things/" + thing.id}>{thing.name}</a>],
          ]}
        />
      )}
      {x.device_status_source && x.device_status_source.linked_devices.length > 0 && (
        <ul class="linked">
          {x.device_status_source.linked_devices.slice(0, 20).map(({ device, status }) => (
            <li key={device.id}>{status === "DELETED" ? <span class="soft">{t("watch.device.deleted", { name: device.name })}</span> : <a href={"/app/devices/" + device.id}>{device.name}</a>}</li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

interface Open {
  action?: Action;
  first: Draft;
}

const kinds: ActionKind[] = ["NOTIFY-EMAIL", "NOTIFY-PUSH", "CALL-WEBHOOK", "SET-PROPERTY"];

function Actions({ x, k, reload }: { x: Linked; k: Known; reload: () => void }) {
  const open = useSignal<Open | undefined>(undefined);
  const secret = useSignal("");
  const act = useAct();
  const status = !!x.device_status_source;
  const remove = async (a: Action): Promise<void> => {
    if (!(await confirm({ title: t("action.delete.title", { name: a.name }), text: t("action.delete.text"), action: t("delete"), danger: true }))) return;
    if (await act.run(() => deleteAction(a.id))) reload();
  };
  return (
    <>
      {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
      {!x.actions.length && (
        <Panel title={t("actions.title")}>
          <Empty icon="bolt" title={t("actions.none")}>
            <p>{t("actions.none.text")}</p>
          </Empty>
        </Panel>
      )}
      {x.actions.map((a) => (
        <Panel
          key={a.id}
          title={a.name}
          actions={
            mayWrite.value && (
              <>
                <Button small icon="edit" label={t("action.edit", { name: a.name })} onClick={() => (open.value = { action: a, first: draftOf(a) })} />
                <Button small icon="trash" kind="danger" label={t("action.delete", { name: a.name })} onClick={() => void remove(a)} />
              </>
            )
          }
        >
          <About a={a} k={k} />
          <Deliveries action={a.id} name={a.name} among={x.actions.length} />
        </Panel>
      ))}
      {mayWrite.value && x.actions.length < 20 && (
        <div class="acts" role="group" aria-label={t("action.add")}>
          {kinds.map((kind) => (
            <Button key={kind} icon={kindIcon(kind)} onClick={() => (open.value = { first: fresh(kind, status) })}>
              {t("action.add.kind", { kind: kindName(kind) })}
            </Button>
          ))}
        </div>
      )}
      {open.value && (
        <ActionDialog
          trigger={x.id}
          action={open.value.action}
          first={open.value.first}
          status={status}
          onClose={() => (open.value = undefined)}
          onSaved={(made) => {
            open.value = undefined;
            secret.value = made ?? "";
            say(t("saved"));
            reload();
          }}
        />
      )}
      {secret.value && <Secret made={{ trigger: x.id, secret: secret.value }} onClose={() => (secret.value = "")} />}
    </>
  );
}

function About({ a, k }: { a: Action; k: Known }) {
  const here = space.value?.id ?? "";
  const members = useQuery("members:" + here, (s) => listMembers(here, s)).data.value;
  const name = (id: string): string => members?.find((m) => m.user === id)?.name ?? (members ? t("action.to.gone") : "…");
  const names = (all: { id: string }[] | undefined): string => (all ?? []).map((r) => name(r.id)).join(", ");
  const n = a.email ?? a.push_notification;
  const p = a.set_property && k.properties.get(a.set_property.property_id);
  return (
    <div class="about-action">
      <Icon name={kindIcon(a.kind)} size={22} />
      <div>
        <p class="strong">{kindName(a.kind)}</p>
        {a.email && <p class="soft">{[names(a.email.delivery.to), a.email.delivery.cc?.length && `${t("place.cc")}: ${names(a.email.delivery.cc)}`, a.email.delivery.bcc?.length && `${t("place.bcc")}: ${names(a.email.delivery.bcc)}`].filter(Boolean).join(" · ") || t("action.to.nobody")}</p>}
        {a.push_notification && <p class="soft">{names(a.push_notification.delivery.to) || t("action.to.nobody")}</p>}
        {n && <blockquote>{"subject" in n ? n.subject.expression : n.title.expression}{"\n"}{n.body.expression}</blockquote>}
        {a.webhook && <p class="breaks"><code>{a.webhook.url}</code></p>}
        {a.set_property && (
          <p>
            {p ? <a href={"/app/things/" + p.thing.id}>{p.thing.name}</a> : t("watch.gone")} · {t("action.set.short", { name: p?.property.name ?? "?", value: p ? shown(kindOf(p.property.type), a.set_property.value) : String(a.set_property.value) })}
          </p>
        )}
      </div>
    </div>
  );
}

// Mute is whether one wants to be written to oneself.
function Mute({ id }: { id: string }) {
  const mine = useQuery("trigger:mute:" + id, (s) => getMute(id, s));
  const act = useAct();
  const m = mine.data.value;
  if (!m) return null;
  const set = async (muted: boolean): Promise<void> => {
    await act.run(() => setMute(id, muted));
    await mine.reload();
  };
  return (
    <Panel title={t("mute.title")}>
      {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
      <Toggle on={!m.muted} label={t("mute.title")} text={m.muted ? t("mute.off") : t("mute.on")} busy={act.busy.value} onChange={(on) => void set(!on)} />
      <p class="hint">{t("mute.text")}</p>
    </Panel>
  );
}
