/* Shows what a link leads to beside it (a term, a citation, a theorem, an exercise, an equation), for
   the pointer and for the focus. The page carries it as a template: nothing is fetched. */
(() => {
  "use strict";
  const PATIENCE = 200; // ms in which a pointer may travel from the link to its preview

  const start = () => {
    const links = [...document.querySelectorAll("a[data-quire-preview]")];
    if (!links.length) return;
    const tip = document.createElement("div");
    tip.className = "quire-tip tex2jax_ignore mathjax_ignore"; // only its formulas are formulas
    tip.id = "quire-tip";
    tip.setAttribute("role", "tooltip");
    tip.hidden = true;
    (document.querySelector("main") ?? document.body).append(tip); // inside a landmark
    let owner = null;
    let waiting = 0;

    const stay = () => clearTimeout(waiting);
    const hide = () => {
      stay();
      owner?.removeAttribute("aria-describedby");
      owner = null;
      tip.hidden = true;
    };
    const leave = () => {
      stay();
      waiting = setTimeout(hide, PATIENCE);
    };
    const place = (link) => {
      const at = link.getClientRects()[0] ?? link.getBoundingClientRect();
      const left = Math.min(at.left, document.documentElement.clientWidth - tip.offsetWidth - 8);
      const below = at.bottom + tip.offsetHeight + 8 < window.innerHeight;
      const top = below ? at.bottom + 4 : at.top - tip.offsetHeight - 4;
      const origin = (tip.offsetParent ?? document.body).getBoundingClientRect();
      tip.style.left = `${Math.max(8, left) - origin.left}px`;
      tip.style.top = `${top - origin.top}px`;
    };
    const show = (link) => {
      if (owner === link) return stay();
      hide();
      const template = document.getElementById(link.dataset.quirePreview);
      if (!template) return;
      owner = link;
      window.MathJax?.typesetClear?.([tip]);
      tip.replaceChildren(template.content.cloneNode(true));
      tip.toggleAttribute("data-wide", link.dataset.quireKind !== "term");
      tip.hidden = false;
      link.setAttribute("aria-describedby", tip.id);
      place(link);
      if (!tip.querySelector(".math")) return;
      window.MathJax?.typesetPromise?.([tip]).then(() => {
        if (owner !== link) return;
        for (const formula of tip.querySelectorAll("mjx-container[display='true']")) {
          const over = formula.scrollWidth / Math.max(1, formula.clientWidth);
          if (over > 1) formula.firstElementChild.style.zoom = 0.98 / over; // or it would be cut
        }
        place(link); // only now has everything its size
      });
    };

    for (const link of links) {
      link.addEventListener("mouseenter", () => show(link));
      link.addEventListener("focus", () => show(link));
      link.addEventListener("blur", hide);
      link.addEventListener("mouseleave", leave);
    }
    tip.addEventListener("mouseenter", stay); // one may point at what is shown
    tip.addEventListener("mouseleave", leave);
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") hide();
    });
    // Reaching a link may scroll the page: what it shows goes along.
    const follow = () => (owner?.matches(":focus, :hover") ? place(owner) : hide());
    window.addEventListener("scroll", follow, { passive: true });
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
