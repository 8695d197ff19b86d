// What widgets of a member or a guest get: they write by the API, and hear by the stream.
import { signal } from "@preact/signals";
import { signedOut, words } from "../../api";
import type { Dashboard, Variable } from "../../model/dashboard";
import { past } from "../../model/past";
import { publish } from "../../model/thing";
import { mayWrite } from "../../session";
import { complain } from "../../ui/Toast";
import type { Feed } from "./Tile";

export async function set(variable: Variable, value: unknown): Promise<boolean> {
  try {
    await publish(variable.thing_id, variable.id, value);
    return true;
  } catch (err) {
    if (!signedOut.value) complain(words(err)); // who was signed out is asked to sign in
    return false;
  }
}

// unsaved are the dashboards of which this tab has changes that the server does not have, by their ID.
export const unsaved = signal<ReadonlySet<string>>(new Set());

// isLent says whether a dashboard is of another space, and was shared with who looks.
export const isLent = (d: Dashboard): boolean => d.shared_by !== undefined;

// mayEdit says whether who looks may change the dashboard; mayUse, whether they may write by its widgets.
export const mayEdit = (d: Dashboard): boolean => mayWrite.value && !isLent(d);
export const mayUse = (d: Dashboard): boolean => (isLent(d) ? d.access === "write" : mayWrite.value);

export function feedOf(d: Dashboard, mobile: boolean): Feed {
  return { mobile, readOnly: !mayUse(d), past, set, elsewhere: (w) => `/v1/dashboards/${d.id}/widgets/${w.id}/picture` };
}
