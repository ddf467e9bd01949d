"use strict";
(() => {
  const form = document.getElementById("filters");
  const boxes = [...form.querySelectorAll("input[name=class]")];
  const rule = document.getElementById("rule");
  const path = document.getElementById("path");
  const shown = document.getElementById("shown");
  const none = document.getElementById("none");
  const index = [...document.querySelectorAll("#index li")];
  const files = [...document.querySelectorAll(".file")].map((element) => ({
    element,
    count: element.querySelector("summary b"),
    hunks: [...element.querySelectorAll(".hunk")].map((hunk) => ({
      element: hunk,
      hits: [...hunk.querySelectorAll(".hit")],
    })),
  }));

  const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

  function apply() {
    const classes = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const everything = classes.size === boxes.length && !rule.value;
    const wanted = path.value.trim().toLowerCase();
    let total = 0;
    let visible = 0;
    files.forEach((file, number) => {
      const matches = file.element.dataset.path.includes(wanted);
      let hits = 0;
      let any = false;
      for (const hunk of file.hunks) {
        let here = 0;
        for (const hit of hunk.hits) {
          const ok = matches && classes.has(hit.dataset.class) && (!rule.value || hit.dataset.rule === rule.value);
          hit.hidden = !ok;
          here += ok;
        }
        hunk.element.hidden = !(here || (everything && matches));
        any ||= !hunk.element.hidden;
        hits += here;
      }
      any ||= everything && matches;
      file.element.hidden = !any;
      file.count.textContent = count(hits, "place");
      index[number].hidden = !any;
      index[number].querySelector("b").textContent = hits;
      total += hits;
      visible += any;
    });
    none.hidden = visible > 0;
    shown.textContent = `${count(total, "place")} in ${count(visible, "file")}`;
  }

  function remember() {
    const state = new URLSearchParams();
    const off = boxes.some((box) => !box.checked);
    if (off) state.set("class", boxes.filter((box) => box.checked).map((box) => box.value).join(","));
    if (rule.value) state.set("rule", rule.value);
    if (path.value.trim()) state.set("path", path.value.trim());
    history.replaceState(null, "", `#${state}`);
  }

  function recall() {
    if (/^#f\d+$/.test(location.hash)) return;
    const state = new URLSearchParams(location.hash.slice(1));
    const classes = state.get("class");
    for (const box of boxes) box.checked = classes === null || classes.split(",").includes(box.value);
    rule.value = state.get("rule") ?? "";
    if (rule.selectedIndex < 0) rule.value = "";
    path.value = state.get("path") ?? "";
  }

  form.addEventListener("input", () => { apply(); remember(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => { recall(); apply(); });
  recall();
  apply();
})();
