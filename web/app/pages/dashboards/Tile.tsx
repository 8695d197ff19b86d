import { useSignal } from "@preact/signals";
import { Component, type ComponentChildren, type ComponentType } from "preact";
import { useEffect, useId } from "preact/hooks";
import { isOld } from "../../data";
import type { Finding, Mark, Variable, Widget } from "../../model/dashboard";
import { lastOf } from "../../model/values";
import { t, type Key } from "../../text";
import { Icon } from "../../ui/Icon";
import { kindNamed, takes } from "../../widgets";
import type { Kind, Past, ViewProps } from "../../widgets/widget";

// A Feed is what all widgets of a dashboard get from whoever shows it.
export interface Feed {
  mobile: boolean;
  readOnly: boolean;
  past?: Past;
  stale?: boolean; // said by whoever has no stream; else the stream says it
  set(variable: Variable, value: unknown): Promise<boolean>;
  elsewhere?(widget: Widget): string; // where the server gives the picture of another one that a widget shows
}

const marks: Partial<Record<Mark, Key>> = { missing: "mark.missing", type: "mark.type", permission: "mark.permission", unlinked: "mark.unlinked", "no-device": "mark.nodevice", offline: "mark.offline" };
const order = Object.keys(marks) as Mark[];

// titleOf is what a widget is called: by its name, or by what it shows.
export function titleOf(widget: Widget): string {
  if (widget.name) return widget.name;
  const kind = kindNamed(widget.type);
  return widget.variables[0]?.name ?? (kind ? t(kind.title) : widget.type);
}

// Tile is the frame of a widget: its name, what is wrong with it, and the widget itself. still: nobody can use the widget, which is
// being arranged.
export function Tile({ widget, feed, findings, still, children }: { widget: Widget; feed: Feed; findings: Finding[]; still?: boolean; children?: ComponentChildren }) {
  const id = useId();
  const kind = kindNamed(widget.type);
  const silent = !widget.name && kind?.most === 0; // a note or a picture needs no name
  const found = order.filter((m) => findings.some((f) => f.mark === m));
  return (
    <article class="tile" aria-labelledby={id} data-widget={widget.id} data-kind={widget.type}>
      <header class={silent ? "tile-head sr" : "tile-head"}>
        <h2 id={id}>{titleOf(widget)}</h2>
        {found.length > 0 && <Badge marks={found} />}
      </header>
      <div class="tile-body" inert={still}>
        <Guard>
          <Inside widget={widget} kind={kind} feed={feed} />
        </Guard>
      </div>
      {children}
    </article>
  );
}

// Badge says in words what is wrong; where there is no room for them they are heard, and seen on hovering.
function Badge({ marks: all }: { marks: Mark[] }) {
  const words = all.map((m) => t(marks[m] ?? "mark.missing"));
  const mild = all.every((m) => m === "offline" || m === "no-device");
  return (
    <span class={mild ? "mark mild" : "mark"} title={words.join(" · ")}>
      <Icon name={mild ? "unlink" : "warn"} size={14} />
      <span class="mark-words">{words[0]}</span>
    </span>
  );
}

function Inside({ widget, kind, feed }: { widget: Widget; kind: Kind | undefined; feed: Feed }) {
  if (!kind) return <Nothing text={t("tile.unknown", { type: widget.type })} />;
  const vars = widget.variables.filter((v) => takes(kind, v));
  if (kind.most > 0 && !vars.length) {
    if (widget.variables.length) return <Nothing text={t("tile.type", { name: widget.variables[0]?.name ?? "" })} />;
    return <Nothing text={widget.has_unlinked_variable ? t("tile.gone") : t("tile.unlinked")} />;
  }
  return <Loaded widget={widget} kind={kind} vars={vars} feed={feed} />;
}

function Nothing({ text }: { text: string }) {
  return <p class="tile-nothing">{text}</p>;
}

const views = new Map<string, ComponentType<ViewProps>>();

function Loaded({ widget, kind, vars, feed }: { widget: Widget; kind: Kind; vars: Variable[]; feed: Feed }) {
  const failed = useSignal(false);
  const view = useSignal<ComponentType<ViewProps> | undefined>(views.get(kind.type));
  useEffect(() => {
    let left = false;
    const had = views.get(kind.type);
    view.value = had;
    if (had) return undefined;
    kind.view().then(
      (m) => {
        views.set(kind.type, m.View);
        if (!left) view.value = m.View;
      },
      () => !left && (failed.value = true),
    );
    return () => {
      left = true;
    };
  }, [kind]);
  if (failed.value) return <Nothing text={t("load.failed")} />;
  const View = view.value;
  if (!View) return <span class="skeleton tile-wait" />;
  const values = vars.map((v) => lastOf(v.id).value);
  const readOnly = feed.readOnly || !vars.some((v) => v.permission === "READ_WRITE");
  return <View widget={widget} vars={vars} values={values} stale={feed.stale ?? isOld()} readOnly={readOnly} set={feed.set} mobile={feed.mobile} {...(feed.past && { past: feed.past })} {...(feed.elsewhere && { elsewhere: feed.elsewhere(widget) })} />;
}

// Guard keeps the fault of one widget to itself.
class Guard extends Component<{ children: ComponentChildren }, { broken: boolean }> {
  override state = { broken: false };
  static override getDerivedStateFromError(): { broken: boolean } {
    return { broken: true };
  }
  override render() {
    return this.state.broken ? <Nothing text={t("tile.broken")} /> : this.props.children;
  }
}
