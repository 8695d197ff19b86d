import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Problem, words } from "../../api";
import { ahead as askAhead, type Query, useQuery } from "../../data";
import { askFor, type Dashboard, type Finding, getDashboard, health, mainPage, unshare } from "../../model/dashboard";
import { hear } from "../../model/values";
import { go, query, type Params, setQuery } from "../../router";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button, ButtonLink } from "../../ui/Button";
import { confirm } from "../../ui/Confirm";
import { Empty } from "../../ui/Empty";
import { Field } from "../../ui/Field";
import { lazy } from "../../ui/lazy";
import { type Group, type Item, Menu } from "../../ui/Menu";
import { Failure, Note } from "../../ui/Note";
import { Head } from "../../ui/Page";
import { Skeleton } from "../../ui/Skeleton";
import { complain } from "../../ui/Toast";
import { kindNamed } from "../../widgets";
import { Board, onPhone } from "./Board";
import { feedOf, isLent, mayEdit, unsaved } from "./feed";
import { Kiosk, isKiosk, setKiosk } from "./Kiosk";
import { allPages, PageTabs } from "./Pages";
import { remove } from "./remove";

const Editor = lazy(() => import("./edit/Editor"));
const Sharing = lazy(() => import("./Sharing"));
const Download = lazy(() => import("./Download"));
const About = lazy(() => import("./About"));
const Clone = lazy(() => import("./Clone"));

// What many dashboards have is on its way while the server is asked what is on this one, and the line has nothing else to do.
for (const type of ["Value", "Gauge", "Percentage", "Switch", "Slider", "LED", "Status"])
  void kindNamed(type)
    ?.view()
    .catch(() => undefined); // whoever shows it says so

const keyOf = (id: string): string => "dashboard:" + id;

export function ahead({ id = "" }: Params): void {
  askAhead(keyOf(id), (s) => getDashboard(id, s));
}

export default function DashboardPage({ params }: { params: Params }) {
  const id = params.id ?? "";
  const gone = useSignal(false); // then nothing tells of it
  const load = async (s: AbortSignal): Promise<Dashboard> => {
    try {
      return await getDashboard(id, s);
    } catch (err) {
      gone.value = err instanceof Problem && err.status === 404;
      throw err;
    }
  };
  const asked = useQuery(keyOf(id), load, gone.value ? undefined : { dashboard: id, onValues: hear });
  const d = asked.data.value;
  const err = asked.error.value;
  const crumb = { href: "/app/dashboards", label: t("boards.title") };
  if (!d && err instanceof Problem && err.status === 404) return <Missing id={id} />;
  if (!d)
    return (
      <>
        <Head title={t("board.title")} crumb={crumb} about=" " waiting={!err} />
        <Failure error={err} again={() => void asked.reload()} />
        {!err && <Skeleton kind="card" rows={6} />}
      </>
    );
  const page = allPages(d).find((p) => p.id === params.page)?.id ?? mainPage;
  if (query("edit") && mayEdit(d)) return <Editor dashboard={d} page={page} reload={() => asked.reload()} />;
  return <Shown d={d} page={page} asked={asked} />;
}

// useHealth tells what of a dashboard does not show what it should; asked anew when the dashboard is another, and each minute.
export function useHealth(d: Dashboard): Finding[] {
  const asked = useQuery("dashboard-health:" + d.id, (s) => health(d.id, s));
  useEffect(() => {
    if (asked.data.peek()) void asked.reload();
  }, [d.updated_at]);
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && void asked.reload(), 60_000);
    return () => clearInterval(timer);
  }, [asked]);
  return asked.data.value ?? [];
}

