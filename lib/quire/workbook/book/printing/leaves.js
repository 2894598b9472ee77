/* The drawn document's sheets as XHTML, for the EPUB: formulas as MathML, charts as SVG, no scripts.
   To be called once `quireFinish` has run. */
window.quireLeaves = () => {
  "use strict";
  const all = (query, within) => [...within.querySelectorAll(query)];
  const MATHML = "http://www.w3.org/1998/Math/MathML";
  const root = new URL(".", document.baseURI).href;

  // What each formula's container shows, as MathML.
  const formulas = new Map();
  for (const item of MathJax.startup.document.math) {
    if (!item.typesetRoot) continue;
    const key = String(formulas.size);
    item.typesetRoot.dataset.formula = key;
    formulas.set(key, { mml: MathJax.startup.toMML(item.root), tex: item.math });
  }
  const mathml = (container) => {
    const { mml, tex } = formulas.get(container.dataset.formula);
    const math = new DOMParser().parseFromString(mml, "application/xml").documentElement;
    for (const each of [math, ...all("*", math)]) {
      for (const { name } of [...each.attributes]) {
        if (name.startsWith("data-") || name === "class" || name === "xlink:href") each.removeAttribute(name);
      }
    }
    math.setAttribute("alttext", tex.trim());
    return document.importNode(math, true);
  };

  const KEPT = new Set([
    "id", "class", "href", "src", "alt", "title", "lang", "colspan", "rowspan", "scope", "start",
    "role", "aria-label", "reversed", "type",
  ]);
  const bare = (element) => {
    for (const { name } of [...element.attributes]) if (!KEPT.has(name)) element.removeAttribute(name);
  };
  const pages = new Set(all(".sheet", document).map((sheet) => sheet.id));
  const images = {};

  return {
    leaves: all(".sheet", document).map((sheet) => {
      const copy = sheet.cloneNode(true);
      for (const each of all("mjx-container", copy)) {
        each.replaceWith(each.dataset.formula ? mathml(each) : "");
      }
      for (const each of all("script, style, mjx-assistive-mml, input, select, label", copy)) each.remove();
      for (const svg of all("svg", copy)) {
        for (const each of [svg, ...all("*", svg)]) {
          for (const { name } of [...each.attributes]) {
            if (/^(aria-|role$|tabindex$|data-)/.test(name)) each.removeAttribute(name);
          }
        }
      }
      const inside = (each) => each.closest("svg") || each.namespaceURI === MATHML;
      for (const each of all("*", copy)) if (!inside(each)) bare(each);
      // A name is given once in a document, and clips of charts may share theirs between documents.
      for (const each of all("a[href^='#']", copy)) {
        const place = each.getAttribute("href").slice(1);
        const page = place.split("--")[0];
        if (!pages.has(page)) each.removeAttribute("href");
        else each.setAttribute("href", `${page}.xhtml${place === page ? "" : `#${place}`}`);
      }
      for (const each of all("img[src]", copy)) {
        const source = new URL(each.getAttribute("src"), root).href;
        if (!source.startsWith(root) && !source.startsWith("data:")) each.remove();
        else {
          images[source] ??= `images/${Object.keys(images).length + 1}`;
          each.setAttribute("src", `quire-image:${images[source]}`);
        }
        if (!each.hasAttribute("alt")) each.setAttribute("alt", "");
      }
      const write = new XMLSerializer();
      return {
        name: sheet.id,
        body: [...copy.childNodes].map((each) => write.serializeToString(each)).join(""),
      };
    }),
    images: Object.fromEntries(
      Object.entries(images).map(([source, name]) => [name, source.startsWith(root) ? decodeURIComponent(source.slice(root.length)) : source])
    ),
  };
};
