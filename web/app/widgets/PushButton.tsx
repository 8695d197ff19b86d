import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../text";
import { flagIn, textIn } from "./option";
import { look, nameOf, useSet } from "./use";
import type { ViewProps } from "./widget";

// View is a button whose variable is true while it is held, and false again however it is let go: by the finger or the
// key, when the pointer is lost, the page is left or hidden, or the widget goes away.
export function View(p: ViewProps) {
  const s = useSet(p);
  const [held, hold] = useState(false);
  const send = useRef(s.send);
  send.current = s.send;
  const down = useRef(false);
  const press = (): void => {
    if (p.readOnly || down.current) return;
    down.current = true;
    hold(true);
    void send.current(true);
  };
  const release = (): void => {
    if (!down.current) return;
    down.current = false;
    hold(false);
    void send.current(false);
  };
  useEffect(() => {
    const hidden = (): void => {
      if (document.visibilityState === "hidden") release();
    };
    document.addEventListener("visibilitychange", hidden);
    addEventListener("pagehide", release);
    return () => {
      document.removeEventListener("visibilitychange", hidden);
      removeEventListener("pagehide", release);
      release();
    };
  }, []);
  // Who may not press any more, lets go.
  useEffect(() => {
    if (p.readOnly) release();
  }, [p.readOnly]);
  const name = nameOf(p.widget, s.variable);
  const label = textIn(p.widget.options.label);
  const on = held || s.value === true;
  return (
    <div {...look("w-push", p, s.busy)}>
      <button
        type="button"
        class={on ? "w-push-button on" : "w-push-button"}
        aria-pressed={on}
        aria-label={label && label !== name ? `${name}: ${label}` : name}
        disabled={p.readOnly}
        onPointerDown={(e) => {
          if (e.button !== 0) return;
          e.currentTarget.setPointerCapture(e.pointerId);
          press();
        }}
        onPointerUp={release}
        onPointerCancel={release}
        onLostPointerCapture={release}
        onKeyDown={(e) => {
          if (e.key !== " " && e.key !== "Enter") return;
          e.preventDefault();
          if (!e.repeat) press();
        }}
        onKeyUp={(e) => {
          if (e.key === " " || e.key === "Enter") release();
        }}
        onBlur={release}
        onContextMenu={(e) => e.preventDefault()}
      >
        {flagIn(p.widget.options.showLabels, true) && <span aria-hidden="true">{label || (on ? t("value.on") : t("widget.push.do"))}</span>}
      </button>
    </div>
  );
}
