// Where devices find this server, as the server says.
import { call } from "../api";

export interface Place {
  host: string;
  web: string; // host:port
  secret: string; // host:port of MQTT with secret keys
  cert: string; // host:port of MQTT with certificates
  ca: boolean; // clients must trust the server's own authority, /ca.pem
}

export const getPlace = (signal?: AbortSignal): Promise<Place> => call("/app/place.json", signal ? { signal } : {});

export const port = (address: string): string => /:(\d+)$/.exec(address)?.[1] ?? "443";
