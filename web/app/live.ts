// What changes while one looks: one stream of events for the whole tab, GET /v1/live, that all components share.
// Who shows values says which things, by watch; the stream follows what is watched. The state says whether
// what is shown is live; nothing else may be shown as live.
import { signal } from "@preact/signals";
import { address, headers, isAbort, pause, reachable, signedOut } from "./api";
import { back } from "./session";

export interface Value {
  thing: string;
  property: string;
  value: unknown;
  at: string;
}

export interface Status {
  device: string;
  status: "ONLINE" | "OFFLINE" | "UNKNOWN";
  at: string;
}

export interface Watcher {
  things?: string[];
  devices?: string[] | "all";
  dashboard?: string; // what it shows; one for the whole tab, the newest
  onValues?: (all: Value[]) => void;
  onDevices?: (all: Status[]) => void;
  // onGap says that something may have been missed until a moment (ms): whoever has older data reads it anew.
  onGap?: (until: number) => void;
}

export type State = "idle" | "connecting" | "live" | "reconnecting" | "offline";

export const state = signal<State>("idle");

// since is when the stream was last heard of, in ms; 0 never.
export const since = signal(0);

// Seconds without a sign after which the stream counts as broken: the server sends one every 15.
const silence = 40_000;
const longestPause = 30_000;

const watchers = new Set<Watcher>();
let current: Stream | undefined;
let planned: ReturnType<typeof setTimeout> | undefined;

// watch begins to look; the function that it gives ends that.
export function watch(w: Watcher): () => void {
  watchers.add(w);
  plan();
  return () => {
    watchers.delete(w);
    plan();
  };
}

// plan opens the stream that the watchers want, a moment later: pages come and go in one.
function plan(): void {
  clearTimeout(planned);
  planned = setTimeout(follow, 30);
}

// Whoever does not look needs no stream, and a page that the browser only keeps must not hold one: a person may have few.
const unseen = 30_000; // ms after which a hidden tab lets its stream go
let hidden = false;
let missed = false; // what is on screen is from before the tab was hidden

function look(): void {
  clearTimeout(hiding);
  if (document.visibilityState === "visible") {
    hidden = false;
    plan();
  } else hiding = setTimeout(leave, unseen);
}
function leave(): void {
  hidden = missed = true;
  follow();
}
let hiding: ReturnType<typeof setTimeout> | undefined;
document.addEventListener("visibilitychange", look);
addEventListener("pagehide", leave);
addEventListener("pageshow", look);

function wanted(): string {
  if (hidden) return "";
  const things = new Set<string>();
  const devices = new Set<string>();
  let all = false;
  let dashboard = "";
  for (const w of watchers) {
    dashboard = w.dashboard ?? dashboard;
    w.things?.forEach((id) => things.add(id));
    if (w.devices === "all") all = true;
    else w.devices?.forEach((id) => devices.add(id));
  }
  if (!things.size && !devices.size && !all && !dashboard) return "";
  return address("/v1/live", { dashboard, thing: [...things].sort(), device: all ? [] : [...devices].sort(), devices: all ? "all" : undefined });
}

function follow(): void {
  const at = wanted();
  if (current?.at === at) return;
  const old = current;
  current = undefined;
  if (!at) {
    old?.stop();
    state.value = hidden ? "reconnecting" : "idle"; // until the next stream speaks, what is on screen is old
    return;
  }
  // The old stream goes on until the new one speaks, so that nothing is missed and nothing flickers.
  current = new Stream(at, old);
  void current.run();
}

class Stream {
  private readonly left = new AbortController();
  private lastID = "";
  private spoke = false;

  constructor(
    readonly at: string,
    private old: Stream | undefined,
  ) {
    if (state.value !== "live") state.value = missed ? "reconnecting" : "connecting";
  }

  stop(): void {
    this.old?.stop();
    this.left.abort();
  }

