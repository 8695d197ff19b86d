import { useSignal } from "@preact/signals";
import { Toggle } from "../../control/Toggle";
import { useQuery } from "../../data";
import { deleteHook, type Hook, nameOf, listHooks, mostOfDevice, newKey, type Owner, turnHook } from "../../model/hook";
import type { Thing } from "../../model/thing";
import { mayWrite } from "../../session";
import { t, tn, tx } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { confirm } from "../../ui/Confirm";
import { useEvery } from "../../ui/every";
import { Menu } from "../../ui/Menu";
import { Failure, Note } from "../../ui/Note";
import { Panel } from "../../ui/Page";
import { Skeleton } from "../../ui/Skeleton";
import { say } from "../../ui/Toast";
import { Key } from "./Key";
import { State } from "./State";
import { WebhookDialog } from "./WebhookDialog";

interface Props {
  thing?: Thing;
  device?: { id: string; name: string } | undefined; // of the thing, or the one that the page is about
  writes: boolean;
  reload: () => Promise<void>; // of the page
}

// Webhooks are who outside is told of values: of a thing, its own webhook and those of its device; of a device, its own.
export function Webhooks(p: Props) {
  if (mayWrite.value) return <Seen {...p} />;
  return (
    <Panel title={t("hooks.title")}>
      <p class="soft">{t("hooks.viewer")}</p>
    </Panel>
  );
}

function Seen({ thing, device, writes, reload }: Props) {
  const own = thing?.webhook_uri ? thing.id : "";
  const list = useQuery(`hooks:${own}:${device?.id ?? ""}`, (s) => listHooks(own, device?.id ?? "", s));
  const adding = useSignal(false);
  const moving = useSignal<Hook | undefined>(undefined);
  const key = useSignal<Hook | undefined>(undefined);
  const act = useAct();
  const all = list.data.value;
  useEvery(3000, !!all?.length, () => void list.reload());
  const after = async (): Promise<void> => {
    await reload();
    await list.reload();
  };
  const free: Owner[] = [];
  if (thing && !own) free.push({ thing: thing.id });
  if (device && (all ?? []).filter((h) => h.device_id).length < mostOfDevice) free.push({ device: device.id });
  const turn = async (h: Hook, on: boolean): Promise<void> => {
    if (!on && h.health.queued > 0 && !(await confirm({ title: t("hook.pause.title", { name: nameOf(h.uri) }), text: tn("hook.pause.text", h.health.queued), action: t("hook.pause"), danger: true }))) return;
    if (await act.run(() => turnHook(h, on))) await after();
  };
  const renew = async (h: Hook): Promise<void> => {
    if (!(await confirm({ title: t("hook.key.new.title"), text: t("hook.key.new.text"), action: t("hook.key.new") }))) return;
    if (await act.run(async () => (key.value = await newKey(h)))) await list.reload();
  };
  const remove = async (h: Hook): Promise<void> => {
    const name = nameOf(h.uri);
    if (!(await confirm({ title: t("hook.delete.title", { name }), text: t("hook.delete.text"), action: t("delete"), danger: true }))) return;
    if (!(await act.run(() => deleteHook(h)))) return;
    say(t("hook.deleted", { name }));
    await after();
  };
  return (
    <Panel
      title={t("hooks.title")}
      actions={
        writes &&
        all &&
        free.length > 0 && (
          <Button small icon="plus" onClick={() => (adding.value = true)}>
            {t("hook.add")}
          </Button>
        )
      }
    >
      {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
      <Failure error={list.error.value} again={() => void list.reload()} />
      {!all && !list.error.value && <Skeleton rows={1} />}
      {all && !all.length && <p class="soft">{t(thing ? "hooks.none" : "hooks.none.device")}</p>}
      {all && all.length > 0 && (
        <ul class="rows hooks">
          {all.map((h) => (
            <li key={h.id}>
              <div class="what">
                <code>{h.uri}</code>
                <State h={h} zone={thing?.timezone} />
                {thing && device && h.device_id && <span>{tx("hook.of.device", { device: <a href={"/app/devices/" + device.id}>{device.name}</a> })}</span>}
              </div>
              {writes && (
                <div class="acts">
                  <Toggle on={h.active} label={t("hook.switch", { name: nameOf(h.uri) })} busy={act.busy.value} onChange={(on) => void turn(h, on)} />
                  <Menu
                    label={t("hook.acts", { name: nameOf(h.uri) })}
                    groups={[
                      {
                        items: [
                          { label: t("hook.move"), icon: "edit", onPick: () => (moving.value = h) },
                          { label: t("hook.key"), icon: "key", onPick: () => (key.value = h) },
                          { label: t("hook.key.new"), icon: "redo", onPick: () => void renew(h) },
                        ],
                      },
                      { items: [{ label: t("delete"), icon: "trash", danger: true, onPick: () => void remove(h) }] },
                    ]}
                  />
                </div>
              )}
            </li>
          ))}
        </ul>
      )}
      <p class="hint">
        {thing && own && !device ? t("hooks.full") + " " : ""}
        {tx("hooks.check", { docs: <a href="/docs/api#webhooks">{t("hooks.docs")}</a> })}
      </p>
      {adding.value && (
        <WebhookDialog
          free={free}
          onClose={() => (adding.value = false)}
          onSaved={async (made) => {
            adding.value = false;
            key.value = made;
            await after();
          }}
        />
      )}
      {moving.value && (
        <WebhookDialog
          hook={moving.value}
          free={[]}
          onClose={() => (moving.value = undefined)}
          onSaved={async () => {
            moving.value = undefined;
            say(t("saved"));
            await after();
          }}
        />
      )}
      {key.value && <Key h={key.value} onClose={() => (key.value = undefined)} />}
    </Panel>
  );
}
