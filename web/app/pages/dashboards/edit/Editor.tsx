import { useComputed, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { type Dashboard, type Page, type Widget } from "../../../model/dashboard";
import { go, setQuery } from "../../../router";
import { t } from "../../../text";
import { Button } from "../../../ui/Button";
import { Empty } from "../../../ui/Empty";
import { Menu } from "../../../ui/Menu";
import { Note } from "../../../ui/Note";
import { Head } from "../../../ui/Page";
import { say } from "../../../ui/Toast";
import { kindNamed } from "../../../widgets";
import type { Kind } from "../../../widgets/widget";
import { onPhone } from "../Board";
import { useHealth } from "../Dashboard";
import { spotsOf, tidy } from "../grid";
import { allPages, PageTabs } from "../Pages";
import { titleOf } from "../Tile";
import { type Draft, draftOf } from "./draft";
import { EditGrid } from "./EditGrid";
import { Gallery } from "./Gallery";
import { PageTools } from "./PageTools";
import { Settings } from "./Settings";
import { copyOf, newWidget, withSpots } from "./widgets";

// Editor is a dashboard that is arranged: what is on it, where, and what it shows.
export default function Editor({ dashboard, page, reload }: { dashboard: Dashboard; page: string; reload: () => Promise<void> }) {
  const draft = draftOf(dashboard);
  const findings = useHealth(dashboard);
  const phone = useSignal(false);
  const locked = useSignal(false);
  const adding = useSignal(false);
  const opened = useSignal("");
  const mobile = useComputed(() => phone.value || onPhone.value);
  const now = draft.now.value;
  const at = "/app/dashboards/" + dashboard.id;
  const widgets = now.widgets.filter((w) => w.page_id === page);
  useEffect(() => {
    if (draft.hear(dashboard)) say(t("draft.other"));
  }, [dashboard.updated_at]);
  useEffect(() => {
    const keys = (e: KeyboardEvent): void => {
      if (!(e.ctrlKey || e.metaKey) || e.altKey || document.querySelector("dialog[open]") || typing(e.target)) return;
      const key = e.key.toLowerCase();
      if (key !== "z" && key !== "y") return;
      e.preventDefault();
      if (key === "y" || e.shiftKey) draft.redo();
      else draft.undo();
    };
    addEventListener("keydown", keys);
    return () => removeEventListener("keydown", keys);
  }, [draft]);
  const done = async (): Promise<void> => {
    await draft.save();
    if (!draft.whole) return; // why, is said above
    await reload();
    draft.forget();
    setQuery("edit", "");
  };
  const add = (kind: Kind): void => {
    adding.value = false;
    const w = newWidget(kind, page, widgets);
    draft.change((c) => ({ ...c, widgets: [...c.widgets, w] }));
    opened.value = w.id;
  };
  const acts = {
    open: (w: Widget): void => void (opened.value = w.id),
    copy: (w: Widget): void => {
      draft.change((c) => ({ ...c, widgets: [...c.widgets, copyOf(w, widgets)] }));
      say(t("tile.copied", { name: titleOf(w) }));
    },
    drop: (w: Widget): void => {
      draft.change((c) => ({ ...c, widgets: c.widgets.filter((one) => one.id !== w.id) }));
      say(t("tile.deleted", { name: titleOf(w) }), () => draft.change((c) => (c.widgets.some((one) => one.id === w.id) ? c : { ...c, widgets: [...c.widgets, w] })));
    },
    move: (w: Widget, to: Page): void => {
      draft.widget(w.id, (one) => newPlace(one, to.id, draft));
      say(t("tile.moved", { name: titleOf(w), page: to.name }), () => go(`${at}${to.id === "0" ? "" : "/" + to.id}?edit=1`));
    },
  };
  const shown = now.widgets.find((w) => w.id === opened.value);
  return (
    <>
      <Head title={now.name} crumb={{ href: "/app/dashboards", label: t("boards.title") }}>
        <SaveState draft={draft} />
        <Button kind="main" icon="check" busy={draft.state.value === "saving"} onClick={() => void done()}>
          {t("board.done")}
        </Button>
      </Head>
      <Trouble draft={draft} />
      <div class="editbar" role="toolbar" aria-label={t("edit.tools")}>
        <Button icon="plus" onClick={() => (adding.value = true)}>
          {onPhone.value ? t("edit.add") : t("board.add")}
        </Button>
        <div class="acts">
          <Button icon="restore" label={t("undo")} disabled={!draft.steps.value.back} onClick={() => draft.undo()} />
          <Button icon="redo" label={t("edit.redo")} disabled={!draft.steps.value.on} onClick={() => draft.redo()} />
        </div>
        {!onPhone.value && (
          <div class="segments" role="group" aria-label={t("edit.layout")}>
            <button type="button" aria-pressed={!phone.value} onClick={() => (phone.value = false)}>
              {t("edit.wide")}
            </button>
            <button type="button" aria-pressed={phone.value} onClick={() => (phone.value = true)}>
              {t("edit.phone")}
            </button>
          </div>
        )}
        <Button icon="lock" label={t("edit.lock")} pressed={locked.value} onClick={() => (locked.value = !locked.value)} />
        <Menu
          label={t("edit.more")}
          groups={[
            {
              items: [
                { label: t("edit.tidy"), icon: "up", onPick: () => draft.change((c) => withSpots(c, tidy(spotsOf(widgets, mobile.value)), mobile.value)) },
                ...(mobile.value && widgets.some((w) => w.x_mobile !== undefined) ? [{ label: t("edit.forget"), icon: "phone" as const, onPick: () => draft.change((c) => ({ ...c, widgets: c.widgets.map((w) => (w.page_id === page ? asWide(w) : w)) })) }] : []),
              ],
            },
          ]}
        />
      </div>
      <PageTabs dashboard={now} at={at} page={page} query="?edit=1">
        <PageTools draft={draft} page={page} at={at} />
      </PageTabs>
      {mobile.value && !onPhone.value && <p class="hint">{t("edit.phone.hint")}</p>}
      {widgets.length ? (
        <EditGrid draft={draft} widgets={widgets} mobile={mobile.value} locked={locked.value} findings={findings} pages={allPages(now).filter((p) => p.id !== page)} acts={acts} />
      ) : (
        <Empty icon="dashboards" title={t("board.none")} actions={<Button kind="main" icon="plus" onClick={() => (adding.value = true)}>{t("board.add")}</Button>}>
          <p>{t("board.none.text")}</p>
        </Empty>
      )}
      {adding.value && <Gallery onPick={add} onClose={() => (adding.value = false)} />}
      {shown && <Settings key={shown.id} draft={draft} widget={shown} kind={kindNamed(shown.type)} onClose={() => (opened.value = "")} />}
    </>
  );
}

const typing = (at: EventTarget | null): boolean => at instanceof HTMLInputElement || at instanceof HTMLTextAreaElement || at instanceof HTMLSelectElement;

// newPlace puts a widget last on another page.
function newPlace(w: Widget, page: string, draft: Draft): Widget {
  return { ...copyOf(w, draft.now.value.widgets.filter((one) => one.page_id === page)), id: w.id, page_id: page };
}

function asWide(w: Widget): Widget {
  const { x_mobile, y_mobile, width_mobile, height_mobile, ...rest } = w;
  return rest;
}

// SaveState says whether what is on screen is what the server has.
function SaveState({ draft }: { draft: Draft }) {
  const state = draft.state.value;
  const bad = state === "failed" || state === "conflict";
  return (
    <p class={bad ? "save-state bad" : "save-state"} role="status">
      {t(`draft.${state}`)}
    </p>
  );
}

// Trouble says why it was not saved, and what to do.
function Trouble({ draft }: { draft: Draft }) {
  const state = draft.state.value;
  if (state === "failed")
    return (
      <Note kind="bad">
        <p>{draft.wrong.value}</p>
        <p>{t("draft.kept")}</p>
        <Button small onClick={() => void draft.save()}>
          {t("again")}
        </Button>
      </Note>
    );
  if (state === "conflict")
    return (
      <Note kind="warn">
        <p>{draft.wrong.value}</p>
        <div class="acts">
          <Button small onClick={() => draft.resolve(false)}>
            {t("draft.theirs")}
          </Button>
          <Button small onClick={() => draft.resolve(true)}>
            {t("draft.mine")}
          </Button>
        </div>
      </Note>
    );
  return null;
}
