// Dashboards as the API tells of them, in its third version: with pages.
import { call, Problem } from "../api";
import { forget } from "../data";
import { learn } from "./values";

// A Variable is a property as a dashboard shows it.
export interface Variable {
  id: string;
  name: string;
  variable_name: string;
  type: string;
  permission: "READ_ONLY" | "READ_WRITE";
  thing_id: string;
  thing_name: string;
  thing_timezone: { name: string; offset: number; until: string };
  last_value?: unknown;
  last_value_updated_at?: string;
}

// Places are in cells: of 24 columns on a wide screen, of 8 on a phone. What nobody said of a phone is not there.
export interface Places {
  x: number;
  y: number;
  width: number;
  height: number;
  x_mobile?: number;
  y_mobile?: number;
  width_mobile?: number;
  height_mobile?: number;
}

export type Options = Record<string, unknown>;

export interface Widget extends Places {
  id: string;
  type: string;
  name?: string;
  page_id: string; // "0" is the main page
  options: Options;
  variables: Variable[];
  has_unlinked_variable: boolean; // a variable of it is gone
  has_type_incompatibility: boolean;
  has_permission_incompatibility: boolean;
}

export interface Page {
  id: string;
  name: string;
  icon?: string;
  position: number;
}

export interface Person {
  user_id: string;
  username?: string;
}

export interface Dashboard {
  id: string;
  name: string;
  cover_image?: string;
  created_by: Person;
  organization_id?: string;
  pages: Page[];
  widgets: Widget[];
  tags?: Record<string, string>;
  updated_at: string;
  deleted_at?: string;
  shared_by?: Person; // for guests
  access?: "read" | "write"; // what a guest may
  shared_with?: Person[]; // for those who may share
}

export const mainPage = "0";

// variablesOf are the variables that a dashboard shows, each once.
export function variablesOf(d: Pick<Dashboard, "widgets">): Variable[] {
  const all = new Map<string, Variable>();
  for (const w of d.widgets) for (const v of w.variables) all.set(v.id, v);
  return [...all.values()];
}

// A Draft is what is said of a dashboard when it is made or changed; what is left out stays.
export interface Draft {
  name?: string;
  cover_image?: string;
  pages?: Page[];
  widgets?: WidgetDraft[];
  tags?: { key: string; value: string }[];
}

export interface WidgetDraft extends Places {
  id: string;
  type: string;
  name: string;
  page_id: string;
  options: Options;
  variables: string[];
}

const all = "/iot/v3/dashboards";
const id = encodeURIComponent;
const one = (dashboard: string): string => `${all}/${id(dashboard)}`;
const second = (dashboard: string): string => `/iot/v2/dashboards/${id(dashboard)}`; // the version that deletes and shares
const own = (dashboard: string): string => `/v1/dashboards/${id(dashboard)}`;

export async function listDashboards(signal?: AbortSignal, deleted = false): Promise<Dashboard[]> {
  return (await call<Dashboard[]>(all, { query: { show_deleted: deleted || undefined }, ...(signal && { signal }) })).map(learned);
}

export async function getDashboard(dashboard: string, signal?: AbortSignal): Promise<Dashboard> {
  return learned(await call<Dashboard>(one(dashboard), signal && { signal }));
}

export async function createDashboard(d: Draft): Promise<Dashboard> {
  return changed(learned(await call<Dashboard>(all, { method: "POST", body: d })));
}

// changeDashboard changes parts of one; since is the updated_at that the change begins with: a dashboard that was changed after it
// is left as it is, and the call fails with 412.
export async function changeDashboard(dashboard: string, d: Draft, since?: string): Promise<Dashboard> {
  const got = learned(await call<Dashboard>(one(dashboard), { method: "PATCH", body: d, ...(since && { since }) }));
  forget("dashboards"); // what is kept of this one is shown until it is read anew
  return got;
}

// restoreDashboard brings a deleted one back: any change does.
export const restoreDashboard = (dashboard: string): Promise<Dashboard> => changeDashboard(dashboard, {});

export async function deleteDashboard(dashboard: string, forEver = false): Promise<void> {
  changed(await call<void>(second(dashboard), { method: "DELETE", query: { force: forEver || undefined } }));
}

// cloneDashboard copies one; overrides say which thing stands for which.
export async function cloneDashboard(dashboard: string, overrides: { old_thing_id: string; new_thing_id: string }[] = []): Promise<Dashboard> {
  return changed(await call<Dashboard>(one(dashboard) + "/clone", { method: "PUT", body: { overrides } }));
}

