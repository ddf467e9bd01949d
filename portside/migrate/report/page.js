"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const [OPEN_AT_ONCE, HEADINGS] = [30, {
    rewritten: "Rewritten", kept: "Kept", unsupported: "Unsupported", "needs-person": "Needs a person", patched: "Patched",
  }];
  const form = document.getElementById("filters");
  const boxes = [...form.querySelectorAll("input[name=class]")];
  const [rule, path, name] = ["rule", "path", "name"].map((id) => document.getElementById(id));
  const [shown, none, holder, list] = ["shown", "none", "files", "index"].map((id) => document.getElementById(id));
  const text = (number) => data.texts[number] ?? "";
  const places = (number) => `${number} place${number === 1 ? "" : "s"}`;

  function make(tag, className, content) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (content !== undefined) element.textContent = content;
    return element;
  }

  const files = data.files.map(([path, state, reason, summary, hunks], number) => {
    const element = make("details", "file");
    element.id = `f${number}`;
    element.dataset.path = path.toLowerCase();
    const head = make("summary");
    const count = make("b");
    head.append(make("h3", "", path), make("span", "state", state), count);
    element.append(head);
    const line = make("li");
    const link = make("a");
    const [folder, last] = [path.slice(0, path.lastIndexOf("/") + 1), path.slice(path.lastIndexOf("/") + 1)];
    link.href = `#f${number}`;
    link.title = path;
    if (folder) link.append(make("small", "", `\u200e${folder.slice(0, -1)}`));
    link.append(make("span", "", last));
    const counted = make("b");
    line.append(link, counted);
    const file = { number, path, state, reason, summary, hunks, element, count, line, counted, drawn: "", hits: 0 };
    element.addEventListener("toggle", () => element.open && draw(file));
    link.addEventListener("click", (event) => {
      event.preventDefault();
      element.open = true;
      draw(file);
      element.scrollIntoView();
    });
    return file;
  });
  holder.append(...files.map((file) => file.element));
  list.append(...files.map((file) => file.line));

  let wanted = {};
  function accepts(hit) {
    return wanted.classes.has(data.classes[hit[1]]) && (!wanted.rule || text(hit[2]) === wanted.rule)
      && (!wanted.name || text(hit[3]) === wanted.name);
  }

  /** The rows of a hunk: kind, line and text on either side. */
  function rowsOf([before, after, rows, hits]) {
    return rows.map((row, at) => {
      const [kind, old, changed] = typeof row === "number" ? [0, row, row] : row;
      const name = data.kinds[kind];
      const line = text(old);
      const there = [name !== "added", name !== "removed"];
      const made = changed === undefined ? applied(line, hits.filter((hit) => hit[0] === at)) : text(changed);
      return [name, there[0] ? before++ : 0, there[1] ? after++ : 0, line, made];
    });
  }

  function applied(line, hits) {
    let [out, at] = ["", 0];
    for (const hit of [...hits].sort((a, b) => a[4] - b[4])) {
      const [start, before, after] = [hit[4] - 1, text(hit[5]), text(hit[6] ?? hit[5])];
      if (before === after) continue;
      out += line.slice(at, start) + after;
      at = start + before.length;
    }
    return out + line.slice(at);
  }

  function drawRow([kind, before, after, old, made], hits) {
    const row = make("tr", kind);
    const mine = hits.filter((hit) => hit[4]).sort((a, b) => a[4] - b[4]);
    for (const [side, number, line] of [["old", before, old], ["new", after, made]]) {
      const cell = make("td", side);
      let [at, shift] = [0, 0];
      for (const hit of mine) {
        const texts = [text(hit[5]), text(hit[6] ?? hit[5])];
        const found = texts[side === "old" ? 0 : 1];
        const start = hit[4] - 1 + (side === "old" ? 0 : shift);
        if (found && start >= at && line.slice(start, start + found.length) === found) {
          cell.append(line.slice(at, start), make("mark", data.classes[hit[1]], found));
          at = start + found.length;
        }
        shift += texts[1].length - texts[0].length;
      }
      cell.append(line.slice(at));
      row.append(make("td", "n", number || ""), cell);
    }
    return row;
  }

  function drawHit(hit, file) {
    const cls = data.classes[hit[1]];
    const [title, why, advice] = data.rules[text(hit[2])] ?? [text(hit[2]), "", ""];
    const row = make("tr", "hit");
    row.dataset.class = cls;
    row.dataset.rule = text(hit[2]);
    row.file = file;
    const cell = make("td");
    cell.colSpan = 3;
    cell.append(make("span", `tag ${cls}`, HEADINGS[cls]), " ", make("b", "", text(hit[2])), " ");
    if (text(hit[3]) && cls !== "patched") cell.append(make("code", "", text(hit[3])), " ");
    const guard = text(hit[8]) ? ` · under ${text(hit[8])}` : "";
    cell.append(make("span", "why", [title, why].filter(Boolean).join(": ") + guard));
    const said = text(hit[7]) || (cls === "unsupported" || cls === "needs-person" ? advice : "");
    if (said) cell.append(make("span", "advice", said));
    row.append(make("td"), cell);
    return row;
  }

  function clear(file) {
    file.drawn = "";
    file.element.querySelectorAll("p, table").forEach((element) => element.remove());
  }

  function draw(file) {
    if (file.drawn === wanted.key) return;
    clear(file);
    file.drawn = wanted.key;
    const left = file.state === "left" ? "Left as it was: " : "";
    for (const said of [file.reason && left + file.reason, file.summary]) {
      if (said) file.element.append(make("p", "reason", said));
    }
    const table = make("table");
    const columns = make("colgroup");
    columns.append(...["n", "", "n", ""].map((one) => make("col", one)));
    table.append(columns);
    for (const hunk of file.hunks) {
      const hits = hunk[3];
      const here = hits.filter(accepts);
      if (!here.length && !(wanted.everything && !hits.length)) continue;
      const body = make("tbody", "hunk");
      const rows = rowsOf(hunk);
      if (!rows.length) body.append(...here.map((hit) => drawHit(hit, file)));
      rows.forEach((row, at) => {
        const mine = here.filter((hit) => hit[0] === at);
        body.append(drawRow(row, mine), ...mine.map((hit) => drawHit(hit, file)));
      });
      table.append(body);
    }
    file.element.append(table);
  }

  function apply() {
    const classes = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const everything = classes.size === boxes.length && !rule.value && !name.value;
    const part = path.value.trim().toLowerCase();
    wanted = { classes, rule: rule.value, name: name.value, everything };
    wanted.key = JSON.stringify([[...classes], rule.value, name.value]);
    const counts = Object.fromEntries(data.classes.map((cls) => [cls, 0]));
    let total = 0;
    let visible = 0;
    for (const file of files) {
      const matches = file.element.dataset.path.includes(part);
      file.hits = 0;
      for (const [, , , hits] of matches ? file.hunks : []) {
        for (const hit of hits) {
          const others = (!rule.value || text(hit[2]) === rule.value) && (!name.value || text(hit[3]) === name.value);
          counts[data.classes[hit[1]]] += others;
          file.hits += accepts(hit);
        }
      }
      const any = file.hits > 0 || (everything && matches);
      file.element.hidden = file.line.hidden = !any;
      file.count.textContent = places(file.hits);
      file.counted.textContent = file.hits;
      total += file.hits;
      visible += any;
    }
    for (const box of boxes) box.parentElement.querySelector("b").textContent = counts[box.value];
    none.hidden = visible > 0;
    shown.textContent = `${places(total)} in ${visible} file${visible === 1 ? "" : "s"}`;
    for (const file of files) {
      if (total <= OPEN_AT_ONCE && !file.element.hidden) file.element.open = true;
      if (file.element.hidden) clear(file);
      else if (file.element.open) draw(file);
    }
  }

  function remember() {
    const state = new URLSearchParams();
    const off = boxes.some((box) => !box.checked);
    if (off) state.set("class", boxes.filter((box) => box.checked).map((box) => box.value).join(","));
    for (const [key, field] of [["rule", rule], ["name", name], ["path", path]]) {
      if (field.value.trim()) state.set(key, field.value.trim());
    }
    history.replaceState(null, "", `#${state}`);
  }

  function recall() {
    if (/^#f\d+$/.test(location.hash)) return;
    const state = new URLSearchParams(location.hash.slice(1));
    const classes = state.get("class");
    for (const box of boxes) box.checked = classes === null || classes.split(",").includes(box.value);
    rule.value = state.get("rule") ?? "";
    if (rule.selectedIndex < 0) rule.value = "";
    name.value = state.get("name") ?? "";
    path.value = state.get("path") ?? "";
  }

  let here = null;
  function step(forward) {
    const open = files.filter((file) => !file.element.hidden && file.hits);
    if (!open.length) return;
    const hitsOf = (file) => {
      file.element.open = true;
      draw(file);
      return [...file.element.querySelectorAll(".hit")];
    };
    const at = here ? open.indexOf(here.file) : -1;
    const rows = at < 0 ? [] : hitsOf(open[at]);
    let next = rows[rows.indexOf(here) + (forward ? 1 : -1)];
    for (let file = at + (forward ? 1 : -1); !next && file >= 0 && file < open.length; file += forward ? 1 : -1) {
      next = hitsOf(open[file]).at(forward ? 0 : -1);
    }
    if (!next) return;
    here?.classList.remove("here");
    here = next;
    here.classList.add("here");
    here.scrollIntoView({ block: "center" });
  }

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    if (event.key === "n" || event.key === "p") step(event.key === "n");
    if (event.key === "o") {
      const open = files.filter((file) => !file.element.hidden);
      const all = open.every((file) => file.element.open);
      for (const file of open) file.element.open = !all;
    }
  });
  form.addEventListener("input", () => { apply(); remember(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => {
    recall();
    apply();
    if (!/^#f\d+$/.test(location.hash) && location.hash) holder.scrollIntoView();
  });
  recall();
  apply();
})();
