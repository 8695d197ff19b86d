// What a page cannot do without script: code is copied by a button, and on a phone the list of pages begins folded.
for (const block of document.querySelectorAll("div.code")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.querySelector("code").textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(block.querySelector("code"));
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  block.append(button);
}
const narrow = matchMedia("(max-width: 60rem)");
const fold = () => (document.querySelector(".contents details").open = !narrow.matches);
narrow.addEventListener("change", fold);
fold();
