// Dashboards as the API tells of them, in its third version: with pages.
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
  shared_by?: Person; // for guests
  shared_with?: Person[]; // for those who may share
}

export const mainPage = "0";
