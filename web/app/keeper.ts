// Registers the worker that keeps the shell (worker.ts). It does so in a page of its own, in a frame: the address of a
// worker is a script's address, for which the application's policy (trusted-types 'none') has no word. This page's
// policy has one, which knows one address.
interface Policies {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}

const address = "/app/worker.js";
const policies = (globalThis as { trustedTypes?: Policies }).trustedTypes;
const policy = policies?.createPolicy("worker", {
  createScriptURL(url) {
    if (url !== address) throw new TypeError("not the worker");
    return url;
  },
});
const at = policy ? policy.createScriptURL(address) : address;
navigator.serviceWorker.register(at, { scope: "/app/" }).catch(() => undefined); // without it the app works, with a network
