// What pages read: a query is asked when its component comes, kept for when one comes back, and marked as old until the
// server has said it again.
import { type Signal, signal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { isAbort, Problem, reachable } from "./api";
import { state, watch, type Watcher } from "./live";

export interface Query<T> {
  readonly data: Signal<T | undefined>;
  readonly error: Signal<unknown>;
  readonly old: Signal<boolean>; // the data may not be what the server would say now
  reload(): Promise<void>;
}

const kept = new Map<string, unknown>();
const most = 200; // queries that are kept

// forget drops what is kept of queries whose key begins so: after a change, lists of before are not shown again.
export function forget(begin: string): void {
  for (const key of kept.keys()) if (key.startsWith(begin)) kept.delete(key);
}

// know keeps what somebody else has asked for: whoever asks by that key shows it while the server says it anew.
export function know(key: string, what: unknown): void {
  kept.delete(key);
  kept.set(key, what);
  for (const oldest of kept.keys()) {
    if (kept.size <= most) break;
    kept.delete(oldest);
  }
}

const early = new Map<string, { at: number; got: Promise<unknown> }>();

// ahead asks for something before the component is there that will, and that finds the answer on its way.
export function ahead<T>(key: string, load: (signal: AbortSignal) => Promise<T>): void {
  const got = load(new AbortController().signal);
  got.catch(() => undefined); // it is asked for again
  early.set(key, { at: Date.now(), got });
}

class Asked<T> implements Query<T> {
  readonly data: Signal<T | undefined>;
  readonly error = signal<unknown>(undefined);
  readonly old = signal(true);
  asked = 0; // ms: when what is shown was asked for
  private running: AbortController | undefined;

  constructor(
    private readonly key: string,
    public load: (signal: AbortSignal) => Promise<T>,
  ) {
    this.data = signal(kept.get(key) as T | undefined);
  }

  async reload(): Promise<void> {
    this.running?.abort();
    const mine = (this.running = new AbortController());
    const begun = early.get(this.key) as { at: number; got: Promise<T> } | undefined;
    early.delete(this.key);
    const at = begun?.at ?? Date.now();
    try {
      const got = await (begun ? begun.got.catch(() => this.load(mine.signal)) : this.load(mine.signal));
      if (mine.signal.aborted) return;
      know(this.key, got);
      this.asked = at;
      this.data.value = got;
      this.error.value = undefined;
      this.old.value = false;
    } catch (err) {
      if (mine.signal.aborted || isAbort(err)) return;
      this.error.value = err;
      this.old.value = true;
      if (err instanceof Problem && (err.status === 404 || err.status === 403)) {
        kept.delete(this.key);
        this.data.value = undefined; // it is not there any more: what was kept would be a lie
      }
    }
  }

  stop(): void {
    this.running?.abort();
  }
}

// useQuery asks for something, by a key that says what it is. More is what changes it while one looks.
export function useQuery<T>(key: string, load: (signal: AbortSignal) => Promise<T>, more?: Omit<Watcher, "onGap">): Query<T> {
  const asked = useMemo(() => new Asked(key, load), [key]);
  asked.load = load;
  useEffect(() => {
    void asked.reload();
    return () => asked.stop();
  }, [asked]);
  const watched = more ? JSON.stringify([more.things, more.devices, more.dashboard]) : "";
  useEffect(() => {
    if (!more) return undefined;
    return watch({ ...more, onGap: (until) => asked.asked < until && void asked.reload() });
  }, [asked, watched]);
  // Without a stream, or when it is back: what was read while nobody could be reached is read again.
  useSignalEffect(() => {
    if (!reachable.value) asked.old.value = true;
    else if (asked.old.peek() && asked.asked) void asked.reload();
  });
  return asked;
}

// isOld says that values on screen may not be those of now: nothing tells of newer ones.
export function isOld(): boolean {
  return !reachable.value || state.value === "reconnecting" || state.value === "offline";
}
