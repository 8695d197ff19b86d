import { useSignal } from "@preact/signals";
import { Problem } from "../../api";
import { useQuery } from "../../data";
import { listDevices } from "../../model/device";
import { listGroups } from "../../model/sync";
import { addProperty, deleteProperty, listTypes, type Property, updateProperty, updateThing, type Thing, type Type } from "../../model/thing";
import { type Params, query, setQuery } from "../../router";
import { t, tn } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { confirm } from "../../ui/Confirm";
import { Field } from "../../ui/Field";
import { Menu } from "../../ui/Menu";
import { Failure, Note } from "../../ui/Note";
import { Panel } from "../../ui/Page";
import { say } from "../../ui/Toast";
import { SyncDialog } from "../sync/SyncDialog";
import { Synced } from "../sync/Synced";
import { DeviceSelect } from "./Attach";
import { Frame, type Shown } from "./Frame";
import { PropertyForm } from "./PropertyForm";
import { ZoneSelect } from "./Zone";

export default function Setup({ params }: { params: Params }) {
  return (
    <Frame params={params}>
      {(s) => (
        <div class="columns">
          <div class="stack wide">
            <Properties {...s} />
          </div>
          <div class="stack">
            <Attachment {...s} />
            <Zone {...s} />
          </div>
        </div>
      )}
    </Frame>
  );
}

function Properties({ thing, reload, writes }: Shown) {
  const types = useQuery("types", listTypes);
  const editing = useSignal<Property | undefined>(undefined);
  const joining = useSignal("");
  const act = useAct();
  const all = thing.properties ?? [];
  const synced = all.some((p) => p.sync_id);
  const groups = useQuery(synced ? "syncs" : "syncs:none", (s) => (synced ? listGroups(s) : Promise.resolve([])));
  const groupOf = (p: Property) => groups.data.value?.find((g) => g.id === p.sync_id);
  const joins = all.find((p) => p.id === joining.value);
  const adding = query("add") !== "" && writes;
  const remove = async (p: Property): Promise<void> => {
    const text = [t("property.delete.text"), p.linked_to_trigger && t("property.delete.trigger")].filter(Boolean).join(" ");
    if (!(await confirm({ title: t("property.delete.title", { name: p.name }), text, action: t("delete"), danger: true }))) return;
    if (await act.run(() => deleteProperty(thing.id, p.id))) {
      say(t("property.deleted", { name: p.name }));
      await reload();
    }
  };
  return (
    <Panel
      title={t("setup.properties")}
      actions={
        writes && (
          <Button small kind="main" icon="plus" onClick={() => setQuery("add", "1")}>
            {t("property.add")}
          </Button>
        )
      }
    >
      {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
      <Failure error={groups.error.value} again={() => void groups.reload()} />
      {!all.length && <p class="soft">{t("setup.none")}</p>}
      {all.length > 0 && (
        <ul class="rows fixed">
          {all.map((p) => (
            <li key={p.id}>
              <div class="what">
                <b>{p.name}</b> <code>{p.variable_name}</code>
                <span>{describe(p, types.data.value)}</span>
                {p.sync_id && <Synced property={p.id} group={groupOf(p)} />}
              </div>
              {writes && (
                <div class="acts">
                  <Button small kind="quiet" icon="edit" label={t("property.edit.one", { name: p.name })} onClick={() => (editing.value = p)} />
                  <Menu
                    label={t("property.acts", { name: p.name })}
                    groups={[
                      { items: [{ label: t("sync.edit", { name: p.name }), icon: "link", onPick: () => (joining.value = p.id) }] },
                      { items: [{ label: t("property.delete.one", { name: p.name }), icon: "trash", danger: true, onPick: () => void remove(p) }] },
                    ]}
                  />
                </div>
              )}
            </li>
          ))}
        </ul>
      )}
      {all.length > 0 && <p class="hint">{tn("setup.count", all.length)}</p>}
      {adding && (
        <PropertyForm
          types={types.data.value ?? []}
          onClose={() => setQuery("add", "")}
          save={async (wish) => {
            await addProperty(thing.id, wish);
            await reload();
          }}
        />
      )}
      {editing.value && (
        <PropertyForm
          types={types.data.value ?? []}
          property={editing.value}
          onClose={() => (editing.value = undefined)}
          save={async (wish) => {
            if (editing.value) await updateProperty(thing.id, editing.value.id, wish);
            await reload();
          }}
        />
      )}
      {joins && (
        <SyncDialog
          property={joins}
          group={groupOf(joins)}
          types={types.data.value ?? []}
          reload={async () => {
            await reload();
            await groups.reload();
          }}
          onClose={() => (joining.value = "")}
        />
      )}
    </Panel>
  );
}

function describe(p: Property, types: Type[] | undefined): string {
  const type = types?.find((one) => one.type === p.type);
  const parts = [type ? (type.units[0] ? `${type.name} (${type.units[0]})` : type.name) : p.type, t(p.permission === "READ_ONLY" ? "permission.read" : "permission.write")];
  if (p.update_strategy === "TIMED") parts.push(t("strategy.timed.short", { n: p.update_parameter }));
  else parts.push(p.update_parameter ? t("strategy.change.by", { n: p.update_parameter }) : t("strategy.change.short"));
  if (!p.persist) parts.push(t("persist.not"));
  return parts.join(" · ");
}

function Attachment({ thing, reload, writes }: Shown) {
  const devices = useQuery("devices", (s) => listDevices(s));
  const chosen = useSignal<string | undefined>(undefined);
  const act = useAct();
  const value = chosen.value ?? thing.device_id ?? "";
  const attach = async (): Promise<void> => {
    const wish = { device_id: value };
    try {
      await updateThing(thing.id, wish);
    } catch (err) {
      if (!(err instanceof Problem) || err.code !== "device-attached") throw err;
      if (!(await confirm({ title: t("attach.taken"), text: t("attach.taken.text"), action: t("attach.take") }))) return;
      await updateThing(thing.id, wish, true);
    }
    chosen.value = undefined;
    say(value ? t("attach.done") : t("attach.undone"));
    await reload();
  };
  return (
    <Panel title={t("col.device")}>
      <form
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          void act.run(attach);
        }}
      >
        {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
        {writes ? (
          <>
            <Field label={t("attach.label")} hint={t("attach.hint")}>
              {(f) => <DeviceSelect control={f} all={withOwn(devices.data.value ?? [], thing)} value={value} onChange={(v) => (chosen.value = v)} />}
            </Field>
            <div>
              <Button type="submit" icon={value ? "link" : "unlink"} busy={act.busy.value} disabled={value === (thing.device_id ?? "")}>
                {value || !thing.device_id ? t("attach.do") : t("attach.undo")}
              </Button>
            </div>
          </>
        ) : (
          <p>{thing.device_name || t("thing.nodevice")}</p>
        )}
      </form>
    </Panel>
  );
}

