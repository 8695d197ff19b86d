// Shows the operations that have all of the words, and opens what the address names.
"use strict";
(() => {
  const form = document.getElementById("finder"), field = document.getElementById("find"), found = document.getElementById("found");
  const groups = [...document.querySelectorAll(".group")].map((g) => [g, [...g.querySelectorAll(".operation")]]);
  const shapes = document.getElementById("shapes");
  form.hidden = false;
  form.addEventListener("submit", (e) => e.preventDefault());
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    for (const [group, all] of groups) {
      let some = false;
      for (const one of all) {
        one.hidden = !words.every((w) => one.dataset.find.includes(w));
        some ||= !one.hidden;
        n += one.hidden ? 0 : 1;
      }
      group.hidden = !some;
    }
    shapes.hidden = words.length > 0;
    found.textContent = words.length === 0 ? "" : n === 1 ? "1 operation" : n + " operations";
  });
  const open = () => {
    const at = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!(at instanceof HTMLDetailsElement)) return;
    if (at.hidden || shapes.hidden) {
      field.value = "";
      field.dispatchEvent(new Event("input"));
    }
    at.open = true;
    at.scrollIntoView();
  };
  window.addEventListener("hashchange", open);
  open();
})();
