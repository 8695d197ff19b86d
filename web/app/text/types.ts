// The names of types of properties in Italian: by the type what the server calls it, with ours. TestItalian of
// internal/server holds the list against the server's.
import list from "./types.it.json";

const names = new Map<string, Record<string, string>>(Object.entries(list));

export function inItalian(type: string, name: string): string {
  return names.get(type)?.[name] ?? name;
}
