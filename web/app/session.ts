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
    spaces.value = await call<Space[]>("/v1/spaces", { early: true });
  } catch (err) {
    if (err instanceof Problem && err.status === 401) {
      signIn();
      return false;
    }
    throw err;
  }
  const all = spaces.value;
  const named = new URLSearchParams(location.search).get("space"); // a notice names its own
  const last = [named, sessionStorage.getItem(remembered), localStorage.getItem(remembered)].map((id) => all.find((s) => s.id === id)).find((s) => s);
  space.value = last ?? all.find((s) => s.kind === "private") ?? all[0];
  if (space.value) {
    setSpace(space.value.id);
    if (named === space.value.id) remember(named);
    else sessionStorage.setItem(remembered, space.value.id);
  }
  return true;
}

// remember keeps a space for this tab, which stays in it whatever others do, and for those that are opened later.
function remember(id: string): void {
  sessionStorage.setItem(remembered, id);
  localStorage.setItem(remembered, id);
}

// signIn leads to the page where people sign in, and from there back to here.
export function signIn(): void {
  location.assign("/app/signin?to=" + encodeURIComponent(location.pathname + location.search));
}

// enter goes to another space. Everything on screen belongs to the old one, so the application begins anew.
export function enter(id: string): void {
  remember(id);
  location.assign("/app/");
}

// back asks who is signed in by now: another tab may have signed somebody in, or somebody else.
export async function back(): Promise<boolean> {
  try {
    const all = await call<Space[]>("/v1/spaces", { anywhere: true });
    const same = all.find((s) => s.id === space.value?.id);
    if (space.value && !same) {
      location.assign("/app/"); // another person, who has other spaces
      return true;
    }
    spaces.value = all;
    space.value = same; // in which they may have another role
    signedOut.value = false;
    return true;
  } catch {
    return false;
  }
}
