// The worker keeps the shell of the application (its scripts, its style, its first page) for when there is no network.
// It never keeps an answer of the API: what is shown is then marked as old by who shows it.

// The server writes the files of this build here, and the build's name.
const files = "ARDESIA_FILES" as unknown as string[];
const build = "ARDESIA_BUILD";
const kept = "shell-" + build;
const shell = "/app/";

interface Work extends Event {
  waitUntil(p: Promise<unknown>): void;
}
interface Fetching extends Work {
  request: Request;
  respondWith(p: Promise<Response>): void;
}
const me = globalThis as unknown as {
  addEventListener(type: string, on: (e: never) => void): void;
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
};

me.addEventListener("install", (e: Work) => {
  e.waitUntil(caches.open(kept).then((c) => c.addAll(files)).then(() => me.skipWaiting()));
});

me.addEventListener("activate", (e: Work) => {
  const old = (k: string) => k.startsWith("shell-") && k !== kept;
  e.waitUntil(caches.keys().then((all) => Promise.all(all.filter(old).map((k) => caches.delete(k)))).then(() => me.clients.claim()));
});

me.addEventListener("fetch", (e: Fetching) => {
  const url = new URL(e.request.url);
  if (e.request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname.startsWith("/a/")) e.respondWith(fromKept(e.request));
  else if (e.request.destination === "document" && url.pathname.startsWith("/app/") && url.pathname !== "/app/signin") e.respondWith(page(e.request)); // frames are no pages
});

async function fromKept(request: Request): Promise<Response> {
  return (await caches.match(request)) ?? fetch(request);
}

// page is the newest first page, or the one that was kept where there is no network.
async function page(request: Request): Promise<Response> {
  try {
    const fresh = await fetch(request);
    if (fresh.ok && !fresh.redirected) await (await caches.open(kept)).put(shell, fresh.clone());
    return fresh;
  } catch (err) {
    const old = await caches.match(shell);
    if (old) return old;
    throw err;
  }
}
