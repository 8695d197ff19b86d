// A dashboard on its public link: what everybody gets who has the link. Variables are called by handles, and belong to nobody.
import { call } from "../api";
import type { Options, Page, Places, Variable, Widget } from "./dashboard";
import { learn } from "./values";

export interface Shared {
  name: string;
  pages: Page[];
  widgets: Widget[];
  stamp: string; // another one once anything has changed
}

interface Told {
  name: string;
  pages: Page[];
  updated_at: string;
  widgets: (Places & { id: string; type: string; name?: string; page_id: string; options: Options; variables: string[] })[];
  variables: { id: string; name: string; type: string; last_value?: unknown; last_value_updated_at?: string; timezone: string }[];
}

export async function getShared(token: string): Promise<Shared> {
  const told = await call<Told>("/v1/shared/" + encodeURIComponent(token));
  const all = new Map<string, Variable>();
  for (const v of told.variables)
    all.set(v.id, { id: v.id, name: v.name, variable_name: v.name, type: v.type, permission: "READ_ONLY", thing_id: "", thing_name: "", thing_timezone: { name: v.timezone, offset: 0, until: "" } });
  learn(told.variables.map((v) => ({ id: v.id, last_value: v.last_value, ...(v.last_value_updated_at && { value_updated_at: v.last_value_updated_at }) })));
  return {
    name: told.name,
    stamp: [told.updated_at, ...told.variables.map((v) => v.last_value_updated_at)].join(),
    pages: told.pages,
    widgets: told.widgets.map((w) => ({
      ...w, variables: w.variables.flatMap((id) => all.get(id) ?? []), has_unlinked_variable: false, has_type_incompatibility: false, has_permission_incompatibility: false,
    })),
  };
}
