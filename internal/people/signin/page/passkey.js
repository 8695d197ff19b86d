// Signing in with a passkey, where the browser has them. Without this file the
// pages work the same with a password.
const box = document.getElementById("passkey");
const button = document.getElementById("passkey-go");
const trouble = document.getElementById("passkey-problem");

const ask = async (url, body) => {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
};

const able = window.PublicKeyCredential && PublicKeyCredential.parseRequestOptionsFromJSON;
if (box && button && able) {
  box.hidden = false;
  button.addEventListener("click", async () => {
    trouble.hidden = true;
    button.disabled = true;
    try {
      const { flow, step, to } = box.dataset;
      const begun = await ask("/signin/passkey", { flow: flow ?? "", step: Number(step ?? 0), to: to ?? "" });
      // The next try goes on from here, whatever becomes of this one.
      box.dataset.flow = begun.flow;
      box.dataset.step = begun.step;
      const options = PublicKeyCredential.parseRequestOptionsFromJSON(begun.options.publicKey ?? begun.options);
      const credential = await navigator.credentials.get({ publicKey: options });
      const done = await ask("/signin/passkey/finish", { flow: begun.flow, step: begun.step, response: credential.toJSON() });
      location.assign(done.to);
    } catch {
      trouble.hidden = false;
      button.disabled = false;
      button.focus();
    }
  });
}
