// Has the worker registered that keeps the shell; keeper.ts says why that is done in a frame.
export function keep(): void {
  if (!("serviceWorker" in navigator)) return;
  addEventListener("load", frame, { once: true });
  if (document.readyState === "complete") frame();
}

function frame(): void {
  removeEventListener("load", frame);
  const f = document.createElement("iframe");
  f.src = "/app/keeper";
  f.hidden = true;
  f.title = "keeper";
  f.setAttribute("aria-hidden", "true");
  document.body.append(f);
  void navigator.serviceWorker.ready.then(() => f.remove());
}
