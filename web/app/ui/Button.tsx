import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./Icon";

interface Looks {
  kind?: "plain" | "main" | "danger" | "quiet";
  icon?: IconName;
  small?: boolean;
  // label names what has only an icon.
  label?: string;
  children?: ComponentChildren;
}

function looks({ kind = "plain", small, label, children }: Looks): string {
  return ["button", kind, small && "small", label && !children && "square"].filter(Boolean).join(" ");
}

export interface ButtonProps extends Looks {
  onClick?: (e: MouseEvent) => void;
  type?: "button" | "submit";
  busy?: boolean;
  disabled?: boolean;
  pressed?: boolean;
  expanded?: boolean;
  controls?: string;
  form?: string;
}

// Button does something on this page. While it is busy it stays where it is, and says so.
export function Button(p: ButtonProps) {
  return (
    <button
      type={p.type ?? "button"}
      class={looks(p)}
      aria-label={p.label}
      title={p.children ? undefined : p.label}
      aria-pressed={p.pressed}
      aria-expanded={p.expanded}
      aria-controls={p.controls}
      aria-busy={p.busy || undefined}
      disabled={p.disabled}
      form={p.form}
      onClick={(e) => {
        if (p.busy) e.preventDefault();
        else p.onClick?.(e);
      }}
    >
      {p.icon && <Icon name={p.icon} size={p.small ? 16 : 18} />}
      {p.children && <span>{p.children}</span>}
    </button>
  );
}

// ButtonLink leads to another page.
export function ButtonLink(p: Looks & { href: string }) {
  return (
    <a href={p.href} class={looks(p)} aria-label={p.label}>
      {p.icon && <Icon name={p.icon} size={p.small ? 16 : 18} />}
      {p.children && <span>{p.children}</span>}
    </a>
  );
}
