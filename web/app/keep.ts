// Has the worker registered that keeps the shell and shows notices; keeper.ts says why that is done in a frame.
import { state } from "./live";
import { base, go } from "./router";
import { space } from "./session";

let begun = false;

// keep does that when what the page shows is live, or does not want to be: the worker loads the whole application, by the same line.
export function keep(): void {
  if (!("serviceWorker" in navigator)) return;
  navigator.serviceWorker.addEventListener("message", lead);
  const late = setTimeout(keepNow, 5_000);
  const heard = state.subscribe((now) => {
    if (now !== "live") return;
    clearTimeout(late);
    setTimeout(() => heard());
    setTimeout(keepNow, 1_000);
  });
}

// keepNow is for who waits for the worker.
export function keepNow(): void {
  if (begun) return;
  begun = true;
  const f = document.createElement("iframe");
  f.src = "/app/keeper";
  f.hidden = true;
  f.title = "keeper";
  f.setAttribute("aria-hidden", "true");
  document.body.append(f);
  void navigator.serviceWorker.ready.then(() => f.remove());
}

// lead goes where a notice that somebody clicked leads: without loading anew, unless it is another space.
function lead(e: MessageEvent): void {
  const to = (e.data as { to?: unknown } | null)?.to;
  if (typeof to !== "string" || !to.startsWith(base + "/")) return;
  const at = new URL(to, location.origin);
  const wanted = at.searchParams.get("space");
  if (wanted && wanted !== space.value?.id) location.assign(to);
  else go(at.pathname);
}
