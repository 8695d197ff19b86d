// The worker keeps the shell of the application (its scripts, its style, its first page) for when there is no network.
// It never keeps an answer of the API: what is shown is then marked as old by who shows it. It shows the notices of triggers, too.

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
interface Pushed extends Work {
  data: { json(): unknown } | null;
}
interface Clicked extends Work {
  notification: Notification;
}
interface Client {
  url: string;
  focused: boolean;
  focus(): Promise<unknown>;
  postMessage(what: unknown): void;
}
const me = globalThis as unknown as {
  addEventListener(type: string, on: (e: never) => void): void;
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void>; matchAll(o: { type: "window" }): Promise<Client[]>; openWindow(url: string): Promise<unknown> };
  registration: ServiceWorkerRegistration;
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

// A notice as the server sends it (trigger.wireNotice). One with a tag that is shown already takes its place.
interface Notice {
  title: string;
  body: string;
  tag: string;
  trigger_id: string;
  space_id: string;
  at: string;
}

me.addEventListener("push", (e: Pushed) => {
  let n: Partial<Notice> = {};
  try {
    n = (e.data?.json() ?? {}) as Partial<Notice>;
  } catch {
    // Not our server's: browsers want something to be shown for each message, so the name alone is.
  }
  const options = { body: String(n.body ?? ""), tag: String(n.tag ?? ""), icon: "/a/-/icon-192.png", data: { to: pageOf(n) }, timestamp: Date.parse(n.at ?? "") || Date.now() };
  e.waitUntil(me.registration.showNotification(String(n.title || "Ardesia"), options));
});

// pageOf is the page of the trigger that a notice is of, in its space.
function pageOf(n: Partial<Notice>): string {
  if (!n.trigger_id) return "/app/triggers";
  return `/app/triggers/${encodeURIComponent(n.trigger_id)}` + (n.space_id ? `?space=${encodeURIComponent(n.space_id)}` : "");
}

me.addEventListener("notificationclick", (e: Clicked) => {
  e.notification.close();
  const to = (e.notification.data as { to?: unknown } | null)?.to;
  e.waitUntil(show(typeof to === "string" ? to : "/app/"));
});

// show leads a tab that is open there, or opens one. A tab is told where to go, since it may have something that is not saved.
async function show(to: string): Promise<void> {
  const open = (await me.clients.matchAll({ type: "window" })).filter((c) => new URL(c.url).pathname.startsWith("/app/") && !c.url.endsWith("/app/keeper"));
  const tab = open.find((c) => c.focused) ?? open[0];
  if (!tab) {
    await me.clients.openWindow(to);
    return;
  }
  tab.postMessage({ to });
  await tab.focus().catch(() => undefined); // it was led there all the same
}
