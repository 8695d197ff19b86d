// A dashboard while it is edited. Every change is saved by itself a moment later, on top of what was saved last; what could
// not be saved stays here, also while one looks at other pages, until it is saved or given up.
import { type Signal, signal } from "@preact/signals";
import { Problem, reachable, signedOut, words } from "../../../api";
import { changeDashboard, type Dashboard, type Draft as Wish, getDashboard, health, type Page, type Widget } from "../../../model/dashboard";
import { t } from "../../../text";
import { unsaved } from "../feed";

// saved: the server has it all. dirty: it will be asked soon. failed: it could not take it. conflict: somebody else has changed the
// dashboard since, and nothing more is saved before it is said whose counts.
export type State = "saved" | "dirty" | "saving" | "failed" | "conflict";

interface Content {
  name: string;
  pages: Page[];
  widgets: Widget[];
}

const wait = 700; // ms of rest before a change is saved
const mostSteps = 100; // that can be taken back
const together = 1500; // ms in which changes of one sort count as one step

const drafts = new Map<string, Draft>();

// draftOf is the draft of a dashboard: the one that was begun, or a new one.
export function draftOf(d: Dashboard): Draft {
  let found = drafts.get(d.id);
  if (!found) drafts.set(d.id, (found = new Draft(d)));
  return found;
}

export class Draft {
  readonly now: Signal<Content>;
  readonly state = signal<State>("saved");
  readonly wrong = signal(""); // why it is not saved, in words
  readonly steps = signal({ back: 0, on: 0 }); // how many can be taken back, and done again
  private back: Content[] = [];
  private on: Content[] = [];
  private last = { sort: "", at: 0 };
  private timer: ReturnType<typeof setTimeout> | undefined;
  private theirs: Dashboard | undefined;
  private heard: Dashboard | undefined; // while a change was on its way
  private linked = new Set<string>();
  private gone: Promise<Map<string, string[]>> | undefined; // variables that are gone, by widget: they may come back

  constructor(private base: Dashboard) {
    this.now = signal(contentOf(base));
    this.state.subscribe((state) => {
      const all = new Set(unsaved.peek());
      if (state === "saved") all.delete(base.id);
      else all.add(base.id);
      if (all.size !== unsaved.peek().size) unsaved.value = all;
    });
  }

  get id(): string {
    return this.base.id;
  }

  // change makes it another. Changes of one sort in quick succession are one step to take back.
  change(fn: (c: Content) => Content, sort = ""): void {
    const before = this.now.value;
    const after = fn(before);
    if (after === before) return;
    const at = Date.now();
    if (!sort || sort !== this.last.sort || at - this.last.at > together) this.back = [...this.back.slice(1 - mostSteps), before];
    this.last = { sort, at };
    this.on = [];
    this.put(after);
  }

  // widget changes one widget.
  widget(id: string, fn: (w: Widget) => Widget, sort = ""): void {
    this.change((c) => ({ ...c, widgets: c.widgets.map((w) => (w.id === id ? fn(w) : w)) }), sort);
  }

  // link says that a widget's variables were chosen anew: those that are gone do not come back to it.
  link(id: string): void {
    this.linked.add(id);
  }

  undo(): void {
    const before = this.back.pop();
    if (!before) return;
    this.on.push(this.now.value);
    this.put(before);
  }

  redo(): void {
    const after = this.on.pop();
    if (!after) return;
    this.back.push(this.now.value);
    this.put(after);
  }

  private put(c: Content): void {
    this.now.value = c;
    this.count();
    if (this.state.value === "conflict") return;
    if (this.state.value !== "saving") this.state.value = "dirty";
    this.plan(wait);
  }

  private count(): void {
    this.steps.value = { back: this.back.length, on: this.on.length };
  }

