// Notices in this browser (Web Push): what it can, whether it may, and the server's list of browsers that get them.
import { keepNow } from "../keep";
import { call } from "../api";

export interface Browser {
  id: string;
  name: string;
  service: string; // host of its push service
  created_at: string;
}

// A Refusal is why a browser cannot get notices, or does not yet.
export type Refusal = "none" | "insecure" | "install" | "denied";

const remembered = "ardesia.push"; // the server's ID of this browser's subscription

export const listBrowsers = (signal?: AbortSignal): Promise<Browser[]> => call("/v1/push", signal ? { signal } : {});

export const forgo = (id: string): Promise<void> => call(`/v1/push/${encodeURIComponent(id)}`, { method: "DELETE" });

// refusal says why notices cannot be turned on here; undefined: they can, or the person has not been asked yet.
export function refusal(): Refusal | undefined {
  if (!isSecureContext) return "insecure";
  const can = "serviceWorker" in navigator && "PushManager" in globalThis && "Notification" in globalThis;
  if (!can) return /iPhone|iPad/.test(navigator.userAgent) ? "install" : "none";
  return Notification.permission === "denied" ? "denied" : undefined;
}

// here is the server's ID of this browser, among those that it knows; undefined: this one gets no notices.
export async function here(all: Browser[]): Promise<string | undefined> {
  const id = localStorage.getItem(remembered);
  if (!id || !all.some((b) => b.id === id) || refusal()) return undefined;
  return (await subscription()) ? id : undefined;
}

// turnOn has this browser get notices: the browser asks the person, and tells where notices for it go.
export async function turnOn(): Promise<void> {
  if ((await Notification.requestPermission()) !== "granted") throw new DOMException("not granted", "NotAllowedError");
  keepNow();
  const worker = await navigator.serviceWorker.ready;
  const { key } = await call<{ key: string }>("/v1/push/key");
  const wanted = bytes(key);
  let s = await worker.pushManager.getSubscription();
  if (s && !same(s.options.applicationServerKey, wanted)) {
    await s.unsubscribe(); // of a server that was set up anew
    s = null;
  }
  s ??= await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: wanted });
  const { endpoint, keys } = s.toJSON();
  const made = await call<Browser>("/v1/push", { method: "POST", body: { endpoint, keys, name: browserName() } });
  localStorage.setItem(remembered, made.id);
}

// turnOff has this browser get none any more.
export async function turnOff(id: string): Promise<void> {
  await forgo(id);
  localStorage.removeItem(remembered);
  await (await subscription())?.unsubscribe();
}

async function subscription(): Promise<PushSubscription | null> {
  const worker = await navigator.serviceWorker.getRegistration("/app/");
  return (await worker?.pushManager.getSubscription()) ?? null;
}

function bytes(base64url: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function same(a: ArrayBuffer | null, b: Uint8Array): boolean {
  const has = new Uint8Array(a ?? new ArrayBuffer(0));
  return has.length === b.length && has.every((x, i) => x === b[i]);
}

// browserName is what people know this browser by.
export function browserName(): string {
  const agent = navigator.userAgent;
  const browser = /Firefox\//.test(agent) ? "Firefox" : /Edg\//.test(agent) ? "Edge" : /OPR\//.test(agent) ? "Opera" : /Chrome\//.test(agent) ? "Chrome" : /Safari\//.test(agent) ? "Safari" : "";
  const system = /Android/.test(agent) ? "Android" : /iPhone|iPad/.test(agent) ? "iOS" : /Windows/.test(agent) ? "Windows" : /Mac OS/.test(agent) ? "macOS" : /Linux/.test(agent) ? "Linux" : "";
  return [browser, system].filter(Boolean).join(" · ");
}
