import { useEffect } from "preact/hooks";
import { reachable } from "../api";
import { more, rooms } from "../pages/routes";
import { path } from "../router";
import { t } from "../text";
import { Confirms } from "../ui/Confirm";
import { Icon } from "../ui/Icon";
import { Toasts } from "../ui/Toast";
import { AccountMenu } from "./Account";
import { Connection, Offline } from "./Connection";
import { Mark } from "./Mark";
import { Palette, palette } from "./Palette";
import { SignedOut } from "./SignedOut";
import { Spaces } from "./Spaces";
import { View } from "./View";

// Shell is what stays while pages come and go: a side bar on wide screens, bars above and below on phones.
export function Shell() {
  useKeys();
  return (
    <div class="shell">
      <a class="skip" href="#main" onClick={skip}>
        {t("skip")}
      </a>
      <header class="side">
        <div class="side-top">
          <a class="brand" href="/app/" aria-label="Ardesia">
            <Mark />
            <span>Ardesia</span>
          </a>
          <Spaces />
        </div>
        <button type="button" class="search" aria-label={t("search.open")} aria-keyshortcuts="/ Control+K" onClick={() => (palette.value = true)}>
          <Icon name="search" size={18} />
          <span>{t("search.open")}</span>
          <kbd aria-hidden="true">/</kbd>
        </button>
        <nav class="rooms" aria-label={t("nav.rooms")}>
          {[...rooms, ...more].map((r, i) => (
            <a key={r.href} href={r.href} class={i < rooms.length ? undefined : "minor"} aria-current={path.value === r.href ? "page" : path.value.startsWith(r.href + "/") ? "true" : undefined}>
              <Icon name={r.icon} size={22} />
              <span>{t(r.title)}</span>
            </a>
          ))}
        </nav>
        <div class="side-end">
          <Connection />
          <AccountMenu />
        </div>
      </header>
      <div class="stage">
        <Offline />
        <main id="main" tabIndex={-1}>
          <View />
        </main>
      </div>
      <Toasts />
      <Confirms />
      {palette.value && <Palette />}
      <SignedOut />
    </div>
  );
}

function skip(e: Event): void {
  e.preventDefault();
  document.getElementById("main")?.focus();
}

// useKeys opens the search by "/" and Ctrl+K, and asks whether the server is back while it cannot be reached.
function useKeys(): void {
  useEffect(() => {
    const key = (e: KeyboardEvent): void => {
      const typing = (e.target as Element | null)?.closest?.("input, textarea, select, [contenteditable]");
      const asks = (e.key === "k" && (e.ctrlKey || e.metaKey)) || (e.key === "/" && !typing && !e.ctrlKey && !e.metaKey && !e.altKey);
      if (!asks || document.querySelector("dialog[open]")) return;
      e.preventDefault();
      palette.value = true;
    };
    addEventListener("keydown", key);
    const ask = setInterval(() => {
      if (!reachable.value)
        fetch("/healthz", { cache: "no-store" }).then(
          (r) => (reachable.value = r.ok),
          () => undefined,
        );
    }, 3000);
    return () => {
      removeEventListener("keydown", key);
      clearInterval(ask);
    };
  }, []);
}
