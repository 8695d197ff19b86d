// Templates: things with their programs, dashboards and triggers, to be made again here or elsewhere.
import { call } from "../api";
import { forget } from "../data";
import { save } from "../download";
import { upload } from "../upload";

export interface Template {
  id: string;
  template_name?: string; // in the gallery
  name: string;
  description: string;
  compatible_boards: string[];
  things: number;
  dashboards: number;
  triggers: number;
  sketches: number;
  bytes: number;
  created_at: string;
  updated_at: string;
}

// A Whole is all that would be made.
export interface Whole {
  template_id: string;
  name: string;
  description: string;
  thing_templates: { id: string; name: string; variables: { name: string; type: string }[]; device_metadata?: { fqbn?: string } }[];
  dashboard_templates: { name?: string }[];
  trigger_templates: { name?: string }[];
}

export interface Made {
  things: { id: string }[];
  dashboards: string[];
  triggers: string[];
}

const ours = "/v1/templates";
const storage = "/storage/template";
const id = (s: string): string => "/" + encodeURIComponent(s);

export const listTemplates = (signal?: AbortSignal): Promise<Template[]> => call(ours, signal ? { signal } : {});

export const gallery = (signal?: AbortSignal): Promise<Template[]> => call(ours + "/gallery", signal ? { signal } : {});

export const getTemplate = (template: string, signal?: AbortSignal): Promise<Whole> => call(`${storage}/v1${id(template)}`, signal ? { signal } : {});

export async function importTemplate(file: File, sent: (part: number) => void): Promise<{ template_id: string; name: string }> {
  const form = new FormData();
  form.set("template", file);
  return changed(await upload<{ template_id: string; name: string }>(storage + "/archive/v1", form, sent));
}

export async function makeTemplate(wish: { name: string; description: string; things: string[]; dashboards: string[]; triggers: string[] }): Promise<Template> {
  return changed(await call<Template>(ours, { method: "POST", body: wish }));
}

// applyTemplate makes all of it, or nothing. devices are chosen by what the template calls its things.
export async function applyTemplate(t: Pick<Template, "id" | "template_name">, prefix: string, devices: Record<string, string>): Promise<Made> {
  const options: Record<string, { device_id: string }> = {};
  for (const [thing, device] of Object.entries(devices)) if (device) options[thing] = { device_id: device };
  const which = t.template_name ? { template_name: t.template_name } : { custom_template_id: t.id };
  const made = await call<Made>("/iot/v1/templates", { method: "PUT", body: { ...which, prefix_name: prefix, things_options: options } });
  for (const list of ["thing", "device", "dashboard", "trigger"]) forget(list);
  return made;
}

export async function deleteTemplate(template: string): Promise<void> {
  changed(await call<void>(ours + id(template), { method: "DELETE" }));
}

// exportTemplate hands the file of a template to the browser.
export const exportTemplate = (t: Template): Promise<void> => save(`${storage}/archive/v1${id(t.id)}`, {}, (t.name.replace(/[^\w-]+/g, "_") || "template") + ".tino");

function changed<T>(what: T): T {
  forget("template");
  return what;
}
