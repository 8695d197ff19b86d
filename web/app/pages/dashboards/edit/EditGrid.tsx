import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Finding, Page, Widget } from "../../../model/dashboard";
import { past } from "../../../model/past";
import { t } from "../../../text";
import { type Group, Menu } from "../../../ui/Menu";
import { At, Grid } from "../Board";
import { columns, inOrder, place, rowHeight, sizeOf, type Spot, type Spots, spotsOf } from "../grid";
import { type Feed, Tile, titleOf } from "../Tile";
import type { Draft } from "./draft";
import { follow } from "./pointer";
import { withSpots } from "./widgets";

export interface Acts {
  open(w: Widget): void;
  copy(w: Widget): void;
  drop(w: Widget): void;
  move(w: Widget, to: Page): void;
}

interface Drag {
  id: string;
  sizes: boolean; // its size is drawn, else its place
  before: Spots;
  spots: Spots;
  dx: number; // px that the pointer has gone
  dy: number;
}

interface Props {
  draft: Draft;
  widgets: Widget[];
  mobile: boolean;
  locked: boolean;
  findings: Finding[];
  pages: Page[];
  acts: Acts;
}

// EditGrid is the grid while it is arranged: by pointer, and by keys.
export function EditGrid({ draft, widgets, mobile, locked, findings, pages, acts }: Props) {
  const box = useRef<HTMLUListElement>(null);
  const drag = useSignal<Drag | undefined>(undefined);
  const told = useSignal("");
  const still = spotsOf(widgets, mobile);
  const spots = drag.value?.spots ?? still;
  const feed: Feed = { mobile, readOnly: true, past, set: () => Promise.resolve(false), elsewhere: (w) => `/v1/dashboards/${draft.id}/widgets/${w.id}/picture` };
  const put = (next: Spots, sort: string): void => draft.change((c) => withSpots(c, next, mobile), sort);
  const tell = (w: Widget, s: Spot | undefined): void => {
    if (s) told.value = t("edit.at", { name: titleOf(w), column: s.x + 1, row: s.y + 1, width: s.w, height: s.h });
  };

  // Whoever works by keys keeps the focus, also where a tile goes to another place among the others, or goes away.
  const focus = useRef("");
  useLayoutEffect(() => {
    if (!focus.current) return;
    const grip = box.current?.querySelector<HTMLElement>(`[data-widget="${focus.current}"] .grip`);
    focus.current = "";
    grip?.focus({ preventScroll: true });
    grip?.scrollIntoView({ block: "nearest" });
  });
  const drop = (w: Widget): void => {
    const all = inOrder(widgets, still);
    const i = all.indexOf(w);
    focus.current = (all[i + 1] ?? all[i - 1])?.id ?? "";
    acts.drop(w);
  };

  // step moves or resizes by keys.
  const step = (w: Widget, dx: number, dy: number, sizes: boolean): void => {
    const s = still.get(w.id);
    if (!s) return;
    const next = place(still, w.id, sizes ? sized(w, s, dx, dy, mobile) : { ...s, x: s.x + dx, y: s.y + dy }, mobile);
    focus.current = w.id;
    put(next, "keys " + w.id);
    tell(w, next.get(w.id));
  };

  const begin = (w: Widget, e: PointerEvent, sizes: boolean): void => {
    const s = still.get(w.id);
    const width = box.current?.clientWidth;
    if (!s || !width) return;
    const cell = width / columns(mobile);
    follow(e, {
      moved: (dx, dy) => {
        const to = sizes ? sized(w, s, Math.round(dx / cell), Math.round(dy / rowHeight), mobile) : { ...s, x: s.x + Math.round(dx / cell), y: s.y + Math.round(dy / rowHeight) };
        drag.value = { id: w.id, sizes, before: still, spots: place(still, w.id, to, mobile), dx, dy };
      },
      ended: (kept) => {
        const d = drag.value;
        drag.value = undefined;
        if (!d || !kept) return;
        put(d.spots, "");
        tell(w, d.spots.get(w.id));
      },
    });
  };

  const d = drag.value;
  return (
    <div class={["editing", mobile && "as-phone", locked && "locked"].filter(Boolean).join(" ")}>
      <Grid spots={spots} mobile={mobile} more={4} box={box}>
        {inOrder(widgets, still).map((w) => {
          const held = d?.id === w.id;
          return (
            <At key={w.id} spot={held ? still.get(w.id) : spots.get(w.id)} class={held ? "held" : undefined}>
              <Held drag={held ? d : undefined}>
                <Tile widget={w} feed={feed} findings={findings.filter((f) => f.widget_id === w.id)} still>
                  <Handles widget={w} spot={still.get(w.id)} locked={locked} begin={begin} step={step} acts={{ ...acts, drop }} pages={pages} />
                </Tile>
              </Held>
            </At>
          );
        })}
        {d && <At key="ghost" class="ghost" spot={spots.get(d.id)} />}
      </Grid>
      <p class="sr" role="status" aria-live="polite">
        {told.value}
      </p>
      <p class="sr" id="edit-help">
        {locked ? t("edit.locked.help") : t("edit.help")}
      </p>
    </div>
  );
}

