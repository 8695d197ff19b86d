import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { type Dashboard, mainPage, type Page } from "../../model/dashboard";
import { t } from "../../text";
import { Drawing } from "../../ui/Icon";
import { pageIcons } from "./pageIcons";

export function PageIcon({ icon }: { icon: string | undefined }) {
  const lines = icon ? pageIcons[icon] : undefined;
  if (lines) return <Drawing lines={lines} size={18} />;
  return icon && [...icon].length <= 2 ? <span aria-hidden="true">{icon}</span> : null;
}

// allPages are the pages of a dashboard, the main one first.
export function allPages(d: { pages: Page[] }): Page[] {
  return [{ id: mainPage, name: t("board.main"), icon: "home", position: -1 }, ...d.pages];
}

export const pageAddress = (at: string, page: string): string => (page === mainPage ? at : `${at}/${page}`);

// PageTabs are the pages of a dashboard, each with an address of its own.
export function PageTabs({ dashboard, at, page, query = "", children }: { dashboard: Pick<Dashboard, "pages">; at: string; page: string; query?: string; children?: ComponentChildren }) {
  const ref = useRef<HTMLElement>(null);
  useEffect(() => {
    const here = ref.current?.querySelector<HTMLElement>("[aria-current]");
    if (ref.current && here) ref.current.scrollLeft = here.offsetLeft - (ref.current.clientWidth - here.offsetWidth) / 2;
  }, [page]);
  if (!dashboard.pages.length && !children) return null;
  return (
    <div class="board-pages">
      <nav class="tabs" ref={ref} aria-label={t("board.pages")}>
        {allPages(dashboard).map((p) => (
          <a key={p.id} href={pageAddress(at, p.id) + query} aria-current={p.id === page ? "page" : undefined}>
            <PageIcon icon={p.icon} />
            {p.name}
          </a>
        ))}
      </nav>
      {children}
    </div>
  );
}
