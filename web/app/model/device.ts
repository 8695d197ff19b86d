// Devices as the API tells of them.
import { call } from "../api";
import { forget } from "../data";
import { learnStatuses } from "./values";

export type DeviceStatus = "ONLINE" | "OFFLINE" | "UNKNOWN";

export interface Report {
  name: string;
  updated_at: string;
  value: string;
}

export interface Device {
  id: string;
  name: string;
  type: string;
  label: string;
  fqbn?: string;
  serial: string;
  user_id: string;
  connection_type?: string;
  created_at?: string;
  updated_at?: string;
  deleted_at?: string;
  last_activity_at?: string;
  device_status: DeviceStatus;
  events?: Report[];
  issuer_ca?: string;
  lib_version?: string;
  wifi_fw_version?: string;
  unique_hardware_id?: string;
  ble_mac?: string;
  locked: boolean;
  no_sketch: boolean;
  ota_available: boolean;
  ota_compatible: boolean;
  tags?: Record<string, string>;
  thing?: { id: string; name: string };
}

export interface Coming {
  updated_at: string;
  value: "CONNECTED" | "DISCONNECTED";
}

export interface Board {
  fqbn: string;
  label: string;
  type: string;
  vendor: string;
  min_provisioning_sketch_version?: string;
  min_provisioning_wifi_version?: string;
}

const all = "/iot/v2/devices";
const one = (id: string): string => `${all}/${encodeURIComponent(id)}`;

export async function listDevices(signal?: AbortSignal, deleted = false): Promise<Device[]> {
  const at = Date.now();
  const list = await call<Device[]>(all, { query: { show_deleted: deleted || undefined }, ...(signal && { signal }) });
  learnStatuses(list, at);
  return list;
}

export async function getDevice(id: string, signal?: AbortSignal): Promise<Device> {
  const at = Date.now();
  const d = await call<Device>(one(id), { query: { show_deleted: true }, ...(signal && { signal }) });
  learnStatuses([d], at);
  return d;
}

export const comings = (id: string, signal: AbortSignal, start?: string): Promise<{ events: Coming[] }> =>
  call(one(id) + "/status", { query: { limit: 100, start }, signal });

export const listBoards = (signal?: AbortSignal): Promise<Board[]> => call("/iot/v1/supported/devices", signal ? { signal } : {});

export interface NewDevice {
  name: string;
  type: string;
  fqbn?: string;
  tags?: { key: string; value: string }[];
}

export async function createDevice(d: NewDevice): Promise<Device> {
  return changed(await call<Device>(all, { method: "PUT", body: d }));
}

export async function renameDevice(id: string, name: string): Promise<Device> {
  return changed(await call<Device>(one(id), { method: "POST", body: { name } }));
}

// restoreDevice brings a deleted one back: any change does.
export async function restoreDevice(id: string): Promise<Device> {
  return changed(await call<Device>(one(id), { method: "POST", body: { soft_deleted: false } }));
}

// deleteDevice lets a device go; with forEver it cannot be brought back.
export async function deleteDevice(id: string, forEver = false): Promise<void> {
  changed(await call<void>(one(id), { method: "DELETE", query: { force: forEver || undefined } }));
}

export const hasSecret = (id: string, signal: AbortSignal): Promise<{ set: boolean }> => call(one(id) + "/pass", { signal });

// newSecret gives a device another secret key, and tells it for the only time.
export async function newSecret(id: string): Promise<string> {
  const made = await call<{ suggested_password: string }>(one(id) + "/pass", { method: "PUT", body: {} });
  return made.suggested_password;
}

// A Simulation is the server being a device, which ends by itself.
export interface Simulation {
  running: boolean;
  started_at: string | null;
  until: string | null;
}

const simulation = (id: string): string => `/v1/devices/${encodeURIComponent(id)}/simulation`;

export const getSimulation = (id: string, signal: AbortSignal): Promise<Simulation> => call(simulation(id), { signal });

// startSimulation lets the server be a device, for which it needs its key; one that runs is begun anew.
export const startSimulation = (id: string, secret: string): Promise<Simulation> => call(simulation(id), { method: "POST", body: { secret_key: secret } });

export const stopSimulation = (id: string): Promise<void> => call(simulation(id), { method: "DELETE" });

export async function tagDevice(id: string, key: string, value: string): Promise<void> {
  changed(await call<void>(one(id) + "/tags", { method: "PUT", body: { key, value } }));
}

export async function untagDevice(id: string, key: string): Promise<void> {
  changed(await call<void>(`${one(id)}/tags/${encodeURIComponent(key)}`, { method: "DELETE" }));
}

function changed<T>(what: T): T {
  forget("devices");
  forget("device:");
  return what;
}
