// Updates over the air: of one device, and campaigns of many.
import { call } from "../api";
import { forget } from "../data";
import { said } from "../text";
import { upload } from "../upload";

export type UpdateStatus = "pending" | "in_progress" | "succeeded" | "failed" | "cancelled" | "expired";

export interface Update {
  id: string;
  device_id: string;
  status: UpdateStatus;
  started_at: string;
  ended_at?: string;
  error_reason?: string;
  firmware_size: number; // bytes of the file
  max_retries: number;
  retry_attempt: number;
  state?: string; // what the device said last
  fetched: number; // bytes
  image_id: string;
  campaign_id?: string;
  wave?: number; // the first is 1
  created_at: string;
  start_at?: string;
  expires_at: string;
}

export interface Line {
  state: string;
  state_data?: string;
  timestamp: string;
}

export interface Image {
  id: string;
  name: string;
  binary_key: string;
  board: string; // FQBN, or what is known of it
  file_size: number;
  image_size: number;
  sha256: string;
  lasting: boolean;
  created_at: string;
  used_at: string;
}

export interface Tally {
  wave: number; // the first is 1
  status: UpdateStatus;
  error_reason?: string;
  devices: number;
}

export interface Skipped {
  device_id: string;
  code: string;
  detail: string;
}

export interface Campaign {
  id: string;
  state: "running" | "halted" | "cancelled" | "done";
  image_id: string;
  devices: number;
  wave_size: number; // 0: all at once
  wave: number; // under way; the first is 1
  waves: number;
  max_failed_percent: number;
  created_at: string;
  ended_at?: string;
  tally?: Tally[];
  skipped?: Skipped[]; // only when it begins
}

export interface CampaignWish {
  image_id: string;
  device_ids: string[];
  tags?: string[];
  wave_size: number;
  max_failed_percent: number;
  start_at?: string;
  expire_in_mins: number;
}

export const over = (s: UpdateStatus): boolean => s !== "pending" && s !== "in_progress";

const updates = "/ota/v1/ota";
const images = "/v1/ota/images";
const campaigns = "/v1/ota/campaigns";
const id = (s: string): string => "/" + encodeURIComponent(s);

export const listUpdates = async (device: string, signal?: AbortSignal): Promise<Update[]> => (await call<{ ota: Update[] }>(updates, { query: { device_id: device, limit: 20 }, ...(signal && { signal }) })).ota;

export const getUpdate = (update: string, signal?: AbortSignal): Promise<{ ota: Update; states: Line[] }> => call(updates + id(update), signal ? { signal } : {});

export async function cancelUpdate(update: string): Promise<void> {
  changed(await call<void>(updates + id(update) + "/cancel", { method: "PUT" }));
}

// isPlain says whether a file is an image that still has to be made a .ota file, for which the board must be known.
export const isPlain = (file: File): boolean => !/\.ota$/i.test(file.name);

function formOf(file: File, fqbn: string | undefined, more: Record<string, string>): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(more)) form.set(name, value);
  if (fqbn && isPlain(file)) form.set("fqbn", fqbn);
  form.set("ota_file", file); // the last: the server reads it as it comes
  return form;
}

// sendFile begins the update of one device with a file.
export async function sendFile(device: string, file: File, fqbn: string | undefined, minutes: number, sent: (part: number) => void): Promise<void> {
  changed(await upload(`/iot/v2/devices${id(device)}/ota`, formOf(file, fqbn, { expire_in_mins: String(minutes), async: "true" }), sent));
}

// sendStored begins the update of one device with a program that is kept here.
export async function sendStored(device: string, image: Image, minutes: number): Promise<void> {
  changed(await call<void>(`/iot/v2/devices${id(device)}/ota`, { method: "PUT", body: { binary_key: image.binary_key, async: true, expire_in_mins: minutes } }));
}

export const listImages = (signal?: AbortSignal): Promise<Image[]> => call(images, signal ? { signal } : {});

export async function storeImage(file: File, name: string, fqbn: string | undefined, sent: (part: number) => void): Promise<Image> {
  return changed(await upload<Image>(images, formOf(file, fqbn, name ? { name } : {}), sent));
}

export async function deleteImage(image: string): Promise<void> {
  changed(await call<void>(images + id(image), { method: "DELETE" }));
}

export const listCampaigns = (signal?: AbortSignal): Promise<Campaign[]> => call(campaigns, signal ? { signal } : {});

export const getCampaign = (campaign: string, signal?: AbortSignal): Promise<Campaign> => call(campaigns + id(campaign), signal ? { signal } : {});

export const campaignUpdates = async (campaign: string, signal?: AbortSignal): Promise<Update[]> => (await call<{ ota: Update[] }>(campaigns + id(campaign) + "/ota", signal ? { signal } : {})).ota;

export async function startCampaign(wish: CampaignWish): Promise<Campaign> {
  const begun = changed(await call<Campaign>(campaigns, { method: "POST", body: wish }));
  const skipped = await Promise.all((begun.skipped ?? []).map(async (one) => ({ ...one, detail: await said(one.code, one.detail) })));
  return { ...begun, skipped };
}

export async function cancelCampaign(campaign: string): Promise<void> {
  changed(await call<void>(campaigns + id(campaign) + "/cancel", { method: "PUT" }));
}

export async function resumeCampaign(campaign: string): Promise<void> {
  changed(await call<void>(campaigns + id(campaign) + "/resume", { method: "PUT" }));
}

function changed<T>(what: T): T {
  forget("ota");
  return what;
}
