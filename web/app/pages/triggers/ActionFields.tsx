import { useLayoutEffect, useRef } from "preact/hooks";
import { useQuery } from "../../data";
import { kindOf } from "../../model/kind";
import { listThings } from "../../model/thing";
import { listMembers, type Member } from "../../model/trigger";
import { space } from "../../session";
import { t, type Key } from "../../text";
import type { Act } from "../../ui/act";
import { Choice, Field } from "../../ui/Field";
import { Failure, Note } from "../../ui/Note";
import { Skeleton } from "../../ui/Skeleton";
import { PropertySelect } from "../things/PropertySelect";
import { type Draft, type Place, settable } from "./action";
import { ThingSelect } from "./SourceFields";

interface Props {
  d: Draft;
  act: Act;
  status: boolean; // the trigger watches devices, not a property
  change: (some: Partial<Draft>) => void;
}

// ActionFields are what one action needs.
export function ActionFields(p: Props) {
  switch (p.d.kind) {
    case "NOTIFY-EMAIL":
    case "NOTIFY-PUSH":
      return <NoticeFields {...p} />;
    case "CALL-WEBHOOK":
      return <WebhookFields {...p} />;
    case "SET-PROPERTY":
      return <SetFields {...p} />;
  }
}

function NoticeFields(p: Props) {
  const { d, act, change } = p;
  const email = d.kind === "NOTIFY-EMAIL";
  const last = useRef<HTMLInputElement | HTMLTextAreaElement | null>(null);
  const error = act.at("invalid-expression");
  const title = d.title.expression;
  const body = d.body.expression;
  // Where the cursor was last, there a place is put.
  const insert = (place: string): void => {
    const field = last.current;
    const text = `{${place}}`;
    const at = field?.selectionStart ?? 0;
    const put = (had: string): string => (field ? had.slice(0, at) + text + had.slice(field.selectionEnd ?? at) : had + text);
    if (field instanceof HTMLInputElement) change({ title: { ...d.title, expression: put(title) } });
    else change({ body: { ...d.body, expression: put(body) } });
    requestAnimationFrame(() => {
      field?.focus();
      field?.setSelectionRange(at + text.length, at + text.length);
    });
  };
  return (
    <>
      {!email && (
        <Note>
          <p>{t("action.push.hint")}</p>
          <a href="/app/notices">{t("notices.title")}</a>
        </Note>
      )}
      <Recipients {...p} copies={email} />
      <Field label={email ? t("action.subject") : t("action.push.title")}>
        {(f) => <input {...f} type="text" maxLength={100} autocomplete="off" value={title} onFocus={(e) => (last.current = e.currentTarget)} onInput={(e) => change({ title: { ...d.title, expression: e.currentTarget.value } })} />}
      </Field>
      <Field label={t("action.body")} error={error}>
        {(f) => <textarea {...f} class="prose" rows={4} maxLength={1000} value={body} onFocus={(e) => (last.current = e.currentTarget)} onInput={(e) => change({ body: { ...d.body, expression: e.currentTarget.value } })} />}
      </Field>
      <Places status={p.status} insert={insert} />
    </>
  );
}

const ofProperty: [string, Key][] = [
  ["variable.value", "place.value"],
  ["variable.name", "place.name"],
  ["variable.timestamp", "place.time"],
  ["thing.name", "place.thing"],
  ["device.name", "place.device"],
  ["recipient.name", "place.recipient"],
];
const ofStatus: [string, Key][] = [
  ["device.name", "place.device"],
  ["device.status", "place.status"],
  ["device.timestamp", "place.time"],
  ["device.id", "place.id"],
  ["recipient.name", "place.recipient"],
];

function Places({ status, insert }: { status: boolean; insert: (place: string) => void }) {
  return (
    <fieldset class="places">
      <legend>{t("places.title")}</legend>
      <p class="hint">{t("places.hint")}</p>
      <ul>
        {(status ? ofStatus : ofProperty).map(([place, what]) => (
          <li key={place}>
            <button type="button" class="place" onClick={() => insert(place)}>
              <code>{`{${place}}`}</code>
              <span>{t(what)}</span>
            </button>
          </li>
        ))}
      </ul>
    </fieldset>
  );
}

