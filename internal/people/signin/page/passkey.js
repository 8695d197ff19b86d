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
      box.dataset.step = begun.step; // where no answer leads
      const options = PublicKeyCredential.parseRequestOptionsFromJSON(begun.options.publicKey ?? begun.options);
      const credential = await navigator.credentials.get({ publicKey: options });
      box.dataset.step = begun.step + 1; // where a wrong answer leads
      const done = await ask("/signin/passkey/finish", { flow: begun.flow, step: begun.step, response: credential.toJSON() });
      location.assign(done.to);
    } catch {
      trouble.hidden = false;
      button.disabled = false;
      button.focus();
    }
  });
}

// A new passkey, on the page of the second step.
const form = document.getElementById("new-passkey");
if (form && window.PublicKeyCredential && PublicKeyCredential.parseCreationOptionsFromJSON) {
  form.hidden = false;
  document.getElementById("no-passkeys").hidden = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    trouble.hidden = true;
    try {
      const begun = await ask("/account/factors/passkey", {});
      const options = PublicKeyCredential.parseCreationOptionsFromJSON(begun.options.publicKey ?? begun.options);
      const credential = await navigator.credentials.create({ publicKey: options });
      const label = document.getElementById("label").value;
      const done = await ask("/account/factors/passkey/confirm", { state: begun.state, response: credential.toJSON(), label });
      location.assign(done.to);
    } catch (error) {
      if (error.message === "403") {
        location.assign("/signin/again?to=/account/factors");
        return;
      }
      trouble.hidden = false;
    }
  });
}

// Recovery codes can be printed and kept as a file.
const list = document.getElementById("code-list");
if (list) {
  const save = document.getElementById("codes-save");
  const print = document.getElementById("codes-print");
  save.hidden = print.hidden = false;
  print.addEventListener("click", () => window.print());
  save.addEventListener("click", () => {
    const text = [...list.querySelectorAll("code")].map((code) => code.textContent).join("\n") + "\n";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    link.download = "ardesia-recovery-codes.txt";
    link.click();
  });
}
