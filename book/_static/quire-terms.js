/* Shows the definition of a glossary's term beside its link, for the pointer and for the focus. */
(() => {
  "use strict";

  const start = () => {
    const links = [...document.querySelectorAll("a[data-quire-term]")];
    if (!links.length) return;
    const tip = document.createElement("div");
    tip.className = "quire-tip";
    tip.id = "quire-tip";
    tip.setAttribute("role", "tooltip");
    tip.hidden = true;
    document.body.append(tip);
    let owner = null;

    const hide = () => {
      owner?.removeAttribute("aria-describedby");
      owner = null;
      tip.hidden = true;
    };
    const show = (link) => {
      hide();
      owner = link;
      tip.textContent = link.dataset.quireTerm;
      tip.hidden = false;
      link.setAttribute("aria-describedby", tip.id);
      const at = link.getBoundingClientRect();
      const left = Math.min(at.left, document.documentElement.clientWidth - tip.offsetWidth - 8);
      const below = at.bottom + tip.offsetHeight + 8 < window.innerHeight;
      tip.style.left = `${Math.max(8, left) + window.scrollX}px`;
      tip.style.top = `${(below ? at.bottom + 4 : at.top - tip.offsetHeight - 4) + window.scrollY}px`;
    };

    for (const link of links) {
      link.addEventListener("mouseenter", () => show(link));
      link.addEventListener("focus", () => show(link));
      link.addEventListener("blur", hide);
      link.addEventListener("mouseleave", (event) => {
        if (event.relatedTarget !== tip) hide();
      });
    }
    tip.addEventListener("mouseleave", hide); // one may point at the definition itself
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") hide();
    });
    window.addEventListener("scroll", hide, { passive: true });
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
