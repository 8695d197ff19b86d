import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { isOld } from "../../data";
import { search } from "../../router";
import { t } from "../../text";
import { Button } from "../../ui/Button";
import { Icon } from "../../ui/Icon";
import { Head } from "../../ui/Page";

// isKiosk says whether the address asks for a dashboard that fills the screen, as on a wall: with ?kiosk.
export const isKiosk = (): boolean => new URLSearchParams(search.value).has("kiosk");

export function setKiosk(on: boolean): void {
  const q = new URLSearchParams(location.search);
  if (on) q.set("kiosk", "1");
  else q.delete("kiosk");
  const text = q.toString();
  history.replaceState(null, "", location.pathname + (text ? "?" + text : ""));
  search.value = location.search;
  // The browser may refuse: then it fills the window.
  if (on) document.documentElement.requestFullscreen?.().catch(() => undefined);
  else if (document.fullscreenElement) void document.exitFullscreen().catch(() => undefined);
}

interface Locks {
  wakeLock?: { request(type: "screen"): Promise<{ release(): Promise<void> }> };
}

// Kiosk is a dashboard without anything around it. The screen stays on while it is shown, where the browser can do that.
export function Kiosk({ title, children }: { title: string; children: ComponentChildren }) {
  useEffect(() => {
    document.documentElement.dataset.kiosk = "";
    let held: { release(): Promise<void> } | undefined;
    let left = false;
    const hold = (): void => {
      if (document.visibilityState !== "visible") return;
      (navigator as Locks).wakeLock?.request("screen").then(
        (lock) => {
          if (left) void lock.release();
          else held = lock;
        },
        () => undefined,
      );
    };
    const keys = (e: KeyboardEvent): void => {
      if (e.key === "Escape" && !document.querySelector("dialog[open]")) setKiosk(false);
    };
    const full = (): void => {
      if (!document.fullscreenElement) setKiosk(false); // it was left by the browser's own key
    };
    hold();
    document.addEventListener("visibilitychange", hold);
    document.addEventListener("fullscreenchange", full);
    addEventListener("keydown", keys);
    return () => {
      left = true;
      delete document.documentElement.dataset.kiosk;
      void held?.release().catch(() => undefined);
      document.removeEventListener("visibilitychange", hold);
      document.removeEventListener("fullscreenchange", full);
      removeEventListener("keydown", keys);
    };
  }, []);
  return (
    <>
      <div class="kiosk-head">
        <Head title={title} />
        {isOld() && (
          <p class="kiosk-old" role="status">
            <Icon name="warn" size={18} />
            {t("kiosk.old")}
          </p>
        )}
        <Button kind="quiet" icon="close" label={t("kiosk.leave")} onClick={() => setKiosk(false)} />
      </div>
      {children}
    </>
  );
}
