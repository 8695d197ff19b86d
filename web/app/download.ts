// Files that the API gives. A link could not say in which space it asks, so they are fetched and handed to the browser.
import { type Ask, send } from "./api";

// save fetches a file and has the browser keep it under a name. A file that is larger than memory goes to
// disk as it comes, where the browser can do that.
export async function save(path: string, query: Ask["query"], name: string): Promise<void> {
  const picker = (globalThis as { showSaveFilePicker?: (o: { suggestedName: string }) => Promise<{ createWritable(): Promise<WritableStream<Uint8Array>> }> }).showSaveFilePicker;
  if (picker && !navigator.webdriver) {
    const file = await picker({ suggestedName: name });
    const response = await send(path, { query });
    if (response.body) await response.body.pipeTo(await file.createWritable());
    return;
  }
  hand(await (await send(path, { query })).blob(), name);
}

// hand gives the browser something to keep under a name.
export function hand(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
