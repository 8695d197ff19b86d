import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Problem, words } from "../../api";
import { type Query, useQuery } from "../../data";
import { moment } from "../../format";
import { type Browser, forgo, here, listBrowsers, type Refusal, refusal, turnOff, turnOn } from "../../model/push";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { confirm } from "../../ui/Confirm";
import { Icon } from "../../ui/Icon";
import { Failure, Note } from "../../ui/Note";
import { Head, Panel } from "../../ui/Page";
import { Skeleton } from "../../ui/Skeleton";
import { complain, say } from "../../ui/Toast";
import { Toggle } from "../../control/Toggle";

// Notices turns notices on and off for this browser, and lists all that get them for this person.
export default function Notices() {
  const list = useQuery("push", listBrowsers);
  const mine = useSignal<string | undefined>(undefined);
  const all = list.data.value;
  useEffect(() => {
    if (all) void here(all).then((id) => (mine.value = id));
  }, [all]);
  return (
    <>
      <Head title={t("notices.title")} crumb={{ href: "/app/triggers", label: t("triggers.title") }} about={t("notices.about")} />
      <Failure error={list.error.value} again={() => void list.reload()} />
      {!all ? (
        !list.error.value && <Skeleton kind="block" rows={2} />
      ) : (
        <div class="stack narrow">
          <ThisBrowser mine={mine.value} list={list} />
          <Panel title={t("notices.browsers")}>
            {all.length ? (
              <ul class="rows fixed">
                {all.map((b) => (
                  <One key={b.id} b={b} mine={b.id === mine.value} after={() => void list.reload()} />
                ))}
              </ul>
            ) : (
              <p class="soft">{t("notices.browsers.none")}</p>
            )}
          </Panel>
        </div>
      )}
    </>
  );
}

const refusals: Record<Refusal, "notices.no.none" | "notices.no.insecure" | "notices.no.install" | "notices.no.denied"> = {
  none: "notices.no.none",
  insecure: "notices.no.insecure",
  install: "notices.no.install",
  denied: "notices.no.denied",
};

function ThisBrowser({ mine, list }: { mine: string | undefined; list: Query<Browser[]> }) {
  const act = useAct();
  const refused = useSignal<"" | "denied" | "service">("");
  const no = refusal() ?? (refused.value === "denied" ? "denied" : undefined);
  const turn = async (on: boolean): Promise<void> => {
    refused.value = "";
    const ok = await act.run(async () => {
      try {
        await (on ? turnOn() : turnOff(mine ?? ""));
      } catch (err) {
        if (err instanceof Problem) throw err;
        refused.value = err instanceof DOMException && err.name === "NotAllowedError" ? "denied" : "service";
      }
    });
    if (ok && !refused.value) say(on ? t("notices.on.done") : t("notices.off.done"));
    await list.reload();
  };
  return (
    <Panel title={t("notices.here")}>
      {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
      {no ? (
        <Note kind="warn">
          <p>{t(refusals[no])}</p>
        </Note>
      ) : (
        <Toggle on={!!mine} label={t("notices.here")} text={mine ? t("notices.on") : t("notices.off")} busy={act.busy.value} onChange={(on) => void turn(on)} />
      )}
      {refused.value === "service" && (
        <Note kind="bad">
          <p>{t("notices.no.service")}</p>
        </Note>
      )}
      <p class="hint">{t("notices.here.hint")}</p>
    </Panel>
  );
}

function One({ b, mine, after }: { b: Browser; mine: boolean; after: () => void }) {
  const name = b.name || t("notices.browser");
  const drop = async (): Promise<void> => {
    if (!(await confirm({ title: t("notices.drop.title", { name }), text: t("notices.drop.text"), action: t("notices.drop"), danger: true }))) return;
    await (mine ? turnOff(b.id) : forgo(b.id)).catch((err: unknown) => complain(words(err)));
    after();
  };
  return (
    <li>
      <Icon name="bell" size={22} />
      <div class="what">
        <b>{name}</b>
        {mine && <span class="tag">{t("notices.this")}</span>}
        <span>{t("notices.since", { when: moment(b.created_at), service: b.service })}</span>
      </div>
      <Button small kind="danger" label={t("notices.drop.one", { name })} icon="trash" onClick={() => void drop()} />
    </li>
  );
}
