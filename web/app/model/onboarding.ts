// Boards that come in with a key of their own, as the API tells of them.
import { call, Problem } from "../api";
import { forget } from "../data";

const all = "/provisioning/v1/onboarding";

export interface Claim {
  ble_mac: string;
  board_token: string;
  connection_type: string;
  device_name: string;
}

export interface Registration {
  pid: string;
  vid: string;
  public_key: string;
  serial: string;
  unique_hardware_id: string;
}

// claim claims a board, which is registered if the server does not know it; it gives the id of the onboarding.
export async function claim(c: Claim, board: Registration): Promise<string> {
  const once = async (): Promise<string> => (await call<{ id: string }>(all + "/claim", { method: "POST", body: c })).id;
  try {
    return await once();
  } catch (err) {
    if (!(err instanceof Problem) || err.code !== "board-unknown") throw err;
    await call<void>("/provisioning/v1/boards/register", { method: "POST", body: board });
    return once();
  }
}

// arrived is the id of the device that a claimed board has become; undefined while it is on its way.
export async function arrived(id: string, signal: AbortSignal): Promise<string | undefined> {
  const list = await call<{ onboardings: { id: string; device_id: string | null }[] }>(all, { query: { all: true }, signal });
  const device = list.onboardings.find((o) => o.id === id)?.device_id ?? undefined;
  if (device) forget("device");
  return device;
}

// drop takes a claim back.
export const drop = (id: string): Promise<void> => call(`${all}/${encodeURIComponent(id)}`, { method: "DELETE" });

export interface Certificate {
  compressed: {
    authority_key_identifier: string; // 40 hex digits
    not_before: string; // RFC 3339, whole hours
    serial: string; // 32 hex digits
    signature: string; // r and s, 128 hex digits
  };
}

// certify has a request for a certificate signed that a device has made.
export const certify = (device: string, csr: string): Promise<Certificate> =>
  call(`/iot/v2/devices/${encodeURIComponent(device)}/certs`, { method: "PUT", body: { csr, ca: "Arduino", enabled: true } });
