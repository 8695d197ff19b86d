import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { signal } from "@preact/signals";
import type { Finding, Widget } from "../../model/dashboard";
import { t } from "../../text";
import { columns, heightOf, inOrder, type Spot, type Spots, spotsOf } from "./grid";
import { type Feed, Tile } from "./Tile";

const narrow = matchMedia("(max-width: 40rem)"); // also in board.css

// onPhone says whether the arrangement for phones is the one to show.
export const onPhone = signal(narrow.matches);
narrow.addEventListener("change", () => (onPhone.value = narrow.matches));

// Board shows the widgets of one page where they stand.
export function Board({ widgets, feed, findings }: { widgets: Widget[]; feed: Feed; findings: Finding[] }) {
  const spots = spotsOf(widgets, feed.mobile);
  return (
    <Grid spots={spots} mobile={feed.mobile}>
      {inOrder(widgets, spots).map((w) => (
        <At key={w.id} spot={spots.get(w.id)}>
          <Tile widget={w} feed={feed} findings={findings.filter((f) => f.widget_id === w.id)} />
        </At>
      ))}
    </Grid>
  );
}

// Grid is a place for spots, as high as they are. more: rows below them that are free.
export function Grid({ spots, mobile, more = 0, box, children }: { spots: Spots; mobile: boolean; more?: number; box?: { current: HTMLUListElement | null }; children: ComponentChildren }) {
  const own = useRef<HTMLUListElement>(null);
  const ref = box ?? own;
  const rows = heightOf(spots.values()) + more;
  useLayoutEffect(() => {
    ref.current?.style.setProperty("--rows", String(rows));
    ref.current?.style.setProperty("--cols", String(columns(mobile)));
  }, [rows, mobile]);
  return (
    <ul class="board" ref={ref} aria-label={t("board.widgets")}>
      {children}
    </ul>
  );
}

// At puts something on a spot of the grid.
export function At({ spot, class: cls, children }: { spot: Spot | undefined; class?: string | undefined; children?: ComponentChildren }) {
  const ref = useRef<HTMLLIElement>(null);
  useLayoutEffect(() => {
    const style = ref.current?.style;
    if (!style || !spot) return;
    style.setProperty("--x", String(spot.x));
    style.setProperty("--y", String(spot.y));
    style.setProperty("--w", String(spot.w));
    style.setProperty("--h", String(spot.h));
  }, [spot?.x, spot?.y, spot?.w, spot?.h]);
  return (
    <li class={cls ? "spot " + cls : "spot"} ref={ref}>
      {children}
    </li>
  );
}
