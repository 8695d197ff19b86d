import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { t } from "../text";
import { Button } from "./Button";

export interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  actions?: ComponentChildren;
  wide?: boolean;
  // sure keeps it open when somebody clicks beside it or presses Escape: what it shows is shown once.
  sure?: boolean;
}

// Dialog is open as long as it is there. The browser keeps focus in it and gives it back.
export function Dialog({ title, onClose, children, actions, wide, sure }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const gone = useRef(false);
  const id = useId();
  useLayoutEffect(() => {
    const d = ref.current;
    const before = document.activeElement;
    d?.showModal();
    d?.querySelector<HTMLElement>(".dialog-body :is(input, select, textarea)")?.focus();
    return () => {
      gone.current = true;
      d?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={wide ? "dialog wide" : "dialog"}
      aria-labelledby={id}
      onCancel={(e) => {
        e.preventDefault();
        if (!sure) onClose();
      }}
      onClose={() => {
        // A browser may close it without asking. What is shown once is not lost by that.
        if (gone.current) return;
        if (sure) ref.current?.showModal();
        else onClose();
      }}
      onPointerDown={(e) => {
        if (e.target === ref.current && !sure) onClose();
      }}
    >
      <div class="dialog-frame">
        <header class="dialog-head">
          <h2 id={id}>{title}</h2>
          {!sure && <Button kind="quiet" icon="close" label={t("close")} onClick={onClose} />}
        </header>
        <div class="dialog-body">{children}</div>
        {actions && <footer class="dialog-foot">{actions}</footer>}
      </div>
    </dialog>
  );
}
