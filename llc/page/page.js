// The summary as a table that sorts and filters, a page of rows at a time; a run's details when its job is clicked.
// All text enters by textContent: what a user wrote is never markup.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { columns, rows } = data.summary;
  const PAGE = 100; // rows
  const runId = columns.indexOf("run_id");
  const filters = columns.map(() => "");
  const state = { column: -1, down: false, page: 0, open: new Set() };
  const estimates = new Map();
  for (const row of data.estimates.rows) {
    if (!estimates.has(row[0])) estimates.set(row[0], []);
    estimates.get(row[0]).push(row);
  }

  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
    return made;
  };
  const short = (value) => String(Number.isInteger(value) ? value : Number(value.toPrecision(4)));
  const show = (value) => (value === null ? "" : typeof value === "number" ? short(value) : value);

  // "<1.01", ">=400", "=ok", "!ok", or a text that is contained. Null: it is not complete yet, and filters nothing.
  const test = (filter) => {
    const [, sign, rest] = /^\s*(<=|>=|<|>|=|!)?\s*(.*?)\s*$/.exec(filter);
    if (!rest) return null;
    const number = Number(rest);
    const compare = { "<": (v) => v < number, ">": (v) => v > number, "<=": (v) => v <= number, ">=": (v) => v >= number }[sign];
    if (compare) return Number.isNaN(number) ? null : (v) => typeof v === "number" && compare(v);
    const text = (v) => (v === null ? "" : String(v)).toLowerCase();
    const wanted = rest.toLowerCase();
    if (sign === "=") return (v) => text(v) === wanted || (typeof v === "number" && v === number);
    return (v) => text(v).includes(wanted) !== (sign === "!");
  };

  const order = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a < b ? -1 : a > b ? 1 : 0;
  };

  const chosen = () => {
    const tests = filters.map(test);
    const found = rows.map((_, i) => i).filter((i) => tests.every((t, c) => !t || t(rows[i][c])));
    const c = state.column;
    if (c >= 0) {
      found.sort((i, j) => {
        const a = rows[i][c], b = rows[j][c];
        if (a === null || b === null) return (a === null) - (b === null) || i - j; // the empty ones last, either way
        return (state.down ? -order(a, b) : order(a, b)) || i - j;
      });
    }
    return found;
  };

  const pairs = (title, shared, i) => {
    const table = element("table");
    for (const key of shared.keys) {
      const value = key in shared.all ? shared.all[key] : shared.each[key][i];
      if (value !== null) table.append(element("tr", {}, element("td", {}, key), element("td", {}, value)));
    }
    return element("div", {}, element("h3", {}, title), element("div", { class: "wide" }, table));
  };

  const details = (i) => {
    const names = data.estimates.columns.slice(1);
    const table = element("table", {}, element("tr", {}, ...names.map((name) => element("th", {}, name))));
    for (const row of estimates.get(rows[i][runId]) || []) {
      table.append(element("tr", {}, ...row.slice(1).map((value) => element("td", {}, show(value)))));
    }
    const cell = element("td", { colspan: columns.length },
      element("h3", {}, "Estimates"), element("div", { class: "wide" }, table),
      element("h3", {}, "Run it by hand"), element("code", {}, data.command[i]),
      element("div", { class: "sides" }, pairs("Configuration", data.config, i), pairs("Provenance", data.provenance, i)));
    return element("tr", { class: "details" }, cell);
  };

  const body = document.querySelector("#table tbody");
  const draw = () => {
    const found = chosen();
    const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
    state.page = Math.min(state.page, last);
    const part = found.slice(state.page * PAGE, (state.page + 1) * PAGE);
    body.replaceChildren();
    for (const i of part) {
      const cells = rows[i].map((value, c) => {
        const bad = columns[c].endsWith("_status") && value !== null && value !== "ok";
        const kind = bad ? "bad" : typeof value === "number" ? "number" : "text";
        const opens = element("button", { type: "button", "aria-expanded": state.open.has(i) }, show(value));
        return element("td", { class: kind }, c === runId ? opens : show(value));
      });
      const row = element("tr", { class: "job" }, ...cells);
      row.addEventListener("click", () => {
        if (!state.open.delete(i)) state.open.add(i);
        draw();
      });
      body.append(row);
      if (state.open.has(i)) body.append(details(i));
    }
    document.getElementById("count").textContent = `${found.length} of ${rows.length} jobs`;
    document.getElementById("pages").textContent = `${state.page + 1} / ${last + 1}`;
    document.getElementById("back").disabled = state.page === 0;
    document.getElementById("next").disabled = state.page === last;
    heads.forEach((head, c) =>
      head.setAttribute("aria-sort", c !== state.column ? "none" : state.down ? "descending" : "ascending"));
  };

  const heads = columns.map((name, c) => {
    const button = element("button", { type: "button" }, name);
    button.addEventListener("click", () => {
      state.down = state.column === c && !state.down;
      state.column = c;
      state.page = 0;
      draw();
    });
    const input = element("input", { type: "search", "aria-label": `filter ${name}` });
    input.addEventListener("input", () => {
      filters[c] = input.value;
      state.page = 0;
      draw();
    });
    const numbers = rows.some((row) => typeof row[c] === "number");
    return element("th", { scope: "col", class: numbers ? "number" : "text" }, button, input);
  });
  document.querySelector("#table thead").append(element("tr", {}, ...heads));
  document.getElementById("back").addEventListener("click", () => { state.page -= 1; draw(); });
  document.getElementById("next").addEventListener("click", () => { state.page += 1; draw(); });
  document.getElementById("reset").addEventListener("click", () => {
    filters.fill("");
    document.querySelectorAll("#table input").forEach((input) => { input.value = ""; });
    Object.assign(state, { column: -1, down: false, page: 0, open: new Set() });
    draw();
  });
  draw();
})();
