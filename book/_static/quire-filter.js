/* Filters the rows of the scoreboard by chapter, role and verdict. The choice stands in the page's
   address, so that it can be linked to. Without scripts every row is shown. */
(() => {
  "use strict";

  const control = (name, options) => {
    const label = document.createElement("label");
    const select = document.createElement("select");
    select.name = name;
    select.append(new Option(`every ${name}`, ""));
    for (const [value, text] of options) select.append(new Option(text, value));
    label.append(`${name} `, select);
    return [label, select];
  };

  const start = () => {
    const place = document.querySelector(".quire-filter");
    const tables = [...document.querySelectorAll("table.quire-scores")];
    if (!place || !tables.length) return;
    const groups = tables.flatMap((table) => [...table.querySelectorAll("tbody")]);
    const rows = [...document.querySelectorAll("tr.quire-score")];
    const chapters = new Map(groups.map((group) => [group.dataset.chapter, group.dataset.title]));
    const roles = new Map(tables.map((table) => [table.dataset.role, table.dataset.name]));
    const verdicts = new Map();
    for (const row of rows) {
      const names = verdicts.get(row.dataset.outcome) ?? new Set();
      verdicts.set(row.dataset.outcome, names.add(row.dataset.verdict));
    }

    const form = document.createElement("form");
    form.setAttribute("role", "search");
    form.setAttribute("aria-label", "Filter the rows");
    const selects = {};
    const told = document.createElement("output");
    for (const [name, options] of [
      ["chapter", [...chapters].sort()],
      ["role", [...roles]],
      ["verdict", [...verdicts].map(([value, names]) => [value, [...names].join(" / ")])],
    ]) {
      const [label, select] = control(name, options);
      selects[name] = select;
      form.append(label);
    }
    const clear = document.createElement("button");
    clear.type = "reset";
    clear.textContent = "show all";
    form.append(clear, told);
    place.append(form);
    place.hidden = false;

    const show = () => {
      let shown = 0;
      for (const table of tables) {
        const wanted = !selects.role.value || selects.role.value === table.dataset.role;
        let inTable = 0;
        for (const group of table.querySelectorAll("tbody")) {
          const here = !selects.chapter.value || selects.chapter.value === group.dataset.chapter;
          let inGroup = 0;
          for (const row of group.querySelectorAll("tr.quire-score")) {
            const meant = !selects.verdict.value || selects.verdict.value === row.dataset.outcome;
            row.hidden = !(wanted && here && meant);
            inGroup += !row.hidden;
          }
          group.hidden = inGroup === 0;
          inTable += inGroup;
        }
        table.parentElement.hidden = inTable === 0;
        shown += inTable;
      }
      told.textContent = `${shown} of ${rows.length} rows`;
    };

    const chosen = () =>
      new URLSearchParams(
        Object.entries(selects)
          .filter(([, select]) => select.value)
          .map(([name, select]) => [name, select.value])
      );
    const read = () => {
      const asked = new URLSearchParams(location.hash.slice(1));
      const meant = Object.keys(selects).some((name) => asked.has(name));
      if (!meant && location.hash.length > 1) return; // a place in the page
      for (const [name, select] of Object.entries(selects)) {
        const value = asked.get(name) ?? "";
        select.value = [...select.options].some((o) => o.value === value) ? value : "";
      }
      show();
      if (meant) place.scrollIntoView();
    };

    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", () => {
      history.replaceState(null, "", `#${chosen()}`);
      show();
    });
    form.addEventListener("reset", () => {
      setTimeout(() => {
        history.replaceState(null, "", location.pathname + location.search);
        show();
      });
    });
    window.addEventListener("hashchange", read);
    show();
    read();
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
