/* Draws every chart of a page from the specification beside it, in the page's theme and column, and
   makes whatever scrolls sideways in its own box reachable by keyboard. Needs nothing from a network. */
(() => {
  "use strict";
  const folder = document.currentScript.src.replace(/[^/]*$/, "");
  const AXES = 100; // px: what axes and their titles take beside a plot, as a first guess
  const SYMBOL = 34; // px: what a legend's symbol and the gap before the next take
  const LEAST = 140; // px: a plot is never made narrower than this
  const PANEL = 60; // px: nor a panel of a grid of them than this
  const LETTER = 6.6; // px: how wide a letter of an axis title is, about
  const PASSES = 5; // drawings after which a chart is left as it is

  const onPaper = "paper" in document.documentElement.dataset; // all lines, whatever it takes
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

  // A single plot can follow its box. Plots beside each other can stand below each other.
  const bends = (spec) => {
    const channels = spec.encoding ?? {};
    const faceted = channels.row || channels.column || channels.facet;
    return Boolean((spec.mark || spec.layer) && !faceted);
  };
  const numbered = (width) => width === undefined || typeof width === "number";

  // Every legend that a specification describes, wherever it lies.
  const eachLegend = (node, visit) => {
    if (Array.isArray(node)) node.forEach((each) => eachLegend(each, visit));
    else if (isPlain(node)) {
      for (const [key, value] of Object.entries(node)) {
        if (key === "legend" && isPlain(value)) visit(value);
        else if (key !== "datasets" && key !== "data" && key !== "config") eachLegend(value, visit);
      }
    }
  };

  const lines = (text, letters) => {
    const made = [""];
    for (const word of text.split(" ")) {
      const longer = `${made.at(-1)} ${word}`.trim();
      if (longer.length <= letters || !made.at(-1)) made[made.length - 1] = longer;
      else made.push(word);
    }
    return made.length > 1 ? made : text;
  };

  // Titles of horizontal axes, on as many lines as a narrow plot asks for.
  const wrapTitles = (node, letters) => {
    if (Array.isArray(node)) node.forEach((each) => wrapTitles(each, letters));
    else if (isPlain(node)) {
      for (const [key, value] of Object.entries(node)) {
        if (key === "x" && isPlain(value)) {
          if (typeof value.title === "string") value.title = lines(value.title, letters);
          if (typeof value.axis?.title === "string") {
            value.axis.title = lines(value.axis.title, letters);
          }
        } else if (key !== "datasets" && key !== "data" && key !== "config") {
          wrapTitles(value, letters);
        }
      }
    }
  };

  // Panels beside each other become panels below each other.
  const stack = (spec) => {
    const rows = spec.facet?.column && !spec.facet.row;
    if (rows) spec.facet = spec.facet.column;
    if (spec.facet && isPlain(spec.spec)) spec.columns = 1;
    const channels = spec.encoding ?? {};
    if (channels.column && !channels.row) {
      channels.facet = { ...channels.column, columns: 1 };
      delete channels.column;
    } else if (channels.facet) channels.facet.columns = 1;
    if (spec.hconcat) {
      spec.vconcat = spec.hconcat;
      delete spec.hconcat;
    }
    if (spec.concat) spec.columns = 1;
  };
  const panelled = (spec) => {
    const channels = spec.encoding ?? {};
    return Boolean(
      spec.hconcat || spec.concat || spec.facet || channels.column || channels.facet || channels.row
    );
  };

  // A data set is a list of rows, or CSV with a line for each.
  const length = (data) => (typeof data === "string" ? data.split("\n").length : data.length ?? 0);
  const rows = (spec) =>
    Object.values(spec.datasets ?? {}).reduce((sum, data) => sum + length(data), 0);

  // The items of a scene whose mark has this role: how wide each is, and where it ends.
  const itemsOf = (mark, role, x = 0, found = []) => {
    for (const item of mark.items ?? []) {
      const { x1 = 0, x2 = 0 } = item.bounds ?? {};
      if (mark.role === role) found.push({ width: x2 - x1, right: x + x2 });
      const inside = mark.marktype === "group" ? x + (item.x ?? 0) : x;
      for (const inner of item.items ?? []) itemsOf(inner, role, inside, found);
    }
    return found;
  };

  // The same hues, brighter, on the dark ground.
  const toned = (node) => {
    if (typeof node === "string") return window.quireDarkTones[node.toLowerCase()] ?? node;
    if (Array.isArray(node)) return node.map(toned);
    if (!isPlain(node)) return node;
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, toned(value)]));
  };

  class Chart {
    constructor(figure) {
      this.figure = figure;
      this.box = figure.querySelector(".quire-chart");
      this.controls = figure.querySelector(".quire-controls");
      this.spec = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
      this.set = new Map(); // what the reader moved, kept over a change of theme
    }

    // The specification for this column, given what the last drawing of it overflowed by.
    fitted({ columns, below, shrink, stretch }) {
      const spec = theme() === "dark" ? toned(this.spec) : structuredClone(this.spec);
      const room = this.box.clientWidth;
      spec.config = merge(spec.config ?? {}, window.quireChartThemes[theme()]);
      spec.background = "transparent";
      for (const param of spec.params ?? []) {
        if (this.set.has(param.name)) param.value = this.set.get(param.name);
      }
      const limit = Math.min(260, room - 48);
      Object.assign(spec.config.legend, { labelLimit: limit, titleLimit: room - 16, columns });
      eachLegend(spec, (legend) => {
        if (legend.orient !== "none" && legend.orient !== "top") legend.orient = "bottom";
        if (legend.columns === undefined || legend.columns > columns) legend.columns = columns;
      });
      const usual = spec.config.view?.continuousWidth ?? 560;
      const most = Math.max(LEAST, room - AXES - shrink);
      if (below) stack(spec);
      if (room < usual) wrapTitles(spec, Math.floor(most / LETTER));
      for (const part of spec.vconcat ?? (below ? spec.concat : null) ?? []) {
        // Plots on top of each other can not follow their box, but can begin as narrow as it.
        if (bends(part) && numbered(part.width)) part.width = Math.min(part.width ?? usual, most);
      }
      const panel = spec.facet ? spec.spec : panelled(spec) && spec.encoding ? spec : null;
      if (panel && below && numbered(panel.width)) {
        const by = spec.facet ?? spec.encoding;
        const grid = by.row && by.column;
        const narrow = grid ? Math.max(PANEL, (panel.width ?? 200) - shrink) : most;
        panel.width = Math.min(panel.width ?? usual, narrow);
      }
      if (!bends(spec) || !(numbered(spec.width) || stretch)) return spec;
      const natural = numbered(spec.width) ? spec.width ?? usual : usual;
      this.box.style.maxWidth = `${natural + 160}px`;
      spec.width = "container";
      spec.autosize = { type: "fit-x", contains: "padding" };
      return spec;
    }

    async draw() {
      const fit = { columns: 3, below: false, shrink: 0, stretch: false };
      for (let pass = 0; pass < PASSES; pass++) {
        await this.drawn(fit);
        if (!this.overflows(fit)) break;
      }
      this.width = this.box.clientWidth;
      this.box.dataset.drawn = theme();
    }

    async drawn(fit) {
      const spec = this.fitted(fit);
      this.result?.finalize();
      this.controls.replaceChildren();
      this.result = await window.vegaEmbed(this.box, spec, {
        mode: "vega-lite",
        renderer: rows(spec) > 3000 && !onPaper ? "canvas" : "svg",
        actions: false,
        bind: this.controls,
        tooltip: { theme: theme() },
        logLevel: 1, // errors
      });
      // The box has the chart's description; read out mark by mark, a chart says nothing.
      this.box.querySelector("svg, canvas").setAttribute("aria-hidden", "true");
      for (const param of spec.params ?? []) {
        if (!param.bind || param.select) continue;
        this.result.view.addSignalListener(param.name, (name, value) => this.set.set(name, value));
      }
      window.quirePicker?.(this.figure, this.result.view, spec);
    }

    // Whether the drawing is wider than its box; if so, `fit` says how to draw it next.
    overflows(fit) {
      const room = this.box.clientWidth;
      const scene = this.result.view.scenegraph().root;
      const [left] = this.result.view.origin();
      const ends = itemsOf(scene, "legend").map((legend) => left + legend.right);
      if (Math.max(...ends) > room && fit.columns > 1) {
        const words = Math.max(...itemsOf(scene, "legend-label").map((label) => label.width));
        fit.columns = Math.max(1, Math.min(fit.columns - 1, Math.floor((room - left) / (words + SYMBOL))));
        return true;
      }
      const drawing = this.box.querySelector("svg, canvas");
      const over = Math.ceil(drawing.getBoundingClientRect().width - room);
      if (over <= 0) return false;
      if (panelled(this.spec) && !fit.below) fit.below = true;
      else if (bends(this.spec) && !fit.stretch) fit.stretch = true;
      else fit.shrink += over;
      return true;
    }
  }

  const reachable = () => {
    const boxes =
      ".quire-chart, .quire-table, .cell_output > .output, .math, pre, .table-wrapper, " +
      'mjx-container[display="true"]';
    for (const box of document.querySelectorAll(boxes)) {
      if ("picks" in box.dataset) continue;
      const over = box.scrollWidth - box.clientWidth;
      box.style.overflowX = over === 1 ? "hidden" : ""; // a pixel of rounding: nothing to scroll to
      if (over > 1) box.tabIndex = 0;
      else if (box.tabIndex === 0) box.removeAttribute("tabindex");
    }
  };

  const start = async () => {
    const charts = [...document.querySelectorAll(".quire-figure")].map((each) => new Chart(each));
    if (charts.length) {
      await load("quire-vega.js");
      let last = Promise.resolve();
      const drawAgain = (needed) => {
        last = last.then(async () => {
          for (const chart of charts) if (needed(chart)) await chart.draw();
          reachable();
        });
      };
      drawAgain(() => true);
      new MutationObserver(() => drawAgain((chart) => chart.box.dataset.drawn !== theme())).observe(
        document.documentElement,
        { attributeFilter: ["data-theme"] }
      );
      let waiting;
      window.addEventListener("resize", () => {
        clearTimeout(waiting);
        waiting = setTimeout(() => drawAgain((chart) => chart.box.clientWidth !== chart.width), 150);
      });
      // A chart in a fold has no width until the fold opens.
      document.addEventListener(
        "toggle",
        () => drawAgain((chart) => chart.box.clientWidth > 0 && chart.box.clientWidth !== chart.width),
        true
      );
      await last;
    }
    await window.MathJax?.startup?.promise; // until then no formula has a width
    reachable();
  };

  window.addEventListener("resize", reachable);
  window.addEventListener("load", reachable);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
