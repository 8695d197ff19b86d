import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Problem } from "../../api";
import { useQuery } from "../../data";
import { kindOf } from "../../model/kind";
import { listThings } from "../../model/thing";
import { type ActionKind, createTrigger, getTrigger, type Linked, updateTrigger } from "../../model/trigger";
import { go, type Params, query } from "../../router";
import { mayWrite } from "../../session";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button, ButtonLink } from "../../ui/Button";
import { Empty } from "../../ui/Empty";
import { Field } from "../../ui/Field";
import { Failure, Note } from "../../ui/Note";
import { Head, Panel } from "../../ui/Page";
import { Skeleton } from "../../ui/Skeleton";
import { say } from "../../ui/Toast";
import { type Draft, fresh, wishOf as actionWish } from "./action";
import { ActionFields } from "./ActionFields";
import { type Made, Secret } from "./Secret";
import { empty, operators, type Source, sourceOf, wishOf } from "./source";
import { SourceFields } from "./SourceFields";
import { kindName } from "./words";

const crumb = () => ({ href: "/app/triggers", label: t("triggers.title") });

// Edit makes a trigger, with its first action, or changes what one watches.
export default function Edit({ params }: { params: Params }) {
  if (!mayWrite.value)
    return (
      <>
        <Head title={t("triggers.add")} crumb={crumb()} />
        <Note kind="warn">{t("read.only")}</Note>
      </>
    );
  return params.id ? <Change id={params.id} /> : <Form />;
}

function Change({ id }: { id: string }) {
  const found = useQuery("trigger:" + id, (s) => getTrigger(id, s));
  const err = found.error.value;
  if (found.data.value) return <Form x={found.data.value} />;
  return (
    <>
      <Head title={t("trigger.title")} crumb={crumb()} />
      {err instanceof Problem && err.status === 404 ? <Missing text={err.detail} /> : err ? <Failure error={err} again={() => void found.reload()} /> : <Skeleton kind="block" rows={2} />}
    </>
  );
}

export function Missing({ text }: { text: string }) {
  return (
    <Empty icon="bolt" title={text} actions={<ButtonLink href="/app/triggers">{t("triggers.to")}</ButtonLink>}>
      <p>{t("missing.text")}</p>
    </Empty>
  );
}

function Form({ x }: { x?: Linked }) {
  const things = useQuery("things", (s) => listThings(s)).data.value;
  const name = useSignal(x?.name ?? "");
  const about = useSignal(x?.description ?? "");
  const source = useSignal<Source>(x ? sourceOf(x) : { ...empty, thing: query("thing"), property: query("property") });
  const action = useSignal<Draft | undefined>(undefined);
  const made = useSignal<Made | undefined>(undefined);
  const act = useAct();
  const s = source.value;
  const properties = new Map((things ?? []).flatMap((one) => (one.properties ?? []).map((p) => [p.id, p] as const)));
  const kind = kindOf(properties.get(s.property)?.type ?? "");
  // A property that came with the address is of a type that is known only now.
  useEffect(() => {
    if (things && !x && s.property && kind === "text") source.value = { ...source.value, operator: operators.text[0]! };
  }, [!things]);
  const save = async (): Promise<void> => {
    const wish = { name: name.value.trim(), description: about.value.trim(), ...wishOf(s, kind) };
    if (x) {
      await updateTrigger(x.id, wish);
      say(t("saved"));
      go("/app/triggers/" + x.id);
      return;
    }
    const a = action.value;
    const t0 = await createTrigger({ ...wish, actions: a ? [actionWish(a, properties.get(a.property))] : [] });
    const secret = t0.actions[0]?.webhook?.secret;
    if (secret) made.value = { trigger: t0.id, secret };
    else go("/app/triggers/" + t0.id);
  };
  const near = ["invalid-trigger-name", "invalid-trigger-description", "invalid-trigger-source", "invalid-condition", "invalid-device-status-source", "device-not-found", "invalid-expression", "invalid-recipient", "invalid-webhook", "property-not-found", "property-read-only", "trigger-wrong-type", "wrong-kind", "out-of-range", "value-too-long"];
  const elsewhere = act.wrong.value && !near.includes(act.code.value);
  const ready = s.watch === "property" || s.offline !== undefined || s.online !== undefined;
  return (
    <>
      <Head title={x ? t("trigger.edit", { name: x.name }) : t("triggers.add")} crumb={x ? { href: "/app/triggers/" + x.id, label: x.name } : crumb()} />
      <form
        class="stack formpage"
        onSubmit={(e) => {
          e.preventDefault();
          if (ready) void act.run(save);
        }}
      >
        {elsewhere && <Note kind="bad">{act.wrong.value}</Note>}
        <Panel title={t("source.title")}>
          <SourceFields s={s} act={act} change={(some) => (source.value = { ...source.value, ...some })} />
        </Panel>
        {!x && <FirstAction d={action.value} act={act} status={s.watch === "status"} set={(d) => (action.value = d)} />}
        <Panel title={t("trigger.name.title")}>
          <Field label={t("col.name")} hint={t("trigger.name.hint")} error={act.at("invalid-trigger-name")}>
            {(f) => <input {...f} type="text" required maxLength={256} autocomplete="off" value={name.value} onInput={(e) => (name.value = e.currentTarget.value)} />}
          </Field>
          <Field label={t("trigger.about")} error={act.at("invalid-trigger-description")}>
            {(f) => <textarea {...f} class="prose" rows={2} maxLength={1000} value={about.value} onInput={(e) => (about.value = e.currentTarget.value)} />}
          </Field>
        </Panel>
        <div class="acts formacts">
          <ButtonLink href={x ? "/app/triggers/" + x.id : "/app/triggers"}>{t("cancel")}</ButtonLink>
          <Button kind="main" type="submit" busy={act.busy.value} disabled={!ready}>
            {x ? t("save") : t("trigger.make")}
          </Button>
        </div>
      </form>
      {made.value && <Secret made={made.value} onClose={() => go("/app/triggers/" + made.value?.trigger)} />}
    </>
  );
}

const kinds: ActionKind[] = ["NOTIFY-EMAIL", "NOTIFY-PUSH", "CALL-WEBHOOK", "SET-PROPERTY"];

function FirstAction({ d, act, status, set }: { d: Draft | undefined; act: ReturnType<typeof useAct>; status: boolean; set: (d: Draft | undefined) => void }) {
  return (
    <Panel title={t("actions.first")}>
      <div class="segments" role="group" aria-label={t("action.kind")}>
        {kinds.map((k) => (
          <button key={k} type="button" aria-pressed={d?.kind === k} onClick={() => set(fresh(k, status))}>
            {kindName(k)}
          </button>
        ))}
        <button type="button" aria-pressed={!d} onClick={() => set(undefined)}>
          {t("actions.later")}
        </button>
      </div>
      {d ? <ActionFields key={d.kind} d={d} act={act} status={status} change={(some) => set({ ...d, ...some })} /> : <p class="soft">{t("actions.later.text")}</p>}
    </Panel>
  );
}