// Recipients are members of the space; who is alone in it is written to.
function Recipients({ d, act, change, copies }: Props & { copies: boolean }) {
  const here = space.value?.id ?? "";
  const list = useQuery("members:" + here, (s) => listMembers(here, s));
  const error = act.at("invalid-recipient");
  const all = list.data.value;
  const places = d.places ?? {};
  useLayoutEffect(() => {
    const alone = all?.length === 1 ? all[0] : undefined;
    if (alone && !d.places) change({ places: { [alone.user]: "to" } });
  }, [all, d.places]);
  if (!all) return list.error.value ? <Failure error={list.error.value} again={() => void list.reload()} /> : <Skeleton rows={1} />;
  const gone = Object.keys(places).filter((id) => !all.some((m) => m.user === id));
  const put = (id: string, place: Place | ""): void => {
    const next = { ...places };
    if (place) next[id] = place;
    else delete next[id];
    change({ places: next });
  };
  return (
    <fieldset class="recipients">
      <legend>{t("action.to")}</legend>
      {all.map((m) => (
        <One key={m.user} m={m} place={places[m.user]} copies={copies} put={(place) => put(m.user, place)} />
      ))}
      {gone.map((id) => (
        <One key={id} m={{ user: id, name: t("action.to.gone"), role: "" }} place={places[id]} copies={false} put={(place) => put(id, place)} />
      ))}
      {error && <p class="field-error">{error}</p>}
    </fieldset>
  );
}

function One({ m, place, copies, put }: { m: Member; place: Place | undefined; copies: boolean; put: (place: Place | "") => void }) {
  return (
    <div class="recipient">
      <label>
        <input type="checkbox" checked={!!place} onChange={(e) => put(e.currentTarget.checked ? "to" : "")} />
        <span>
          {m.name || m.user}
          {m.email && <small>{m.email}</small>}
        </span>
      </label>
      {copies && place && (
        <select aria-label={t("action.place", { name: m.name })} value={place} onChange={(e) => put(e.currentTarget.value as Place)}>
          <option value="to">{t("place.to")}</option>
          <option value="cc">{t("place.cc")}</option>
          <option value="bcc">{t("place.bcc")}</option>
        </select>
      )}
    </div>
  );
}

function WebhookFields({ d, act, change }: Props) {
  return (
    <Field label={t("action.url")} hint={t("action.url.hint")} error={act.at("invalid-webhook")}>
      {(f) => <input {...f} type="url" required maxLength={2048} autocomplete="off" spellcheck={false} placeholder="https://example.org/hook" value={d.url} onInput={(e) => change({ url: e.currentTarget.value })} />}
    </Field>
  );
}

function SetFields({ d, act, change }: Props) {
  const list = useQuery("things", (s) => listThings(s));
  const things = list.data.value;
  if (!things) return list.error.value ? <Failure error={list.error.value} again={() => void list.reload()} /> : <Skeleton rows={2} />;
  const thing = things.find((x) => x.id === d.thing) ?? things.find((x) => x.properties?.some((p) => p.id === d.property));
  const all = settable(thing);
  const property = all.find((p) => p.id === d.property);
  const kind = property && kindOf(property.type);
  const error = act.at("wrong-kind", "out-of-range", "invalid-value", "value-too-long");
  return (
    <>
      <div class="pair">
        <ThingSelect label={t("col.thing")} things={things} value={thing?.id ?? ""} usable={(x) => settable(x).length > 0} onChange={(id) => change({ thing: id, property: "" })} />
        <Field label={t("history.property")} hint={t("action.set.hint")} error={act.at("property-not-found", "property-read-only", "trigger-wrong-type")}>
          {(f) => <PropertySelect control={f} all={all} value={d.property} disabled={!thing} onChange={(id) => change({ property: id })} />}
        </Field>
      </div>
      {kind === "bool" && (
        <Choice
          legend={t("action.set.to")}
          value={d.on ? "on" : "off"}
          onChange={(v) => change({ on: v === "on" })}
          options={[
            { value: "on", label: t("value.on") },
            { value: "off", label: t("value.off") },
          ]}
        />
      )}
      {kind && kind !== "bool" && (
        <Field label={t("action.set.to")} error={error}>
          {(f) => (kind === "text" ? <input {...f} type="text" maxLength={1024} value={d.value} onInput={(e) => change({ value: e.currentTarget.value })} /> : <input {...f} type="number" step="any" required value={d.value} onInput={(e) => change({ value: e.currentTarget.value })} />)}
        </Field>
      )}
    </>
  );
}
