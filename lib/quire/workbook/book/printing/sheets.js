/* Turns the pages of the book, put one after another, into one document for paper and e-readers.
   Runs before MathJax and the charts: they then work on what is left. */
(() => {
  "use strict";
  const root = new URL(".", document.baseURI);
  const all = (query, within = document) => [...within.querySelectorAll(query)];
  const clean = (id) => id.replace(/[^A-Za-z0-9._-]+/g, "-");
  const sheets = all(".sheet");
  const byPage = new Map(sheets.map((sheet) => [sheet.dataset.page, sheet]));

  const APART =
    ".headerlink, noscript, button, dialog, .quire-filter, .quire-card-picture, " +
    "script:not([type='application/json']), style, .quire-answer-open";
  for (const sheet of sheets) for (const each of all(APART, sheet)) each.remove();

  // Every id begins with its page's name; of two that are the same, the first stays.
  for (const sheet of sheets) {
    for (const each of all("[id]", sheet)) {
      const id = `${sheet.id}--${clean(each.id)}`;
      if (document.getElementById(id)) each.removeAttribute("id");
      else each.id = id;
    }
    for (const each of all("[for], [aria-labelledby], [aria-describedby]", sheet)) {
      for (const name of ["for", "aria-labelledby", "aria-describedby"]) each.removeAttribute(name);
    }
  }

  const unwrap = (element) => element.replaceWith(...element.childNodes);
  const link = (sheet, each) => {
    const url = new URL(each.getAttribute("href"), new URL(sheet.dataset.page, root));
    if (url.protocol !== root.protocol || !url.href.startsWith(root.href)) return;
    const page = byPage.get(decodeURIComponent(url.pathname.slice(root.pathname.length)));
    if (!page) return unwrap(each); // a page that stays on the screen
    const place = url.hash && `${page.id}--${clean(decodeURIComponent(url.hash.slice(1)))}`;
    each.setAttribute("href", `#${place && document.getElementById(place) ? place : page.id}`);
    for (const name of ["title", "target", "data-quire-term", "data-quire-preview"]) {
      each.removeAttribute(name);
    }
  };
  for (const sheet of sheets) for (const each of all("a[href]", sheet)) link(sheet, each);
  // Code that sets up and draws stays in the notebook, and so does the way to it.
  for (const code of all(".cell details .cell_input")) code.remove();
  for (const fold of all(".cell details.hide")) if (!fold.querySelector(".cell_output")) fold.remove();
  for (const each of all(".quire-figure figcaption")) each.remove();

  // What was folded and is worth reading is open.
  for (const fold of all("details")) {
    const open = document.createElement("div");
    open.className = "unfolded";
    fold.querySelector(":scope > summary")?.remove();
    open.append(...fold.childNodes);
    fold.replaceWith(open);
  }
  for (const each of all(".dropdown")) each.classList.remove("dropdown");

  // Solutions stand at the chapter's end, out of sight of whoever tries the exercise.
  for (const sheet of sheets) {
    const solutions = all(".solution", sheet);
    if (!solutions.length) continue;
    const end = document.createElement("section");
    end.id = `${sheet.id}--solutions`;
    end.innerHTML = "<h2>Solutions</h2>";
    end.append(...solutions);
    sheet.querySelector("section").append(end);
    for (const solution of solutions) {
      const asked = solution.querySelector(".admonition-title a[href^='#']");
      const exercise = asked && document.getElementById(asked.getAttribute("href").slice(1));
      if (!exercise || !solution.id) continue;
      const way = document.createElement("p");
      way.className = "to-solution";
      way.innerHTML = `<a href="#${solution.id}">Its solution</a> stands at the end of the chapter.`;
      exercise.append(way);
    }
  }
  // How the page was made comes last of all.
  for (const sheet of sheets) {
    for (const each of all(".admonition:not(.solution)", sheet)) {
      if (each.textContent.trimStart().startsWith("How this page was made")) {
        each.classList.add("colophon");
        sheet.querySelector("section").append(each);
      }
    }
  }
  // A link needs something at its end that is laid out.
  for (const each of all(".cell[id]")) if (!each.textContent.trim()) each.classList.add("emptied");
})();

/* To be called once formulas and charts are drawn. */
window.quireFinish = () => {
  "use strict";
  const all = (query) => [...document.querySelectorAll(query)];
  for (const each of all("script[type='application/json']")) each.remove();

  // Charts name their clips and gradients alike, and by the document's address.
  all(".quire-chart svg").forEach((svg, number) => {
    const name = (id) => `chart${number}-${id}`;
    for (const each of svg.querySelectorAll("[id]")) each.id = name(each.id);
    for (const each of svg.querySelectorAll("*")) {
      for (const attribute of each.attributes) {
        attribute.value = attribute.value.replace(/url\("?[^)"]*#([^)"]+)"?\)/g, (_, id) => `url(#${name(id)})`);
      }
    }
  });

  // A slider that nobody can move says where it stands.
  for (const controls of all(".quire-controls")) {
    const told = [...controls.querySelectorAll(".vega-bind")].map((each) => {
      const name = each.querySelector(".vega-bind-name")?.textContent.trim() ?? "";
      const input = each.querySelector("input:checked, select, input");
      const value = input.type === "checkbox" ? (input.checked ? "yes" : "no") : input.value;
      return `${name} = ${value}`;
    });
    controls.replaceChildren();
    if (told.length) controls.textContent = `Shown for ${told.join(", ")}; on the screen it can be changed.`;
    else controls.remove();
  }
  for (const each of all(".quire-pick, .quire-pick-words")) each.remove();
  for (const each of all("[tabindex]")) each.removeAttribute("tabindex");

  // Nothing is cut: what is wider than the column is set smaller.
  const room = (each) => each.parentElement.closest("div, section, td, li, figure").clientWidth;
  for (const each of all("table, mjx-container[display='true']")) {
    const inside = each.matches("table") ? each : each.querySelector("mjx-math");
    const over = (inside?.scrollWidth ?? 0) / Math.max(1, room(each));
    if (over > 1.005) each.style.zoom = Math.max(0.45, 0.99 / over);
  }
};
