import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ago } from "../../format";
import { mainPage, type Widget } from "../../model/dashboard";
import { sharedPast } from "../../model/past";
import { getShared, type Shared } from "../../model/shared";
import { path } from "../../router";
import { Mark } from "../../shell/Mark";
import { t } from "../../text";
import { Empty } from "../../ui/Empty";
import { Icon } from "../../ui/Icon";
import { Failure } from "../../ui/Note";
import { Head } from "../../ui/Page";
import { Skeleton } from "../../ui/Skeleton";
import { Problem } from "../../api";
import { Board, onPhone } from "./Board";
import { allPages, PageTabs } from "./Pages";
import type { Feed } from "./Tile";

const every = 10_000; // ms between two looks at the server, which lets one address ask twice a second
const old = 30_000; // ms after which what is shown is no longer of now

// SharedPage is a dashboard on its public link: for everybody who has that, to look at. There is no stream for strangers; it asks again
// every few seconds while somebody looks.
export function SharedPage({ token }: { token: string }) {
  const shown = useSignal<Shared | undefined>(undefined);
  const error = useSignal<unknown>(undefined);
  const heard = useSignal(0); // ms
  const stale = useSignal(false);
  const ask = async (): Promise<void> => {
    try {
      shown.value = await getShared(token);
      heard.value = Date.now();
      error.value = undefined;
      stale.value = false;
    } catch (err) {
      error.value = err;
      if (err instanceof Problem && err.status === 404) shown.value = undefined; // it was revoked: what was seen is not theirs any more
      stale.value = Date.now() - heard.value > old;
    }
  };
  useEffect(() => {
    let running = false;
    const look = async (): Promise<void> => {
      if (running || document.visibilityState !== "visible") return;
      running = true;
      await ask();
      running = false;
    };
    const timer = setInterval(() => void look(), every);
    const back = (): void => {
      stale.value = Date.now() - heard.value > old;
      void look();
    };
    document.addEventListener("visibilitychange", back);
    void look();
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", back);
    };
  }, [token]);
  const d = shown.value;
  return (
    <div class="public">
      <main id="main" tabIndex={-1}>
        {d ? <Looked d={d} token={token} stale={stale.value} heard={heard.value} /> : <Waiting error={error.value} again={() => void ask()} />}
      </main>
      <footer class="public-foot">
        <Mark size={20} />
        <p>{t("public.foot")}</p>
      </footer>
    </div>
  );
}

function Waiting({ error, again }: { error: unknown; again: () => void }) {
  if (error instanceof Problem && error.status === 404)
    return (
      <>
        <Head title={t("public.none")} />
        <Empty icon="link" title={error.detail} />
      </>
    );
  return (
    <>
      <Head title={t("board.title")} about=" " waiting />
      <Failure error={error} again={again} />
      {!error && <Skeleton kind="card" rows={6} />}
    </>
  );
}

function Looked({ d, token, stale, heard }: { d: Shared; token: string; stale: boolean; heard: number }) {
  const at = "/app/shared/" + token;
  const page = allPages(d).find((p) => path.value === `${at}/${p.id}`)?.id ?? mainPage;
  const widgets: Widget[] = d.widgets.filter((w) => w.page_id === page);
  const feed: Feed = { mobile: onPhone.value, readOnly: true, stale, past: sharedPast(token), elsewhere: (w) => `/v1/shared/${token}/widgets/${w.id}/picture`, set: () => Promise.resolve(false) };
  return (
    <>
      <Head title={d.name} about={t("public.about")}>
        {stale && (
          <p class="kiosk-old" role="status">
            <Icon name="warn" size={18} />
            {t("public.old", { ago: ago(heard) })}
          </p>
        )}
      </Head>
      <PageTabs dashboard={d} at={at} page={page} />
      {widgets.length ? <Board widgets={widgets} feed={feed} findings={[]} /> : <Empty icon="dashboards" title={t("board.none")} />}
    </>
  );
}