  async run(): Promise<void> {
    for (let failed = 0; !this.left.signal.aborted; ) {
      this.spoke = false;
      try {
        await this.listen();
      } catch (err) {
        if (isAbort(err) && this.left.signal.aborted) return;
      }
      if (this.left.signal.aborted) return;
      failed = this.spoke ? 1 : failed + 1;
      if (this === current) state.value = failed > 2 ? "offline" : "reconnecting";
      if (signedOut.value) await until(() => !signedOut.value, this.left.signal);
      const wait = Math.min(longestPause, 500 * 2 ** (failed - 1)) * (0.75 + Math.random() / 2);
      await awake(wait, this.left.signal).catch(() => undefined);
    }
  }

  private async listen(): Promise<void> {
    const quiet = new AbortController();
    const stop = (): void => quiet.abort();
    this.left.signal.addEventListener("abort", stop);
    addEventListener("offline", stop); // a stream of a network that is gone would only be silent
    let timer = setTimeout(stop, silence);
    try {
      const more: Record<string, string> = { Accept: "text/event-stream" };
      if (this.lastID) more["Last-Event-ID"] = this.lastID;
      const response = await fetch(this.at, { headers: headers(more), credentials: "same-origin", cache: "no-store", signal: quiet.signal });
      if (response.status === 401) signedOut.value = true;
      if (response.status === 403 || response.status === 404) void back(); // who is signed in now may have no place here
      if (!response.ok || !response.body) {
        if (response.status < 500) this.lastID = "";
        throw new Error("no stream: " + response.status);
      }
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const parse = parser(
        (event, data) => this.hear(event, data),
        (id) => (this.lastID = id),
      );
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(stop, silence);
        since.value = Date.now();
        parse(value);
      }
    } finally {
      clearTimeout(timer);
      removeEventListener("offline", stop);
      this.left.signal.removeEventListener("abort", stop);
    }
  }

  private hear(event: string, data: string): void {
    const told: unknown = JSON.parse(data);
    switch (event) {
      case "hello":
        this.spoke = true;
        this.old?.stop();
        this.old = undefined;
        if (this === current) {
          state.value = "live";
          missed = false;
        }
        reachable.value = true;
        if (!(told as { resumed?: boolean }).resumed) gap();
        return;
      case "values":
        for (const w of watchers) w.onValues?.(told as Value[]);
        return;
      case "devices":
        for (const w of watchers) w.onDevices?.(told as Status[]);
        return;
      case "reload":
        gap();
    }
  }
}

function gap(): void {
  const now = Date.now();
  for (const w of watchers) w.onGap?.(now);
}

// parser takes pieces of an event stream (HTML standard, section 9.2.6) and tells of each event, and of each id, which
// may come alone.
export function parser(hear: (event: string, data: string) => void, reached: (id: string) => void): (piece: string) => void {
  let rest = "";
  let event = "";
  let id = "";
  let data: string[] = [];
  return (piece) => {
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (id) reached(id);
        if (data.length) hear(event || "message", data.join("\n"));
        id = "";
        event = "";
        data = [];
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue; // a comment, which only says that the server is there
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "event") event = value;
      else if (field === "data") data.push(value);
      else if (field === "id") id = value;
    }
  };
}

// awake waits, but not on when the machine comes back to the network or the page to sight.
async function awake(ms: number, left: AbortSignal): Promise<void> {
  const woken = new AbortController();
  const wake = (): void => {
    if (document.visibilityState === "visible") woken.abort();
  };
  const stop = (): void => woken.abort();
  addEventListener("online", wake);
  document.addEventListener("visibilitychange", wake);
  left.addEventListener("abort", stop);
  try {
    await pause(ms, woken.signal);
  } finally {
    removeEventListener("online", wake);
    document.removeEventListener("visibilitychange", wake);
    left.removeEventListener("abort", stop);
  }
}

async function until(is: () => boolean, left: AbortSignal): Promise<void> {
  while (!is()) await pause(500, left);
}
