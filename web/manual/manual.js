// What a page cannot do without script: code is copied by a button, and on a phone the list of pages begins folded.
const words = document.body.dataset;
for (const block of document.querySelectorAll("div.code")) {
  const button = document.createElement("button");
  button.type = "button";
  button.lang = document.documentElement.lang;
  button.textContent = words.copy;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.querySelector("code").textContent);
      button.textContent = words.copied;
    } catch {
      getSelection().selectAllChildren(block.querySelector("code"));
      button.textContent = words.selected;
    }
    setTimeout(() => (button.textContent = words.copy), 2000);
  });
  block.append(button);
}
const narrow = matchMedia("(max-width: 60rem)");
const fold = () => (document.querySelector(".contents details").open = !narrow.matches);
narrow.addEventListener("change", fold);
fold();
