import { useSignal } from "@preact/signals";
import { Component, type ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { routes } from "../pages/routes";
import { base, go, match, type Page, path, type Route } from "../router";
import { t } from "../text";
import { Button, ButtonLink } from "../ui/Button";
import { Empty } from "../ui/Empty";
import { Head } from "../ui/Page";
import { Skeleton } from "../ui/Skeleton";
import { first, guess } from "./first";

const loaded = new Map<Route, Page>();

// View is the page at the address. Its code comes when somebody goes there.
export function View() {
  const at = path.value.replace(/\/+$/, "");
  if (at === base) return <First />;
  const found = match(routes, at);
  if (!found) return <Nowhere />;
  return <Loaded key={found.route.path} route={found.route} params={found.params} />;
}

// First leads to where one begins, and looks until then like the page where that was the last time.
function First() {
  useEffect(() => {
    const lead = (to: string): void => {
      if (path.value.replace(/\/+$/, "") === base) go(to, true); // else somebody has gone elsewhere meanwhile
    };
    first().then(lead, () => lead(guess())); // which says what is wrong
  }, []);
  return (
    <>
      <Head title={t(match(routes, guess())?.route.title ?? "things.title")} waiting />
      <Skeleton />
    </>
  );
}

function Loaded({ route, params }: { route: Route; params: Record<string, string> }) {
  const failed = useSignal(false);
  const page = useSignal<Page | undefined>(loaded.get(route));
  useEffect(() => {
    if (page.value) return;
    route.load().then(
      (m) => {
        loaded.set(route, m.default);
        page.value = m.default;
      },
      () => (failed.value = true),
    );
  }, []);
  if (failed.value)
    return (
      <>
        <Head title={t(route.title)} />
        <Empty icon="restore" title={t("load.failed")} actions={<Button kind="main" onClick={() => location.reload()}>{t("load.again")}</Button>}>
          <p>{t("load.failed.text")}</p>
        </Empty>
      </>
    );
  if (!page.value)
    return (
      <>
        <Head title={t(route.title)} waiting />
        <Skeleton />
      </>
    );
  const Found = page.value;
  return (
    <Guard key={path.value}>
      <Found params={params} />
    </Guard>
  );
}

// Guard shows what to do when a page breaks, instead of nothing.
class Guard extends Component<{ children: ComponentChildren }, { broken: boolean }> {
  override state = { broken: false };
  static override getDerivedStateFromError(): { broken: boolean } {
    return { broken: true };
  }
  override render() {
    if (!this.state.broken) return this.props.children;
    return (
      <>
        <Head title={t("page.broken")} />
        <Empty icon="warn" title={t("page.broken")} actions={<Button kind="main" onClick={() => location.reload()}>{t("load.again")}</Button>}>
          <p>{t("page.broken.text")}</p>
        </Empty>
      </>
    );
  }
}

// Nowhere is the page of an address that leads to none.
export function Nowhere() {
  return (
    <>
      <Head title={t("nowhere.title")} />
      <Empty
        icon="search"
        title={t("nowhere.title")}
        actions={
          <>
            <ButtonLink kind="main" href="/app/things">
              {t("nowhere.things")}
            </ButtonLink>
            <ButtonLink href="/app/devices">{t("nowhere.devices")}</ButtonLink>
          </>
        }
      >
        <p>{t("nowhere.text")}</p>
      </Empty>
    </>
  );
}