  private plan(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.save(), ms);
  }

  private missing(): Promise<Map<string, string[]>> {
    if (!this.gone) {
      this.gone = health(this.id).then((all) => {
        const by = new Map<string, string[]>();
        for (const f of all) if (f.mark === "missing" && f.variable_id) by.set(f.widget_id, [...(by.get(f.widget_id) ?? []), f.variable_id]);
        return by;
      });
      this.gone.catch(() => (this.gone = undefined));
    }
    return this.gone;
  }

  // save says it to the server, now.
  async save(): Promise<void> {
    clearTimeout(this.timer);
    if (this.state.value === "saving" || this.state.value === "saved" || this.state.value === "conflict") return;
    const sent = this.now.value;
    this.state.value = "saving";
    try {
      const got = await changeDashboard(this.id, this.wish(sent, await this.missing()), this.base.updated_at);
      this.base = got;
      this.wrong.value = "";
      if (this.now.value === sent) {
        this.now.value = contentOf(got);
        this.state.value = "saved";
        if (this.heard) this.hear(this.heard);
      } else {
        this.state.value = "dirty";
        this.plan(wait);
      }
    } catch (err) {
      if (err instanceof Problem && err.code === "dashboard-changed") await this.collide();
      else {
        this.state.value = "failed";
        this.wrong.value = words(err);
      }
    }
  }

  private async collide(): Promise<void> {
    try {
      this.theirs = await getDashboard(this.id);
      this.state.value = "conflict";
      this.wrong.value = t("draft.conflict.text");
    } catch (err) {
      this.state.value = "failed";
      this.wrong.value = words(err);
    }
  }

  // resolve ends a conflict: what others saved counts, or what is here.
  resolve(mine: boolean): void {
    const theirs = this.theirs;
    if (!theirs) return;
    this.theirs = undefined;
    this.gone = undefined;
    this.wrong.value = "";
    this.base = theirs;
    if (mine) {
      this.state.value = "dirty";
      void this.save();
      return;
    }
    this.back = [...this.back.slice(1 - mostSteps), this.now.value];
    this.now.value = contentOf(theirs);
    this.state.value = "saved";
    this.count();
  }

  // hear takes what the server has now. True: somebody else has changed it, and it is shown as it is.
  hear(d: Dashboard): boolean {
    this.heard = this.state.value === "saving" ? d : undefined;
    if (this.heard || later(this.base, d) || this.base.updated_at === d.updated_at) return false;
    if (this.state.value === "saved") {
      const other = JSON.stringify(bare(contentOf(d))) !== JSON.stringify(bare(this.now.value));
      if (other) this.back = [...this.back.slice(1 - mostSteps), this.now.value];
      this.base = d;
      this.gone = undefined;
      this.now.value = contentOf(d);
      this.count();
      return other;
    }
    if (this.state.value === "conflict") this.theirs = d;
    return false;
  }

  // wish is what is said of a content: a name or pages that are as they were are not said again.
  private wish(c: Content, gone: Map<string, string[]>): Wish {
    const wish: Wish = {};
    if (c.name !== this.base.name) wish.name = c.name;
    if (c.pages !== this.base.pages) wish.pages = c.pages;
    wish.widgets = c.widgets.map((w) => ({
      id: w.id, type: w.type, name: w.name ?? "", page_id: w.page_id, options: w.options, x: w.x, y: w.y, width: w.width, height: w.height,
      ...(w.x_mobile !== undefined && { x_mobile: w.x_mobile }), ...(w.y_mobile !== undefined && { y_mobile: w.y_mobile }),
      ...(w.width_mobile !== undefined && { width_mobile: w.width_mobile }), ...(w.height_mobile !== undefined && { height_mobile: w.height_mobile }),
      variables: [...w.variables.map((v) => v.id), ...(this.linked.has(w.id) ? [] : (gone.get(w.id) ?? []))],
    }));
    return wish;
  }

  // forget gives the draft up once all of it is saved.
  forget(): void {
    if (this.state.value === "saved") drafts.delete(this.id);
  }

  get whole(): boolean {
    return this.state.value === "saved";
  }
}

const contentOf = (d: Dashboard): Content => ({ name: d.name, pages: d.pages, widgets: d.widgets });

const later = (a: Dashboard, b: Dashboard): boolean => Date.parse(a.updated_at) > Date.parse(b.updated_at);

// bare is a content without what only the server says.
function bare(c: Content): unknown {
  return [c.name, c.pages, c.widgets.map((w) => [w.id, w.type, w.name, w.page_id, w.x, w.y, w.width, w.height, w.x_mobile, w.y_mobile, w.width_mobile, w.height_mobile, w.options, w.variables.map((v) => v.id)])];
}

// What is not saved is asked about before the tab goes, and tried again once the server is there.
addEventListener("beforeunload", (e) => {
  for (const d of drafts.values()) if (!d.whole) e.preventDefault();
});
reachable.subscribe((there) => {
  if (there && !signedOut.peek()) for (const d of drafts.values()) if (d.state.peek() === "failed") void d.save();
});
signedOut.subscribe((out) => {
  if (!out) for (const d of drafts.values()) if (d.state.peek() === "failed") void d.save();
});
