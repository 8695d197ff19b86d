import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./Icon";

// Empty is what a place shows in which nothing is yet: why, and what to do.
export function Empty({ icon, title, children, actions }: { icon: IconName; title: string; children?: ComponentChildren; actions?: ComponentChildren }) {
  return (
    <div class="empty">
      <span class="empty-mark">
        <Icon name={icon} size={28} />
      </span>
      <h2>{title}</h2>
      {children && <div class="empty-text">{children}</div>}
      {actions && <div class="acts">{actions}</div>}
    </div>
  );
}
