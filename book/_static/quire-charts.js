/* Draws every chart of a page from the specification beside it, in the page's theme, and makes
   whatever scrolls sideways in its own box reachable by keyboard. Needs nothing from a network. */
(() => {
  "use strict";
  const folder = document.currentScript.src.replace(/[^/]*$/, "");
  const NARROW = 520; // px: below it a legend beside the plot would leave too little of the plot

  const AXES = 100; // px: what axes and their titles take beside a plot, at most

  const theme = () => (document.documentElement.dataset.theme === "dark" ? "dark" : "light");

  const load = (name) =>
    new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = folder + name;
      script.onload = done;
      script.onerror = () => failed(new Error(`${name} is missing beside the pages`));
      document.head.append(script);
    });

  const isPlain = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  const merge = (under, over) => {
    const merged = { ...under };
    for (const [key, value] of Object.entries(over)) {
      merged[key] = isPlain(value) && isPlain(under[key]) ? merge(under[key], value) : value;
    }
    return merged;
  };

  // A single plot may be as narrow as its column. Plots side by side, and plots whose width is a
  // number of steps, keep their size and scroll in their box.
  const bends = (spec) => {
    const channels = spec.encoding ?? {};
    const faceted = channels.row || channels.column || channels.facet;
    const sized = spec.width === undefined || typeof spec.width === "number";
    return Boolean((spec.mark || spec.layer) && sized && !faceted);
  };

  // A data set is a list of rows, or CSV with a line for each.
  const length = (data) => (typeof data === "string" ? data.split("\n").length : data.length ?? 0);
  const rows = (spec) =>
    Object.values(spec.datasets ?? {}).reduce((sum, data) => sum + length(data), 0);

  class Chart {
    constructor(figure) {
      this.box = figure.querySelector(".quire-chart");
      this.controls = figure.querySelector(".quire-controls");
      this.spec = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
      this.set = new Map(); // what the reader moved, kept over a change of theme
    }

    fitted() {
      const spec = structuredClone(this.spec);
      spec.config = merge(spec.config ?? {}, window.quireChartThemes[theme()]);
      spec.background = "transparent";
      for (const param of spec.params ?? []) {
        if (this.set.has(param.name)) param.value = this.set.get(param.name);
      }
      const usual = spec.config.view?.continuousWidth ?? 560;
      if (spec.vconcat?.every(bends)) {
        // Plots on top of each other can not follow their box, but can begin as narrow as it.
        for (const part of spec.vconcat) {
          part.width = Math.max(200, Math.min(part.width ?? usual, this.box.clientWidth - AXES));
        }
      }
      if (!bends(spec)) return spec;
      const wide = spec.width ?? usual;
      this.box.style.maxWidth = `${wide + 160}px`;
      spec.width = "container";
      spec.autosize = { type: "fit-x", contains: "padding" };
      if (this.box.clientWidth < NARROW) {
        spec.config.legend = { ...spec.config.legend, orient: "bottom", columns: 2 };
      }
      return spec;
    }

    async draw() {
      const spec = this.fitted();
      this.result?.finalize();
      this.controls.replaceChildren();
      this.result = await window.vegaEmbed(this.box, spec, {
        mode: "vega-lite",
        renderer: rows(spec) > 3000 ? "canvas" : "svg",
        actions: false,
        bind: this.controls,
        tooltip: { theme: theme() },
        logLevel: 1, // errors
      });
      for (const param of spec.params ?? []) {
        if (!param.bind || param.select) continue;
        this.result.view.addSignalListener(param.name, (name, value) => this.set.set(name, value));
      }
      this.box.dataset.drawn = theme();
    }
  }

  const reachable = () => {
    const boxes = ".quire-chart, .quire-table, .cell_output > .output, .math, pre, .table-wrapper";
    for (const box of document.querySelectorAll(boxes)) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else if (box.tabIndex === 0) box.removeAttribute("tabindex");
    }
  };

  // A link to a folded cell opens it.
  const unfold = () => {
    const cell = location.hash.startsWith("#cell-") && document.getElementById(location.hash.slice(1));
    for (const fold of cell ? cell.querySelectorAll("details") : []) fold.open = true;
  };

  const start = async () => {
    const charts = [...document.querySelectorAll(".quire-figure")].map((each) => new Chart(each));
    if (charts.length) {
      await load("quire-vega.js");
      const drawAll = async () => {
        for (const chart of charts) await chart.draw();
        reachable();
      };
      let last = drawAll();
      new MutationObserver(() => {
        last = last.then(drawAll);
      }).observe(document.documentElement, { attributeFilter: ["data-theme"] });
      await last;
    }
    unfold();
    reachable();
  };

  window.addEventListener("hashchange", unfold);
  window.addEventListener("resize", reachable);
  window.addEventListener("load", reachable);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
