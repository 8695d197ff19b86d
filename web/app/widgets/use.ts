import { useEffect, useRef, useState } from "preact/hooks";
import { moment } from "../format";
import { kindOf, unitOf } from "../model/kind";
import { t } from "../text";
import { textIn } from "./option";
import type { Variable, ViewProps, Widget } from "./widget";

// nameOf is what a widget is called by whoever hears it.
export const nameOf = (widget: Widget, variable?: Variable): string => widget.name || variable?.name || widget.type;

// unitIn is the unit that a number is shown with: that of the widget, else that of the variable's type.
export const unitIn = (widget: Widget, variable: Variable | undefined): string => textIn(widget.options.unit) || unitOf(variable?.type ?? "");

// look is what the element around a view has: its classes, and of when it is where it is not live.
export function look(own: string, p: ViewProps, busy = false): { class: string; title?: string } {
  const at = p.stale ? p.values.find((v) => v.at)?.at : undefined;
  const classes = ["w", own, at && "old", busy && "busy"].filter(Boolean).join(" ");
  return at ? { class: classes, title: t("value.old", { at: moment(at, p.vars[0]?.thing_timezone.name) }) } : { class: classes };
}

// fit tells the style sheet how long a text is, so that it can be as large as there is room for.
export const fit = (text: string) => (e: HTMLElement | null): void => e?.style.setProperty("--n", String([...text.trim()].length));

export interface Setting {
  variable: Variable | undefined;
  value: unknown; // what is wished while it is under way, else what is
  known: boolean; // there is a value, or a wish
  busy: boolean;
  send: (value: unknown) => Promise<boolean>;
}

// How long a wish that was carried out is shown while nobody tells of the value.
const patience = 4000;

// useSet shows what somebody wishes until it is so, and goes back to what is when it was refused. What is wished while
// another wish is under way waits, and only the last of them is sent; parts of composite values are wished together.
export function useSet(p: ViewProps, index = 0): Setting {
  const variable = p.vars[index];
  const last = p.values[index];
  const [wish, setWish] = useState<{ value: unknown } | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const now = useRef({ set: p.set, at: "", gone: false, running: false, waiting: undefined as { value: unknown } | undefined, timer: 0 });
  const run = now.current;
  run.set = p.set;
  run.at = last?.at ?? "";

  // A newer value is the truth, whoever set it.
  useEffect(() => {
    if (!run.running) setWish(undefined);
  }, [last?.at]);
  useEffect(() => {
    run.gone = false;
    return () => {
      run.gone = true;
      clearTimeout(run.timer);
    };
  }, []);

  const send = async (value: unknown): Promise<boolean> => {
    if (!variable) return false;
    clearTimeout(run.timer);
    setWish({ value: joined(last?.value, joined(run.waiting?.value, value)) });
    if (run.running) {
      run.waiting = { value: joined(run.waiting?.value, value) };
      return true;
    }
    run.running = true;
    setBusy(true);
    let done = true;
    let before = run.at;
    for (let next: { value: unknown } | undefined = { value }; next; ) {
      before = run.at;
      done = await run.set(variable, next.value);
      next = run.waiting;
      run.waiting = undefined;
    }
    run.running = false;
    if (run.gone) return done;
    setBusy(false);
    if (!done || run.at !== before) setWish(undefined);
    else run.timer = setTimeout(() => setWish(undefined), patience) as unknown as number;
    return done;
  };
  return { variable, value: wish ? wish.value : last?.value, known: wish !== undefined || !!last?.at, busy, send };
}

// joined is what a value becomes by some of its parts.
function joined(value: unknown, parts: unknown): unknown {
  const composite = (v: unknown): v is object => typeof v === "object" && v !== null && !Array.isArray(v);
  return composite(value) && composite(parts) ? { ...value, ...parts } : parts;
}

// isWhole says whether a variable has whole numbers only.
export const isWhole = (variable: Variable | undefined): boolean => kindOf(variable?.type ?? "") === "int";

// asKind is a value of an option as its variable takes it: options may have numbers as texts.
export const asKind = (variable: Variable | undefined, value: unknown): unknown => (isWhole(variable) ? Number(value) : String(value));

// tellsAll says whether values of before of any sort can be asked for: on public links, where nobody knows its thing, they are
// numbers alone.
export const tellsAll = (p: ViewProps, variable: Variable | undefined): boolean => p.past !== undefined && !!variable?.thing_id;

// useBox is the size of an element in pixels, for what is drawn by itself.
export function useBox<T extends Element>() {
  const ref = useRef<T>(null);
  const [box, setBox] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const el = ref.current;
    if (!el) return undefined;
    const seen = new ResizeObserver(() => setBox({ width: el.clientWidth, height: el.clientHeight }));
    seen.observe(el);
    return () => seen.disconnect();
  }, []);
  return { ref, ...box };
}
