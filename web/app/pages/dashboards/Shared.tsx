import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { clock } from "../../format";
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

// How long to wait between two looks at the server, in ms: a tenth of the time for which nothing has changed, and twice as long as the
// last time after a look that failed. The server lets one address ask twice a second, which may be that of a whole class.
const soonest = 2_000;
const quiet = 10_000; // the most while all is well
const longest = 30_000; // the most while it is not

const old = 20_000; // ms after which what is shown is no longer of now

// SharedPage is a dashboard on its public link: for everybody who has that, to look at. There is no stream for strangers; it asks again
// while somebody looks.
export function SharedPage({ token }: { token: string }) {
  const shown = useSignal<Shared | undefined>(undefined);
  const error = useSignal<unknown>(undefined);
  const heard = useSignal(0); // ms
  const stale = useSignal(false);
  const again = useRef<() => void>(() => undefined);
  useEffect(() => {
    let next: ReturnType<typeof setTimeout> | undefined;
    let wait = soonest;
    let changed = Date.now();
    let running = false;
    let left = false;
    const age = (): void => void (stale.value = heard.value > 0 && Date.now() - heard.value > old);
    const ask = async (): Promise<void> => {
      try {
        const told = await getShared(token);
        if (told.stamp !== shown.value?.stamp) changed = Date.now();
        shown.value = told;
        heard.value = Date.now();
        error.value = undefined;
        wait = Math.min(quiet, Math.max(soonest, (Date.now() - changed) / 10));
      } catch (err) {
        error.value = err;
        if (err instanceof Problem && err.status === 404) shown.value = undefined; // it was revoked: what was seen is not theirs any more
        wait = Math.min(longest, Math.max(wait * 2, err instanceof Problem ? err.wait : 0));
      }
    };
    const look = async (): Promise<void> => {
      clearTimeout(next);
      age();
      if (running || left || document.visibilityState !== "visible") return;
      running = true;
      await ask();
      running = false;
      age();
      if (!left) next = setTimeout(() => void look(), wait);
    };
    const seen = (): void => void look();
    const ages = setInterval(age, 1000);
    again.current = seen;
    document.addEventListener("visibilitychange", seen);
    addEventListener("online", seen);
    seen();
    return () => {
      left = true;
      clearTimeout(next);
      clearInterval(ages);
      document.removeEventListener("visibilitychange", seen);
      removeEventListener("online", seen);
    };
  }, [token]);
  const d = shown.value;
  return (
    <div class="public">
      <main id="main" tabIndex={-1}>
        {d ? <Looked d={d} token={token} stale={stale.value} heard={heard.value} /> : <Waiting error={error.value} again={() => again.current()} />}
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
      <Head title={d.name} about={t("public.about", { time: clock(heard) })}>
        {stale && (
          <p class="kiosk-old" role="status">
            <Icon name="warn" size={18} />
            {t("kiosk.old")}
          </p>
        )}
      </Head>
      <PageTabs dashboard={d} at={at} page={page} />
      {widgets.length ? <Board widgets={widgets} feed={feed} findings={[]} /> : <Empty icon="dashboards" title={t("board.none")} />}
    </>
  );
}
