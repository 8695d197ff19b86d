import { useSignal } from "@preact/signals";
import { moment } from "../../format";
import { cloneThing, deleteThing, restoreThing, tagThing, type Thing, untagThing, updateThing } from "../../model/thing";
import { go, type Params } from "../../router";
import { mayWrite } from "../../session";
import { t, tn } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { confirm } from "../../ui/Confirm";
import { CopyText } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { Check, Field } from "../../ui/Field";
import { Note } from "../../ui/Note";
import { Facts, Panel } from "../../ui/Page";
import { Rename } from "../../ui/Rename";
import { TagEditor } from "../../ui/Tag";
import { say } from "../../ui/Toast";
import { Webhooks } from "../hooks/Webhooks";
import { Frame, type Shown } from "./Frame";

export default function About({ params }: { params: Params }) {
  return <Frame params={params}>{(s) => <Found {...s} />}</Frame>;
}

function Found({ thing, reload, writes }: Shown) {
  const renaming = useSignal(false);
  const cloning = useSignal(false);
  const act = useAct();
  const remove = async (): Promise<void> => {
    if (!(await confirm({ title: t("thing.delete.title", { name: thing.name }), text: t("thing.delete.text"), action: t("delete"), danger: true, typed: thing.name }))) return;
    if (await act.run(() => deleteThing(thing.id))) {
      say(t("thing.deleted", { name: thing.name }), () => void restoreThing(thing.id).then(() => go("/app/things/" + thing.id)));
      go("/app/things");
    }
  };
  return (
    <div class="columns">
      <div class="stack wide">
        <Panel
          title={t("thing.identity")}
          actions={
            writes && (
              <Button small icon="edit" onClick={() => (renaming.value = true)}>
                {t("rename")}
              </Button>
            )
          }
        >
          <Facts
            all={[
              [t("thing.id"), <CopyText text={thing.id} label={t("copy.what", { what: t("thing.id") })} />],
              [t("col.device"), thing.device_id ? <a href={"/app/devices/" + thing.device_id}>{thing.device_name}</a> : t("thing.nodevice")],
              [t("setup.properties"), tn("things.properties", thing.properties_count)],
              [t("thing.zone"), thing.timezone],
              [t("thing.made"), moment(thing.created_at, thing.timezone)],
              [t("thing.changed"), moment(thing.updated_at, thing.timezone)],
            ]}
          />
        </Panel>
        <Webhooks thing={thing} device={thing.device_id ? { id: thing.device_id, name: thing.device_name || thing.device_id } : undefined} writes={writes} reload={reload} />
      </div>
      <div class="stack">
        <Panel title={t("tags.title")}>
          <TagEditor tags={thing.tags} fixed={!writes} set={(k, v) => tagThing(thing.id, k, v).then(reload)} drop={(k) => untagThing(thing.id, k).then(reload)} />
        </Panel>
        {mayWrite.value && writes && (
          <Panel title={t("thing.more")}>
            {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
            <div class="acts">
              <Button icon="clone" onClick={() => (cloning.value = true)}>
                {t("clone")}
              </Button>
              <Button kind="danger" icon="trash" busy={act.busy.value} onClick={() => void remove()}>
                {t("delete")}
              </Button>
            </div>
          </Panel>
        )}
      </div>
      {renaming.value && (
        <Rename
          title={t("thing.rename")}
          name={thing.name}
          hint={t("thing.name.hint")}
          onClose={() => (renaming.value = false)}
          save={async (name) => {
            await updateThing(thing.id, { name });
            await reload();
          }}
        />
      )}
      {cloning.value && <Clone thing={thing} onClose={() => (cloning.value = false)} />}
    </div>
  );
}

function Clone({ thing, onClose }: { thing: Thing; onClose: () => void }) {
  const name = useSignal(t("clone.name", { name: thing.name }).slice(0, 64));
  const tags = useSignal(true);
  const act = useAct();
  const make = async (): Promise<void> => {
    const made = await cloneThing(thing.id, name.value.trim(), tags.value);
    say(t("clone.done", { name: made.name }));
    go("/app/things/" + made.id);
  };
  return (
    <Dialog
      title={t("clone.title", { name: thing.name })}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" form="clone" busy={act.busy.value}>
            {t("clone")}
          </Button>
        </>
      }
    >
      <form
        id="clone"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          void act.run(make);
        }}
      >
        {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
        <p class="soft">{t("clone.text")}</p>
        <Field label={t("col.name")} hint={t("thing.name.hint")}>
          {(f) => <input {...f} type="text" required maxLength={64} autocomplete="off" value={name.value} onInput={(e) => (name.value = e.currentTarget.value)} />}
        </Field>
        <Check label={t("clone.tags")} checked={tags.value} onChange={(on) => (tags.value = on)} />
      </form>
    </Dialog>
  );
}
