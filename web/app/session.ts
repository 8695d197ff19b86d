// Who is signed in, and in which space they work. The browser's session is a cookie that no script reads: the
// application learns from the answers of the API whether it counts.
import { computed, signal } from "@preact/signals";
import { call, Problem, setSpace, signedOut } from "./api";

export interface Space {
  id: string;
  name: string;
  kind: "private" | "shared";
  role: "admin" | "editor" | "viewer" | "service";
}

export const spaces = signal<Space[]>([]);
export const space = signal<Space | undefined>(undefined);

// mayWrite says whether this person may change things here; the server decides, this only spares them the try.
export const mayWrite = computed(() => space.value?.role === "admin" || space.value?.role === "editor");

const remembered = "ardesia.space";

// accountPage is the address of a page of the account, which may be of another origin than the application.
export const accountPage = (path: string): string => (document.documentElement.dataset.account ?? "") + path;

// open finds out who is signed in. False: nobody, and the browser is on its way to the page for that.
export async function open(): Promise<boolean> {
  try {
    spaces.value = await call<Space[]>("/v1/spaces");
  } catch (err) {
    if (err instanceof Problem && err.status === 401) {
      signIn();
      return false;
    }
    throw err;
  }
  const all = spaces.value;
  const named = new URLSearchParams(location.search).get("space"); // a notice names its own
  if (named && all.some((s) => s.id === named)) localStorage.setItem(remembered, named);
  const last = localStorage.getItem(remembered);
  space.value = all.find((s) => s.id === last) ?? all.find((s) => s.kind === "private") ?? all[0];
  if (space.value) setSpace(space.value.id);
  return true;
}

// signIn leads to the page where people sign in, and from there back to here.
export function signIn(): void {
  location.assign("/app/signin?to=" + encodeURIComponent(location.pathname + location.search));
}

// enter goes to another space. Everything on screen belongs to the old one, so the application begins anew.
export function enter(id: string): void {
  localStorage.setItem(remembered, id);
  location.assign("/app/");
}

// back asks whether somebody is signed in again, in another tab.
export async function back(): Promise<boolean> {
  try {
    const all = await call<Space[]>("/v1/spaces");
    if (space.value && !all.some((s) => s.id === space.value?.id)) {
      location.assign("/app/"); // another person, who has other spaces
      return true;
    }
    spaces.value = all;
    signedOut.value = false;
    return true;
  } catch {
    return false;
  }
}
