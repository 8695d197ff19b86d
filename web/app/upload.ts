// Files that people send, with how far they are: what fetch cannot tell.
import { headers, Problem, reachable, refused } from "./api";
import { t } from "./text";

// upload sends a form, and gives the JSON of the answer. sent is told the part of it that has gone, 0 to 1.
export function upload<T>(path: string, form: FormData, sent: (part: number) => void, until?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const x = new XMLHttpRequest();
    x.open("POST", path);
    for (const [name, value] of Object.entries(headers({ Accept: "application/json" }))) x.setRequestHeader(name, value);
    x.upload.onprogress = (e) => e.lengthComputable && sent(e.loaded / e.total);
    x.onload = () => {
      reachable.value = true;
      const told = json(x.responseText);
      if (x.status >= 200 && x.status < 300) return resolve(told as T);
      void refused(x.status, told).then(reject);
    };
    x.onerror = () => {
      // A server that refuses early closes the line: it is there, and the network may be well.
      reject(new Problem(0, "unreachable", t("problem.upload")));
    };
    x.onabort = () => reject(new DOMException("left", "AbortError"));
    until?.addEventListener("abort", () => x.abort(), { once: true });
    x.send(form);
  });
}

function json(text: string): unknown {
  try {
    return text ? JSON.parse(text) : undefined;
  } catch {
    return undefined; // a proxy's page
  }
}
