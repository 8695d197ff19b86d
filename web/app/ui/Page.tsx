import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { useArrival } from "../arrival";

// Head is the top of a page: its title, which is the document's as well, and what can be done with the whole. waiting: the
// page itself is still to come.
export function Head({ title, crumb, children, about, waiting = false }: { waiting?: boolean; title: string; crumb?: { href: string; label: string }; children?: ComponentChildren; about?: ComponentChildren }) {
  const ref = useArrival(waiting);
  useEffect(() => {
    document.title = title + " · Ardesia";
  }, [title]);
  return (
    <header class="head">
      <div class="head-what">
        {crumb && (
          <p class="crumb">
            <a href={crumb.href}>{crumb.label}</a>
          </p>
        )}
        <h1 ref={ref} tabIndex={-1}>{title}</h1>
        {about && <div class="head-about">{about}</div>}
      </div>
      {children && <div class="acts">{children}</div>}
    </header>
  );
}

// Panel is a part of a page with a title of its own.
export function Panel({ title, children, actions, danger }: { title?: string; children: ComponentChildren; actions?: ComponentChildren; danger?: boolean }) {
  return (
    <section class={danger ? "panel danger" : "panel"}>
      {(title || actions) && (
        <div class="panel-head">
          {title && <h2>{title}</h2>}
          {actions && <div class="acts">{actions}</div>}
        </div>
      )}
      {children}
    </section>
  );
}

// Facts are pairs of what something is called and what it is; pairs without a value are left out.
export function Facts({ all }: { all: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {all
        .filter(([, value]) => value !== undefined && value !== "" && value !== null)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