// withOwn puts the device that is attached into the list while the list is not there yet.
function withOwn(all: Awaited<ReturnType<typeof listDevices>>, thing: Thing): typeof all {
  if (!thing.device_id || all.some((d) => d.id === thing.device_id)) return all;
  return [...all, { id: thing.device_id, name: thing.device_name ?? thing.device_id, type: "", label: "", serial: "", user_id: "", device_status: "UNKNOWN", locked: false, no_sketch: false, ota_available: false, ota_compatible: false }];
}

function Zone({ thing, reload, writes }: Shown) {
  const chosen = useSignal<string | undefined>(undefined);
  const act = useAct();
  const value = chosen.value ?? thing.timezone;
  const save = async (): Promise<void> => {
    await updateThing(thing.id, { timezone: value });
    chosen.value = undefined;
    say(t("saved"));
    await reload();
  };
  return (
    <Panel title={t("thing.zone")}>
      <form
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          void act.run(save);
        }}
      >
        {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
        {writes ? (
          <>
            <Field label={t("thing.zone.label")} hint={t("thing.zone.hint")}>
              {(f) => <ZoneSelect control={f} value={value} onChange={(v) => (chosen.value = v)} />}
            </Field>
            <div>
              <Button type="submit" busy={act.busy.value} disabled={value === thing.timezone}>
                {t("save")}
              </Button>
            </div>
          </>
        ) : (
          <p>{thing.timezone}</p>
        )}
      </form>
    </Panel>
  );
}
