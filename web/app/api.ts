// The API as the pages call it: one typed fetch, whose errors are the server's words in the language of the page.
import { signal } from "@preact/signals";
import { said, t } from "./text";

// A Problem is why a call failed. detail is the server's sentence, or ours where it could not be reached.
export class Problem extends Error {
  constructor(
    readonly status: number, // 0: no answer came
    readonly code: string,
    readonly detail: string,
    readonly wait = 0, // ms, before it is worth another try
  ) {
    super(detail);
  }
}

export interface Ask {
  method?: "GET" | "PUT" | "POST" | "PATCH" | "DELETE";
  query?: Record<string, string | number | boolean | string[] | undefined>;
  body?: unknown;
  raw?: Blob; // a body that is no JSON
  anywhere?: boolean; // of the person, in whichever space the page is
  since?: string; // the updated_at of what is changed: if it is another by now, nothing is changed, and the answer is 412
  signal?: AbortSignal;
  early?: boolean; // the first page has had the browser ask already, which gives that answer to a request with the same headers
}

// reachable says whether the last call got an answer. What is on screen is old while it is false.
export const reachable = signal(true);

// signedOut is set when an answer says that nobody is signed in any more.
export const signedOut = signal(false);

let space = "";

// setSpace says in which space all further calls are made.
export function setSpace(id: string): void {
  space = id;
}

export function address(path: string, query: Ask["query"] = {}): string {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === "") continue;
    if (Array.isArray(value)) for (const one of value) q.append(name, one);
    else q.set(name, String(value));
  }
  const text = q.toString();
  return text ? `${path}?${text}` : path;
}

// headers are those of every call.
export function headers(more: Record<string, string> = {}, anywhere = false): Record<string, string> {
  return space && !anywhere ? { "X-Organization": space, ...more } : more;
}

const tries = 3; // of what changes nothing
const patience = 10_000; // ms: what the server asks to wait for at most, else its words are shown

// call asks the API, and gives the JSON of the answer. What only reads is tried again while the server cannot be
// reached or says that it is busy; what writes is tried again only when the server has said that it did nothing.
export async function call<T>(path: string, ask: Ask = {}): Promise<T> {
  const response = await send(path, ask);
  if (response.status === 204 || response.headers.get("Content-Length") === "0") return undefined as T;
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

// send is call for answers that are no JSON.
export async function send(path: string, ask: Ask = {}): Promise<Response> {
  const reads = (ask.method ?? "GET") === "GET";
  for (let n = 1; ; n++) {
    try {
      return await once(path, ask);
    } catch (err) {
      if (!(err instanceof Problem) || ask.signal?.aborted || n > tries) throw err;
      const busy = err.status === 429 && err.wait <= patience;
      const lost = reads && (err.status === 0 || err.status === 502 || err.status === 503 || err.status === 504);
      if (!busy && !lost) throw err;
      await pause(Math.max(err.wait, 250 * 3 ** (n - 1)) * (1 + Math.random() / 4), ask.signal);
    }
  }
}

async function once(path: string, ask: Ask): Promise<Response> {
  const init: RequestInit = { method: ask.method ?? "GET", headers: headers(ask.early ? {} : { Accept: "application/json" }, ask.anywhere), credentials: "same-origin", cache: "no-store" };
  if (ask.signal) init.signal = ask.signal;
  if (ask.body !== undefined) {
    init.body = JSON.stringify(ask.body);
    init.headers = headers({ Accept: "application/json", "Content-Type": "application/json" });
  }
  if (ask.raw) {
    init.body = ask.raw;
    init.headers = headers({ Accept: "application/json", "Content-Type": ask.raw.type || "application/octet-stream" });
  }
  if (ask.since) init.headers = { ...(init.headers as Record<string, string>), "If-Match": `"${ask.since}"` };
  let response: Response;
  try {
    response = await fetch(address(path, ask.query), init);
  } catch (err) {
    if (ask.signal?.aborted) throw err;
    reachable.value = false;
    throw new Problem(0, "unreachable", t("problem.unreachable"));
  }
  reachable.value = response.status < 502 || response.status > 504;
  if (response.ok) return response;
  throw await problem(response);
}

async function problem(response: Response): Promise<Problem> {
  const told = await response.json().catch(() => undefined); // no words of our server: a proxy's page
  const after = Number(response.headers.get("Retry-After"));
  return refused(response.status, told, Number.isFinite(after) ? after * 1000 : 0);
}

// refused is what an answer that is no success tells.
export async function refused(status: number, told: unknown, wait = 0): Promise<Problem> {
  if (status === 401) signedOut.value = true;
  const { code, detail } = (told ?? {}) as { code?: string; detail?: string };
  return new Problem(status, code || "http-" + status, detail ? await said(code ?? "", detail) : t("problem.other", { status }), wait);
}

// pause waits, but not longer than a signal lets it.
export function pause(ms: number, until?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      until?.removeEventListener("abort", gone);
      resolve();
    }
    function gone(): void {
      clearTimeout(timer);
      reject(new DOMException("left", "AbortError"));
    }
    until?.addEventListener("abort", gone, { once: true });
  });
}

// words are what an error says to people.
export function words(err: unknown): string {
  return err instanceof Problem ? err.detail : t("problem.ours");
}

export function isAbort(err: unknown): boolean {
  return err instanceof DOMException && err.name === "AbortError";
}
