import { useSignal } from "@preact/signals";
import { mainPage, type Page } from "../../../model/dashboard";
import { go } from "../../../router";
import { t, tn } from "../../../text";
import { Button } from "../../../ui/Button";
import { Dialog } from "../../../ui/Dialog";
import { Field } from "../../../ui/Field";
import { Drawing } from "../../../ui/Icon";
import { type Item, Menu } from "../../../ui/Menu";
import { say } from "../../../ui/Toast";
import { pageIcons } from "../pageIcons";
import { pageAddress } from "../Pages";
import type { Draft } from "./draft";

const mostPages = 30; // that the server takes, beside the main one

// PageTools adds a page, and changes the one that is shown.
export function PageTools({ draft, page, at }: { draft: Draft; page: string; at: string }) {
  const opened = useSignal<"" | "new" | "change">("");
  const pages = draft.now.value.pages;
  const here = pages.findIndex((p) => p.id === page);
  const current = pages[here];
  const to = (id: string): void => go(pageAddress(at, id) + "?edit=1");
  const numbered = (all: Page[]): Page[] => all.map((p, position) => ({ ...p, position }));
  const shift = (by: number): void =>
    draft.change((c) => {
      const all = [...c.pages];
      const [moved] = all.splice(here, 1);
      if (moved) all.splice(here + by, 0, moved);
      return { ...c, pages: numbered(all) };
    });
  const drop = (): void => {
    const before = draft.now.value;
    const lost = before.widgets.filter((w) => w.page_id === page).length;
    to(mainPage);
    draft.change((c) => ({ ...c, pages: numbered(c.pages.filter((p) => p.id !== page)), widgets: c.widgets.filter((w) => w.page_id !== page) }));
    say(tn("page.deleted", lost, { name: current?.name ?? "" }), () => draft.undo());
  };
  const keep = (name: string, icon: string): void => {
    const change = opened.value === "change";
    opened.value = "";
    if (change) {
      draft.change((c) => ({ ...c, pages: c.pages.map((p) => (p.id === page ? { ...p, name, icon } : p)) }));
      return;
    }
    const id = crypto.randomUUID();
    draft.change((c) => ({ ...c, pages: numbered([...c.pages, { id, name, icon, position: c.pages.length }]) }));
    setTimeout(() => to(id)); // after the dialog has gone
  };
  const items: Item[] = [{ label: t("page.change"), icon: "edit", onPick: () => (opened.value = "change") }];
  if (here > 0) items.push({ label: t("page.left"), icon: "up", onPick: () => shift(-1) });
  if (here < pages.length - 1) items.push({ label: t("page.right"), icon: "down", onPick: () => shift(1) });
  items.push({ label: t("page.delete"), icon: "trash", danger: true, onPick: drop });
  return (
    <div class="acts">
      {current && <Menu label={t("page.more", { name: current.name })} groups={[{ items }]} />}
      {pages.length < mostPages && (
        <Button small kind="quiet" icon="plus" onClick={() => (opened.value = "new")}>
          {t("page.add")}
        </Button>
      )}
      {opened.value && <PageForm page={opened.value === "change" ? current : undefined} keep={keep} onClose={() => (opened.value = "")} />}
    </div>
  );
}

function PageForm({ page, keep, onClose }: { page: Page | undefined; keep: (name: string, icon: string) => void; onClose: () => void }) {
  const name = useSignal(page?.name ?? "");
  const icon = useSignal(page?.icon ?? "");
  return (
    <Dialog
      title={page ? t("page.change") : t("page.add")}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" form="page">
            {t("settings.keep")}
          </Button>
        </>
      }
    >
      <form
        id="page"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          keep(name.value.trim(), icon.value);
        }}
      >
        <Field label={t("col.name")}>{(f) => <input {...f} type="text" required maxLength={64} pattern=".*[a-zA-Z0-9_.@\-].*" title={t("page.name.hint")} autocomplete="off" value={name.value} onInput={(e) => (name.value = e.currentTarget.value)} />}</Field>
        <fieldset class="iconchoice">
          <legend>{t("page.icon")}</legend>
          {["", ...Object.keys(pageIcons)].map((one) => (
            <label key={one}>
              <input type="radio" name="icon" checked={icon.value === one} onChange={() => (icon.value = one)} aria-label={one ? t("page.icon.named", { name: one }) : t("page.icon.none")} />
              {one ? <Drawing lines={pageIcons[one] ?? ""} /> : <span aria-hidden="true">–</span>}
            </label>
          ))}
        </fieldset>
      </form>
    </Dialog>
  );
}