// sized is a spot of another size, no smaller than its kind can be.
function sized(w: Widget, s: Spot, dx: number, dy: number, mobile: boolean): Spot {
  const least = sizeOf(w.type);
  const most = columns(mobile) - s.x;
  return { ...s, w: Math.min(most, Math.max(Math.min(least.minW, most), s.w + dx)), h: Math.max(least.minH, s.h + dy) };
}

// Held is what the pointer has: it follows the pointer, and not the grid.
function Held({ drag, children }: { drag: Drag | undefined; children: ComponentChildren }) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const style = ref.current?.style;
    if (!style) return;
    style.transform = drag && !drag.sizes ? `translate(${drag.dx}px, ${drag.dy}px)` : "";
    style.inlineSize = drag?.sizes ? `calc(100% + ${drag.dx}px)` : "";
    style.blockSize = drag?.sizes ? `calc(100% + ${drag.dy}px)` : "";
  }, [drag]);
  return (
    <div class="holder" ref={ref}>
      {children}
    </div>
  );
}

interface HandlesProps {
  widget: Widget;
  spot: Spot | undefined;
  locked: boolean;
  begin: (w: Widget, e: PointerEvent, sizes: boolean) => void;
  step: (w: Widget, dx: number, dy: number, sizes: boolean) => void;
  acts: Acts;
  pages: Page[];
}

const arrows: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// Handles lie over a tile: one can take it anywhere, its corner, and its menu.
function Handles({ widget: w, spot, locked, begin, step, acts, pages }: HandlesProps) {
  const name = titleOf(w);
  const groups: Group[] = [
    {
      items: [
        { label: t("tile.settings"), icon: "edit", onPick: () => acts.open(w) },
        { label: t("tile.copy"), icon: "clone", onPick: () => acts.copy(w) },
      ],
    },
    { items: [{ label: t("delete"), icon: "trash", danger: true, onPick: () => acts.drop(w) }] },
  ];
  if (pages.length) groups.splice(1, 0, { title: t("tile.topage"), items: pages.map((p) => ({ label: p.name, icon: "right" as const, onPick: () => acts.move(w, p) })) });
  return (
    <>
      <button
        type="button"
        class="grip"
        aria-label={spot ? t("edit.grip", { name, column: spot.x + 1, row: spot.y + 1, width: spot.w, height: spot.h }) : name}
        aria-describedby="edit-help"
        onClick={() => acts.open(w)}
        onPointerDown={(e) => !locked && e.pointerType !== "touch" && begin(w, e, false)}
        onKeyDown={(e) => {
          const by = arrows[e.key];
          if (by && !locked && !e.altKey && !e.ctrlKey && !e.metaKey) {
            e.preventDefault();
            step(w, by[0], by[1], e.shiftKey);
          } else if (e.key === "Delete" || e.key === "Backspace") {
            e.preventDefault();
            acts.drop(w);
          }
        }}
      />
      {!locked && <span class="grip-touch" aria-hidden="true" onPointerDown={(e) => begin(w, e, false)} />}
      {!locked && <span class="grip-size" aria-hidden="true" onPointerDown={(e) => begin(w, e, true)} />}
      <Menu label={t("tile.more", { name })} class="button quiet square small" groups={groups} />
    </>
  );
}
