// Groups of properties that are kept the same, as the API tells of them.
import { call } from "../api";
import { forget } from "../data";

export interface Member {
  id: string;
  state: "OK" | "GIVES" | "DELETED" | "RETYPED" | "NOT_FOUND";
  name?: string;
  variable_name?: string;
  permission?: "READ_ONLY" | "READ_WRITE";
  type?: string;
  thing_id?: string;
  thing_name?: string;
}

export interface Group {
  id: string;
  type: string;
  properties: Member[];
}

// least and most are how many properties a group has.
export const least = 2;
export const most = 32;

const all = "/iot/v1/sync";
const one = (id: string): string => `${all}/${encodeURIComponent(id)}`;
const body = (ids: string[]): { properties: string[] } => ({ properties: ids });

export const listGroups = (signal?: AbortSignal): Promise<Group[]> => call(all, signal ? { signal } : {});

// keepSame puts a property into the group of another, or makes one of the two.
export async function keepSame(group: Group | undefined, property: string, other: string): Promise<void> {
  if (group) await call<Group>(one(group.id), { method: "POST", body: body([...group.properties.map((m) => m.id), other]) });
  else await call<Group>(all, { method: "PUT", body: body([property, other]) });
  changed();
}

// takeOut takes a property out of a group, which ends where one would be left.
export async function takeOut(group: Group, property: string): Promise<void> {
  const left = group.properties.map((m) => m.id).filter((id) => id !== property);
  if (left.length < least) await call<void>(one(group.id), { method: "DELETE" });
  else await call<Group>(one(group.id), { method: "POST", body: body(left) });
  changed();
}

export async function dissolve(group: Group): Promise<void> {
  await call<void>(one(group.id), { method: "DELETE" });
  changed();
}

function changed(): void {
  forget("thing");
  forget("syncs");
}
