"""Opening pages of a built book in headless Chromium, and what is looked at on each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conftest import Book

READY = """() => window.MathJax?.startup?.promise
  ? window.MathJax.startup.promise.then(() => true) : !document.querySelector('.math')"""
DRAWN = "() => !document.querySelector('.quire-chart:not([data-drawn])')"
FACTS = r"""() => {
  const words = document.querySelector('main').cloneNode(true);
  for (const each of words.querySelectorAll('pre, code, script, style, noscript, mjx-container'))
    each.remove();
  const all = (query) => [...document.querySelectorAll(query)];
  const seen = (each) => each.checkVisibility();
  const beyond = (box) => {
    // Words of a drawing that end outside the drawing, or outside a column that does not scroll.
    const svg = box.querySelector('svg');
    if (!svg || !seen(box)) return [];
    const column = box.getBoundingClientRect();
    const frame = svg.getBoundingClientRect();
    return [...svg.querySelectorAll('text')].filter((each) => {
      const at = each.getBoundingClientRect();
      if (!at.width || each.closest('[opacity="0"]')) return false;
      const left = Math.max(frame.left, column.left);
      const right = Math.min(frame.right, column.right);
      return at.right > right + 2 || at.left < left - 2;
    }).map((each) => each.textContent.slice(0, 40));
  };
  return {
    theme: document.documentElement.dataset.theme,
    sideways: document.scrollingElement.scrollWidth - window.innerWidth,
    height: document.documentElement.scrollHeight,
    headings: all('h1').filter(seen).length,
    charts: all('.quire-chart').length,
    drawn: all('.quire-chart').filter((each) => each.querySelector('svg, canvas')).length,
    unnamed: all('.quire-chart').filter((each) => !each.getAttribute('aria-label')).length,
    unlinked: all('.cell .quire-figure figcaption a').filter(
      (each) => !document.querySelector(each.getAttribute('href'))?.querySelector('.cell_input')
    ).length,
    beyond: all('.quire-chart').flatMap(beyond),
    formulas: all('.math').length,
    typeset: all('.math').filter((each) => each.querySelector('mjx-container')).length,
    stops: all('mjx-container[tabindex="0"], mjx-container [tabindex]').filter(
      (each) => each.scrollWidth <= each.clientWidth + 1
    ).length,
    faulty: all('mjx-merror, [data-mjx-error]').length,
    mute: all('img:not([alt])').length,
    unreachable: all(
      '.quire-chart, .quire-table, .cell_output > .output, mjx-container[display="true"]'
    ).filter(
      (each) => each.scrollWidth > each.clientWidth + 1 && each.tabIndex !== 0
    ).length,
    words: words.textContent,
  };
}"""


# Without preload: axe would ask for style sheets, which a browser forbids a page on a disk.
_RUN_AXE = """async () => (await axe.run(document, {resultTypes: ['violations'], preload: false}))
  .violations.flatMap(
    (each) => each.nodes.map((node) => `${each.id}: ${node.target.join(' ')}`))"""


@dataclass(frozen=True)
class Visit:
    """What a page was like, in one theme at one width."""

    page: str
    theme: str
    width: int
    facts: dict[str, Any]
    requests: tuple[str, ...]
    errors: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page} ({self.theme}, {self.width} px)"


def visit(
    book: Book, browser: Any, page: str, theme: str, width: int, other: int, axe: str = ""
) -> Visit:
    """Open a page at one width, and look at it at another width, too.

    With the text of axe-core in ``axe`` the page's violations are among the facts.
    """
    requests: list[str] = []
    errors: list[str] = []
    tab = open_page(book, browser, page, theme, width, requests, errors)
    facts = tab.evaluate(FACTS)
    facts["violations"] = violations(tab, axe) if axe else []
    tab.set_viewport_size({"width": other, "height": 900})
    tab.wait_for_timeout(400)  # until charts that follow the width are drawn again
    tab.wait_for_function(DRAWN, timeout=60_000)
    again = tab.evaluate(FACTS)
    facts["sideways"] = max(facts["sideways"], again["sideways"])
    tab.close()
    return Visit(page, theme, width, facts, tuple(requests), tuple(errors))


def open_page(
    book: Book,
    browser: Any,
    page: str,
    theme: str = "light",
    width: int = 1440,
    requests: list[str] | None = None,
    errors: list[str] | None = None,
) -> Any:
    """Open a page of the book, wait until it is drawn, and return the tab."""
    told_requests = requests if requests is not None else []
    told_errors = errors if errors is not None else []
    tab = browser.new_page()
    tab.set_viewport_size({"width": width, "height": 900})
    tab.emulate_media(color_scheme=theme, reduced_motion="reduce")
    tab.on("request", lambda request: told_requests.append(request.url))
    tab.on("requestfailed", lambda request: told_errors.append(f"failed: {request.url}"))
    tab.on("pageerror", lambda error: told_errors.append(str(error)))
    tab.on("console", lambda m: told_errors.append(m.text) if m.type == "error" else None)
    address = (book.folder / page.partition("#")[0]).as_uri()
    tab.goto(f"{address}#{page.partition('#')[2]}" if "#" in page else address, wait_until="load")
    tab.wait_for_function(READY, timeout=60_000)
    tab.wait_for_function(DRAWN, timeout=60_000)
    return tab


def violations(tab: Any, axe: str) -> list[str]:
    """Return what axe-core finds on an open page, each with the rule and the place."""
    tab.evaluate(axe)
    return list(tab.evaluate(_RUN_AXE))


def wrong(visits: tuple[Visit, ...], fault: Callable[[Visit], object]) -> list[str]:
    """Return the visits with a fault, each with what it is."""
    return [f"{visit}: {fault(visit)}" for visit in visits if fault(visit)]
