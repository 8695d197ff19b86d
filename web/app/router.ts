// Where one is: the address, which pages there are, and going from one to another without loading anew.
import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { arrive } from "./arrival";
import type { Key } from "./text";

export type Params = Record<string, string>;
export type Page = ComponentType<{ params: Params }>;

// A Route is one page: its address below /app, in which :name is a parameter, its title, and what shows it. The code
// of a page is loaded when somebody goes there. ahead asks the server for what the page will need first, before the rest of
// the application is drawn.
export interface Route {
  path: string;
  title: Key;
  load: () => Promise<{ default: Page; ahead?: (params: Params) => void }>;
}

export const base = "/app";

export const path = signal(location.pathname);
export const search = signal(location.search);

// match finds the route of an address; the first that fits.
export function match(routes: Route[], at: string): { route: Route; params: Params } | undefined {
  const parts = at.replace(/\/+$/, "").split("/");
  for (const route of routes) {
    const wanted = (base + route.path).replace(/\/+$/, "").split("/");
    if (wanted.length !== parts.length) continue;
    const params: Params = {};
    const fits = wanted.every((w, i) => {
      const part = parts[i] ?? "";
      if (!w.startsWith(":")) return w === part;
      params[w.slice(1)] = part;
      return part !== "";
    });
    if (fits) return { route, params };
  }
  return undefined;
}

// go leads to a page. replace: the one that is left is not gone back to.
export function go(to: string, replace = false): void {
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  turn();
}

function turn(): void {
  if (path.value !== location.pathname) arrive();
  path.value = location.pathname;
  search.value = location.search;
}

// query is a parameter of the address; setQuery changes it in place.
export function query(name: string): string {
  return new URLSearchParams(search.value).get(name) ?? "";
}

export function setQuery(name: string, value: string): void {
  const q = new URLSearchParams(location.search);
  if (value) q.set(name, value);
  else q.delete(name);
  const text = q.toString();
  history.replaceState(null, "", location.pathname + (text ? "?" + text : ""));
  search.value = location.search;
}

// isShared says whether an address is one of a public link, where the application has no shell and nobody signs in.
export const isShared = (at: string): boolean => at.startsWith(base + "/shared/");

// follow makes links of the application lead there without loading anew.
export function follow(): void {
  addEventListener("popstate", turn);
  document.addEventListener("click", (e) => {
    if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    const link = (e.target as Element | null)?.closest?.("a[href]");
    if (!(link instanceof HTMLAnchorElement) || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (!link.pathname.startsWith(base + "/") || link.pathname.startsWith(base + "/signin") || isShared(link.pathname) !== isShared(location.pathname)) return;
    e.preventDefault();
    go(link.pathname + link.search + link.hash);
  });
}