function Shown({ d, page, asked }: { d: Dashboard; page: string; asked: Query<Dashboard> }) {
  const findings = useHealth(d);
  const open = useSignal<"" | "share" | "download" | "about" | "clone">("");
  const at = "/app/dashboards/" + d.id;
  const widgets = d.widgets.filter((w) => w.page_id === page);
  const kiosk = isKiosk();
  const board = <Board widgets={widgets} feed={feedOf(d, onPhone.value)} findings={findings} />;
  if (kiosk)
    return (
      <Kiosk title={d.name}>
        <PageTabs dashboard={d} at={at} page={page} query="?kiosk=1" />
        {board}
      </Kiosk>
    );
  return (
    <>
      <Head title={d.name} crumb={{ href: "/app/dashboards", label: t("boards.title") }} about={d.shared_by ? t("board.by", { name: d.shared_by.username || t("board.somebody") }) : undefined}>
        {mayEdit(d) && (
          <Button icon="edit" label={t("board.edit")} onClick={() => setQuery("edit", "1")}>
            {!onPhone.value && t("board.edit")}
          </Button>
        )}
        {mayEdit(d) && <Button icon="share" label={t("board.share")} onClick={() => (open.value = "share")} />}
        <Menu label={t("board.more")} groups={menu(d, (what) => (open.value = what))} />
      </Head>
      <Failure error={asked.error.value} again={() => void asked.reload()} />
      {unsaved.value.has(d.id) && (
        <Note kind="warn">
          <p>{t("board.unsaved")}</p>
          <Button small onClick={() => setQuery("edit", "1")}>
            {t("board.unsaved.go")}
          </Button>
        </Note>
      )}
      <PageTabs dashboard={d} at={at} page={page} />
      {widgets.length ? (
        board
      ) : (
        <Empty icon="dashboards" title={t("board.none")} actions={mayEdit(d) && <Button kind="main" icon="plus" onClick={() => setQuery("edit", "1")}>{t("board.add")}</Button>}>
          <p>{mayEdit(d) ? t("board.none.text") : t("board.none.viewer")}</p>
        </Empty>
      )}
      {open.value === "share" && <Sharing dashboard={d} onClose={() => (open.value = "")} />}
      {open.value === "download" && <Download dashboard={d} onClose={() => (open.value = "")} />}
      {open.value === "about" && <About dashboard={d} after={() => void asked.reload()} onClone={() => (open.value = "clone")} onClose={() => (open.value = "")} />}
      {open.value === "clone" && <Clone dashboard={d} onClose={() => (open.value = "")} />}
    </>
  );
}

function menu(d: Dashboard, open: (what: "download" | "about") => void): Group[] {
  const items: Item[] = [
    { label: t("board.full"), icon: "full", onPick: () => setKiosk(true) },
    { label: t("board.download"), icon: "download", onPick: () => open("download") },
  ];
  if (mayEdit(d)) items.push({ label: t("board.about"), icon: "info", onPick: () => open("about") });
  const last: Item[] = [];
  if (isLent(d)) last.push({ label: t("board.leave"), icon: "unlink", danger: true, onPick: () => void leave(d) });
  if (mayEdit(d)) last.push({ label: t("delete"), icon: "trash", danger: true, onPick: () => void remove(d).then((gone) => gone && go("/app/dashboards")) });
  return last.length ? [{ items }, { items: last }] : [{ items }];
}

async function leave(d: Dashboard): Promise<void> {
  const yes = await confirm({ title: t("board.leave.title", { name: d.name }), text: t("board.leave.text"), action: t("board.leave"), danger: true });
  if (!yes) return;
  try {
    await unshare(d.id, "me");
    go("/app/dashboards");
  } catch (err) {
    complain(words(err));
  }
}

// Missing is a dashboard that is not there, or not for who looks: they may ask for it.
function Missing({ id }: { id: string }) {
  const message = useSignal("");
  const sent = useSignal(false);
  const act = useAct();
  return (
    <>
      <Head title={t("board.missing")} crumb={{ href: "/app/dashboards", label: t("boards.title") }} />
      <Empty icon="dashboards" title={t("board.missing")} actions={<ButtonLink href="/app/dashboards">{t("board.toall")}</ButtonLink>}>
        <p>{t("board.missing.text")}</p>
      </Empty>
      <form
        class="panel board-ask"
        onSubmit={(e) => {
          e.preventDefault();
          void act.run(() => askFor(id, message.value.trim())).then((done) => (sent.value = done));
        }}
      >
        <h2>{t("board.ask")}</h2>
        {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
        {sent.value ? (
          <Note kind="good">{t("board.asked")}</Note>
        ) : (
          <>
            <Field label={t("board.ask.message")} hint={t("board.ask.hint")}>
              {(f) => <textarea {...f} rows={3} maxLength={1000} value={message.value} onInput={(e) => (message.value = e.currentTarget.value)} />}
            </Field>
            <div>
              <Button type="submit" icon="send" busy={act.busy.value}>
                {t("board.ask.send")}
              </Button>
            </div>
          </>
        )}
      </form>
    </>
  );
}
