/* Leads to the very place that was meant: a link into a fold opens it, a search lands at the word. */
(() => {
  "use strict";

  const open = (element) => {
    for (let each = element; each; each = each.parentElement) {
      if (each.tagName === "DETAILS") each.open = true;
      const button = each.classList.contains("toggle-hidden") && each.querySelector(".toggle-button");
      if (button) button.click();
    }
  };

  const unfold = () => {
    const name = decodeURIComponent(location.hash.slice(1));
    const target = name && document.getElementById(name);
    if (!target) return;
    open(target);
    if (target.matches(".cell")) {
      for (const fold of target.querySelectorAll(":scope > details")) fold.open = true;
    }
    target.scrollIntoView();
  };

  // Marks the words of a search on the page that it led to, and shows the first of them.
  const APART = "script, style, noscript, svg, .math, mjx-container, .highlighted";
  const mark = (word) => {
    const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const at = walker.currentNode.data.toLowerCase().indexOf(word);
      if (at >= 0 && !walker.currentNode.parentElement.closest(APART)) {
        found.push([walker.currentNode, at]);
      }
    }
    for (const [text, at] of found) {
      const range = document.createRange();
      range.setStart(text, at);
      range.setEnd(text, at + word.length);
      const span = document.createElement("span");
      span.className = "highlighted";
      range.surroundContents(span);
    }
  };

  const toFirstHit = async () => {
    const asked = new URLSearchParams(location.search).get("highlight");
    if (!asked || document.getElementById("search-results")) return;
    await window.MathJax?.startup?.promise;
    asked.toLowerCase().split(/\s+/).filter((word) => word.length > 1).forEach(mark);
    const hit = document.querySelector("main .highlighted");
    if (!hit || location.hash) return;
    open(hit);
    hit.scrollIntoView({ block: "center" });
  };

  // Sphinx keeps the words for one page only; the links of the results can carry them.
  const carryWords = () => {
    const results = document.getElementById("search-results");
    const words = new URLSearchParams(location.search).get("q");
    if (!results || !words) return;
    const carry = () => {
      for (const link of results.querySelectorAll("a[href]:not([data-carried])")) {
        const url = new URL(link.href);
        url.searchParams.set("highlight", words);
        link.href = url.href;
        link.dataset.carried = "";
      }
    };
    new MutationObserver(carry).observe(results, { childList: true, subtree: true });
    carry();
  };

  window.addEventListener("hashchange", unfold);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", carryWords);
  else carryWords();
  window.addEventListener("load", () => {
    unfold();
    toFirstHit();
  });
})();
