// Where devices find this server, as the server says.
import { call, send } from "../api";

export interface Place {
  host: string;
  web: string; // host:port
  secret: string; // host:port of MQTT with secret keys
  cert: string; // host:port of MQTT with certificates
  ca: boolean; // clients must trust the server's own authority, /ca.pem
}

export const getPlace = (signal?: AbortSignal): Promise<Place> => call("/app/place.json", signal ? { signal } : {});

export const port = (address: string): string => /:(\d+)$/.exec(address)?.[1] ?? "443";

// serverTime is what time it is where certificates are checked (ms), as well as an answer says it.
export async function serverTime(): Promise<number> {
  const said = Date.parse((await send("/app/place.json")).headers.get("Date") ?? "");
  return Number.isNaN(said) ? Date.now() : said;
}
