import { useSignal } from "@preact/signals";
import { useQuery } from "../../data";
import { moment } from "../../format";
import { type Dashboard, dropLink, makeLink, publicLink, refuse, requests, share, type Share, shares, unshare } from "../../model/dashboard";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Ago } from "../../ui/Ago";
import { Button } from "../../ui/Button";
import { confirm } from "../../ui/Confirm";
import { CopyText } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { Failure, Note } from "../../ui/Note";
import { Skeleton } from "../../ui/Skeleton";
import { say } from "../../ui/Toast";

type Access = "read" | "write";

// Sharing is with whom a dashboard is shared: people who have an account, and everybody who has its public link.
export default function Sharing({ dashboard: d, onClose }: { dashboard: Dashboard; onClose: () => void }) {
  return (
    <Dialog title={t("board.share")} onClose={onClose} wide>
      <div class="stack">
        <People d={d} />
        <Public d={d} />
      </div>
    </Dialog>
  );
}

function AccessSelect({ value, label, onChange, id }: { value: Access; label?: string; onChange: (a: Access) => void; id?: string }) {
  return (
    <select id={id} aria-label={label} value={value} onChange={(e) => onChange(e.currentTarget.value as Access)}>
      <option value="read">{t("share.read")}</option>
      <option value="write">{t("share.write")}</option>
    </select>
  );
}

function People({ d }: { d: Dashboard }) {
  const list = useQuery("dashboard-shares:" + d.id, (s) => shares(d.id, s));
  const asking = useQuery("dashboard-requests:" + d.id, (s) => requests(d.id, s));
  const who = useSignal("");
  const may = useSignal<Access>("write");
  const act = useAct();
  const then = async (what: Promise<unknown>): Promise<void> => {
    await what;
    await Promise.all([list.reload(), asking.reload()]);
  };
  const give = async (): Promise<void> => {
    await then(share(d.id, { username: who.value.trim() }, may.value));
    say(t("share.given", { name: who.value.trim() }));
    who.value = "";
  };
  const name = (one: { username?: string; user_id: string }): string => one.username || one.user_id;
  return (
    <section class="stack tight">
      <h3>{t("share.people")}</h3>
      <form
        class="withbutton"
        onSubmit={(e) => {
          e.preventDefault();
          void act.run(give);
        }}
      >
        <Field label={t("share.who")} hint={t("share.who.hint")}>
          {(f) => <input {...f} type="text" required maxLength={320} autocomplete="off" value={who.value} onInput={(e) => (who.value = e.currentTarget.value)} />}
        </Field>
        <Field label={t("share.may")}>{(f) => <AccessSelect id={f.id} value={may.value} onChange={(a) => (may.value = a)} />}</Field>
        <Button kind="main" type="submit" busy={act.busy.value}>
          {t("share.give")}
        </Button>
      </form>
      {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
      <Failure error={list.error.value} again={() => void list.reload()} />
      {(asking.data.value ?? []).map((r) => (
        <Note key={r.user_id} kind="info">
          <p>
            <b>{name(r)}</b> {t("share.asks")} <Ago at={r.asked_at} />
          </p>
          {r.message && <p class="breaks">{r.message}</p>}
          <div class="acts">
            <Button small onClick={() => void act.run(() => then(share(d.id, { user_id: r.user_id }, "read")))}>
              {t("share.let.read")}
            </Button>
            <Button small onClick={() => void act.run(() => then(share(d.id, { user_id: r.user_id }, "write")))}>
              {t("share.let.write")}
            </Button>
            <Button small kind="quiet" onClick={() => void act.run(() => then(refuse(d.id, r.user_id)))}>
              {t("share.refuse")}
            </Button>
          </div>
        </Note>
      ))}
      {!list.data.value && !list.error.value && <Skeleton rows={1} />}
      {list.data.value && !list.data.value.length && <p class="soft">{t("share.nobody")}</p>}
      {list.data.value && list.data.value.length > 0 && (
        <ul class="rows fixed">
          {list.data.value.map((one) => (
            <Guest key={one.user_id} one={one} name={name(one)} change={(a) => act.run(() => then(share(d.id, { user_id: one.user_id }, a)))} drop={() => act.run(() => then(unshare(d.id, one.user_id)))} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Guest({ one, name, change, drop }: { one: Share; name: string; change: (a: Access) => Promise<unknown>; drop: () => Promise<unknown> }) {
  return (
    <li>
      <div class="what">
        <b>{name}</b>
        <span>
          {t("share.since")} <Ago at={one.shared_at} />
        </span>
      </div>
      <div class="acts">
        <AccessSelect value={one.access} label={t("share.may.of", { name })} onChange={(a) => void change(a)} />
        <Button small kind="quiet" icon="close" label={t("share.drop", { name })} onClick={() => void drop()} />
      </div>
    </li>
  );
}

const lives = [0, 1, 7, 30, 365]; // days

function Public({ d }: { d: Dashboard }) {
  const link = useQuery("dashboard-link:" + d.id, async (s) => ({ is: await publicLink(d.id, s) }));
  const made = useSignal("");
  const days = useSignal(30);
  const act = useAct();
  const is = link.data.value?.is;
  const make = async (): Promise<void> => {
    if (is && !(await confirm({ title: t("link.again.title"), text: t("link.again.text"), action: t("link.again") }))) return;
    made.value = (await makeLink(d.id, days.value)).link ?? "";
    await link.reload();
  };
  const drop = async (): Promise<void> => {
    await dropLink(d.id);
    made.value = "";
    await link.reload();
  };
  return (
    <section class="stack tight">
      <h3>{t("link.title")}</h3>
      <p class="hint">{t("link.text")}</p>
      {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
      <Failure error={link.error.value} again={() => void link.reload()} />
      {made.value && (
        <Note kind="good">
          <p>{t("link.once")}</p>
          <CopyText text={made.value} label={t("link.copy")} />
        </Note>
      )}
      {is && (
        <p>
          {is.expires_at ? t("link.until", { at: moment(is.expires_at) }) : t("link.for.ever")} {is.made_by.username && t("link.by", { name: is.made_by.username })}
        </p>
      )}
      <div class="withbutton">
        <Field label={t("link.days")}>
          {(f) => (
            <select {...f} value={String(days.value)} onChange={(e) => (days.value = Number(e.currentTarget.value))}>
              {lives.map((n) => (
                <option key={n} value={String(n)}>
                  {n ? t("link.life", { n }) : t("link.revoked")}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Button icon="link" busy={act.busy.value} onClick={() => void act.run(make)}>
          {is ? t("link.again") : t("link.make")}
        </Button>
        {is && (
          <Button kind="danger" busy={act.busy.value} onClick={() => void act.run(drop)}>
            {t("link.drop")}
          </Button>
        )}
      </div>
    </section>
  );
}