// importTemplate makes a dashboard of a template, JSON or YAML. things says which of ours, by its ID, stands for one that the template names.
export async function importTemplate(text: string, name: string, things: Record<string, string>): Promise<Dashboard> {
  const override = Object.entries(things).map(([slug, thing]) => `${slug}=${thing}`);
  return changed(await call<Dashboard>("/v1/dashboards/import", { method: "POST", query: { name, override }, raw: new Blob([text], { type: "application/yaml" }) }));
}

export const templateAddress = (dashboard: string): string => one(dashboard) + "/template";

export async function tagDashboard(dashboard: string, key: string, value: string): Promise<void> {
  changed(await call<void>(own(dashboard) + "/tags", { method: "PUT", body: { key, value } }));
}

export async function untagDashboard(dashboard: string, key: string): Promise<void> {
  changed(await call<void>(`${own(dashboard)}/tags/${id(key)}`, { method: "DELETE" }));
}

export async function setCover(dashboard: string, picture: Blob): Promise<Dashboard> {
  return changed(await call<Dashboard>(own(dashboard) + "/cover", { method: "PUT", raw: picture }));
}

// addPicture keeps a picture for a widget to show, and tells its address.
export async function addPicture(dashboard: string, picture: Blob): Promise<string> {
  return (await call<{ path: string }>(own(dashboard) + "/images", { method: "POST", raw: picture })).path;
}

// A Finding is what is wrong with a widget, or with one of its variables.
export interface Finding {
  widget_id: string;
  variable_id?: string;
  mark: Mark;
  last_value_updated_at?: string;
}

export type Mark = "missing" | "type" | "permission" | "unlinked" | "no-device" | "offline" | "no-value";

export const health = (dashboard: string, signal?: AbortSignal): Promise<Finding[]> => call(own(dashboard) + "/health", signal && { signal });

export interface Share extends Person {
  access: "read" | "write";
  shared_by: Person;
  shared_at: string;
}

export interface Request extends Person {
  message: string;
  asked_at: string;
}

export const shares = (dashboard: string, signal?: AbortSignal): Promise<Share[]> => call(own(dashboard) + "/shares", signal && { signal });
export const requests = (dashboard: string, signal?: AbortSignal): Promise<Request[]> => call(own(dashboard) + "/requests", signal && { signal });

// share lets people see a dashboard: by e-mail address or user name, or by their ID.
export async function share(dashboard: string, who: { username: string } | { user_id: string }, access: "read" | "write"): Promise<void> {
  changed(await call<void>(second(dashboard) + "/shares", { method: "PUT", body: { ...who, access } }));
}

// unshare takes it back from somebody, or gives it back if that is oneself.
export async function unshare(dashboard: string, user: string): Promise<void> {
  changed(await call<void>(`${second(dashboard)}/shares/${id(user)}`, { method: "DELETE" }));
}

export const refuse = (dashboard: string, user: string): Promise<void> => call(`${own(dashboard)}/requests/${id(user)}`, { method: "DELETE" });

// askFor asks whoever owns a dashboard to share it. Whether there is such a dashboard is not told.
export const askFor = (dashboard: string, message: string): Promise<void> => call(second(dashboard) + "/share_request", { method: "PUT", body: { message } });

export interface PublicLink {
  made_by: Person;
  created_at: string;
  expires_at: string | null;
  link?: string; // told once, when it is made
}

// publicLink is the public link of a dashboard; undefined where there is none.
export async function publicLink(dashboard: string, signal?: AbortSignal): Promise<PublicLink | undefined> {
  try {
    return await call<PublicLink>(own(dashboard) + "/link", signal && { signal });
  } catch (err) {
    if (err instanceof Problem && err.code === "dashboard-no-link") return undefined;
    throw err;
  }
}

// makeLink makes a public link in place of the one before; days is how long it lasts, 0 until it is revoked.
export const makeLink = (dashboard: string, days: number): Promise<PublicLink> => call(own(dashboard) + "/link", { method: "PUT", body: { days } });
export const dropLink = (dashboard: string): Promise<void> => call(own(dashboard) + "/link", { method: "DELETE" });

function learned(d: Dashboard): Dashboard {
  for (const w of d.widgets) learn(w.variables.map((v) => ({ id: v.id, last_value: v.last_value, ...(v.last_value_updated_at && { value_updated_at: v.last_value_updated_at }) })));
  return d;
}

function changed<T>(what: T): T {
  forget("dashboard");
  return what;
}
