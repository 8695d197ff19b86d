import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef } from "preact/hooks";
import { Icon, type IconName } from "./Icon";

export interface Item {
  label: string;
  icon?: IconName;
  danger?: boolean;
  checked?: boolean; // one of a group; undefined: something to do
  href?: string;
  plain?: boolean; // a link that the browser loads anew
  onPick?: () => void;
}

export interface Group {
  title?: string;
  items: Item[];
}

interface Props {
  label: string;
  groups: Group[];
  children?: ComponentChildren; // what the button shows; three dots if it is left out
  class?: string;
  up?: boolean; // opens upwards
  start?: boolean; // begins where the button begins
}

// Menu is a button that opens a list of things to do: arrows go through it, Escape and Tab leave it.
export function Menu({ label, groups, children, class: cls = "button quiet square", up, start }: Props) {
  const open = useSignal(false);
  const root = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();
  const items = (): HTMLElement[] => [...(root.current?.querySelectorAll<HTMLElement>("[role^=menuitem]") ?? [])];
  const close = (back: boolean): void => {
    open.value = false;
    if (back) root.current?.querySelector("button")?.focus();
  };
  useEffect(() => {
    if (!open.value) return undefined;
    const away = (e: Event): void => {
      if (!root.current?.contains(e.target as Node)) close(false);
    };
    document.addEventListener("pointerdown", away);
    items()[0]?.focus();
    return () => document.removeEventListener("pointerdown", away);
  }, [open.value]);
  // Where it would leave the page at its beginning, it begins where the button does.
  useLayoutEffect(() => {
    if (!open.value || start) return undefined;
    const place = (): void => {
      const page = (root.current?.closest("main") ?? document.body).getBoundingClientRect();
      list.current?.classList.remove("at-start");
      if ((list.current?.getBoundingClientRect().left ?? 0) < page.left) list.current?.classList.add("at-start");
    };
    const again = (): void => void requestAnimationFrame(place); // what is around it moves first
    place();
    addEventListener("resize", again);
    return () => removeEventListener("resize", again);
  }, [open.value]);
  const keys = (e: KeyboardEvent): void => {
    if (!open.value) {
      if (e.key === "ArrowDown" || e.key === "ArrowUp") {
        e.preventDefault();
        open.value = true;
      }
      return;
    }
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[e.key];
    if (to !== undefined) {
      e.preventDefault();
      all[(to + all.length) % all.length]?.focus();
    } else if (e.key === "Escape") {
      e.preventDefault();
      e.stopPropagation();
      close(true);
    } else if (e.key === "Tab") close(false);
    else if (e.key.length === 1) all.find((one) => one.textContent?.trim().toLowerCase().startsWith(e.key.toLowerCase()))?.focus();
  };
  return (
    <div class="menu" ref={root} onKeyDown={keys}>
      <button type="button" class={cls} aria-haspopup="menu" aria-expanded={open.value} aria-controls={open.value ? id : undefined} aria-label={children ? undefined : label} title={children ? undefined : label} onClick={() => (open.value = !open.value)}>
        {children ?? <Icon name="more" />}
      </button>
      {open.value && (
        <div ref={list} class={["menu-list", up && "up", start && "at-start"].filter(Boolean).join(" ")} id={id} role="menu" aria-label={label}>
          {groups.map((g, i) => (
            <div key={i} class="menu-group" role="group" aria-label={g.title}>
              {g.title && (
                <p class="menu-title" aria-hidden="true">
                  {g.title}
                </p>
              )}
              {g.items.map((one) => (
                <MenuItem key={one.label} item={one} done={() => close(true)} />
              ))}
            </div>
          ))}
        </div>
      )}
    </div>
  );
}

function MenuItem({ item, done }: { item: Item; done: () => void }) {
  const inside = (
    <>
      <span class="menu-mark">{item.checked ? <Icon name="check" size={16} /> : item.icon ? <Icon name={item.icon} size={16} /> : null}</span>
      {item.label}
    </>
  );
  const cls = item.danger ? "menu-item danger" : "menu-item";
  if (item.href)
    return (
      <a class={cls} role="menuitem" tabIndex={-1} href={item.href} target={item.plain ? "_self" : undefined} onClick={done}>
        {inside}
      </a>
    );
  return (
    <button
      type="button"
      class={cls}
      role={item.checked === undefined ? "menuitem" : "menuitemradio"}
      aria-checked={item.checked}
      tabIndex={-1}
      onClick={() => {
        done();
        item.onPick?.();
      }}
    >
      {inside}
    </button>
  );
}
