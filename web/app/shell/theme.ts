// Light or dark: as the system says, or as somebody chose. The choice is a cookie, so that the server writes it
// into the first page and nothing flashes.
import { signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const cookie = "__Host-ardesia-theme";

export const theme = signal<Theme>((document.documentElement.dataset.theme as Theme) || "system");

// looks goes on whenever the colours change, for what draws with them by itself.
export const looks = signal(0);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => looks.value++);

export function choose(t: Theme): void {
  theme.value = t;
  document.documentElement.dataset.theme = t;
  looks.value++;
  document.cookie = `${cookie}=${t}; Path=/; Secure; SameSite=Lax; Max-Age=34560000`;
}

// chooseLanguage chooses it for the application, and for the pages of the account where they are of the same origin.
export async function chooseLanguage(lang: string): Promise<void> {
  document.cookie = `__Host-ardesia-tongue=${lang}; Path=/; Secure; SameSite=Lax; Max-Age=34560000`;
  if (!document.documentElement.dataset.account) await fetch("/signin/lang", { method: "POST", body: new URLSearchParams({ lang, to: "/app/" }), redirect: "manual" });
  location.reload();
}
