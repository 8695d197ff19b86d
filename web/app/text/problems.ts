// What the server refuses with, in Italian: by the code of a problem the sentences that are declared for it, each with ours.
// TestItalian of internal/server holds the list against what the server declares.
import list from "./problems.it.json";

const problems = new Map<string, Record<string, string>>(Object.entries(list));

// inItalian is a sentence of the server. One that says more than the declared one, such as which field is meant, follows
// ours in the server's own words. Where a code has several, and this is none of them, nothing is guessed.
export function inItalian(code: string, detail: string): string {
  const known = Object.entries(problems.get(code) ?? {});
  const exact = known.find(([declared]) => declared === detail);
  if (exact) return exact[1];
  const [only, ...others] = known;
  if (!only || others.length) return detail;
  const [declared, ours] = only;
  return `${ours} Nel dettaglio, in inglese: ${detail.startsWith(declared) ? detail.slice(declared.length).trim() : detail}`;
}
