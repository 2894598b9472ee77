"""Every page in headless Chromium, from the disk: no network, no error, nothing left undrawn."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from .conftest import HARD_CASES, Book

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

_READY = """() => window.MathJax?.startup?.promise
  ? window.MathJax.startup.promise.then(() => true) : !document.querySelector('.math')"""
_DRAWN = "() => !document.querySelector('.quire-chart:not([data-drawn])')"
_FACTS = r"""() => {
  const words = document.querySelector('main').cloneNode(true);
  for (const each of words.querySelectorAll('pre, code, script, style, noscript, mjx-container'))
    each.remove();
  const all = (query) => [...document.querySelectorAll(query)];
  const seen = (each) => each.checkVisibility();
  return {
    theme: document.documentElement.dataset.theme,
    sideways: document.scrollingElement.scrollWidth - window.innerWidth,
    headings: all('h1').filter(seen).length,
    charts: all('.quire-chart').length,
    drawn: all('.quire-chart').filter((each) => each.querySelector('svg, canvas')).length,
    unnamed: all('.quire-chart').filter((each) => !each.getAttribute('aria-label')).length,
    unlinked: all('.cell .quire-figure figcaption a').filter(
      (each) => !document.querySelector(each.getAttribute('href'))?.querySelector('.cell_input')
    ).length,
    formulas: all('.math').length,
    typeset: all('.math').filter((each) => each.querySelector('mjx-container')).length,
    faulty: all('mjx-merror, [data-mjx-error]').length,
    mute: all('img:not([alt])').length,
    unreachable: all('.quire-chart, .quire-table, .cell_output > .output').filter(
      (each) => each.scrollWidth > each.clientWidth + 1 && each.tabIndex !== 0
    ).length,
    words: words.textContent,
  };
}"""


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


@pytest.fixture(scope="module")
def visits(book: Book, browser: Any) -> tuple[Visit, ...]:
    """Every page, in light on a desk and in dark on a phone."""
    return tuple(
        _visit(book, browser, page, theme, width)
        for page in book.pages
        for theme, width in (("light", 1440), ("dark", 390))
    )


def _visit(book: Book, browser: Any, page: str, theme: str, width: int) -> Visit:
    requests: list[str] = []
    errors: list[str] = []
    tab = open_page(book, browser, page, theme, width, requests, errors)
    facts = tab.evaluate(_FACTS)
    # The other theme and the other width, too.
    tab.set_viewport_size({"width": 1830 - width, "height": 900})
    facts["sideways"] = max(facts["sideways"], tab.evaluate(_FACTS)["sideways"])
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
    tab.goto((book.folder / page).as_uri(), wait_until="load")
    tab.wait_for_function(_READY, timeout=60_000)
    tab.wait_for_function(_DRAWN, timeout=60_000)
    return tab


def wrong(visits: tuple[Visit, ...], fault: Callable[[Visit], object]) -> list[str]:
    """Return the visits with a fault, each with what it is."""
    return [f"{visit}: {fault(visit)}" for visit in visits if fault(visit)]


def test_the_rendering_had_nothing_to_complain_of(book: Book) -> None:
    assert book.complaints == ()


def test_no_page_asks_for_anything_but_files(visits: tuple[Visit, ...]) -> None:
    local = re.compile(r"(file|data|blob):")
    assert wrong(visits, lambda v: [url for url in v.requests if not local.match(url)]) == []


def test_no_page_has_an_error_on_its_console(visits: tuple[Visit, ...]) -> None:
    assert wrong(visits, lambda v: v.errors) == []


def test_every_chart_is_drawn_and_named_and_leads_to_its_cell(visits: tuple[Visit, ...]) -> None:
    assert any(v.facts["charts"] for v in visits)
    assert wrong(visits, lambda v: v.facts["charts"] - v.facts["drawn"]) == []
    assert wrong(visits, lambda v: v.facts["unnamed"] + v.facts["unlinked"]) == []


def test_every_formula_is_typeset(visits: tuple[Visit, ...]) -> None:
    assert any(v.facts["formulas"] for v in visits)
    assert wrong(visits, lambda v: v.facts["formulas"] - v.facts["typeset"]) == []
    assert wrong(visits, lambda v: v.facts["faulty"]) == []


def test_no_page_scrolls_sideways_and_wide_boxes_are_reachable(visits: tuple[Visit, ...]) -> None:
    assert wrong(visits, lambda v: max(0, v.facts["sideways"])) == []
    assert wrong(visits, lambda v: v.facts["unreachable"]) == []


def test_every_page_follows_the_theme_asked_for(visits: tuple[Visit, ...]) -> None:
    assert wrong(visits, lambda v: v.facts["theme"] != v.theme) == []


def test_every_page_has_one_heading_of_the_first_level(visits: tuple[Visit, ...]) -> None:
    assert wrong(visits, lambda v: v.facts["headings"] != 1 and v.facts["headings"] + 1) == []


def test_every_picture_has_a_text(visits: tuple[Visit, ...]) -> None:
    assert wrong(visits, lambda v: v.facts["mute"]) == []


def test_no_markup_is_left_in_the_words(visits: tuple[Visit, ...]) -> None:
    left = re.compile(r":::|```|\$\$|\\\(|\\\[|\{[a-z:]+\}`|\{(note|exercise|solution)\}")
    assert wrong(visits, lambda v: sorted(set(left.findall(v.facts["words"])))) == []


def test_a_slider_moved_by_the_keyboard_changes_its_chart(book: Book, browser: Any) -> None:
    tab = open_page(book, browser, HARD_CASES)
    figure = tab.locator(".quire-figure").filter(has=tab.locator("input[type=range]"))
    path = figure.locator("svg .mark-line path").first
    before = path.get_attribute("d")
    figure.locator("input[type=range]").focus()
    tab.keyboard.press("ArrowRight")
    tab.wait_for_function(
        "(before) => [...document.querySelectorAll('.quire-figure')]"
        ".find((f) => f.querySelector('input')).querySelector('.mark-line path')"
        ".getAttribute('d') !== before",
        arg=before,
    )
    tab.close()


def test_the_theme_button_redraws_and_keeps_what_the_reader_set(book: Book, browser: Any) -> None:
    errors: list[str] = []
    tab = open_page(book, browser, HARD_CASES, errors=errors)
    slider = tab.locator(".quire-controls input[type=range]")
    slider.focus()
    tab.keyboard.press("ArrowRight")
    moved = slider.input_value()
    for _ in range(3):  # auto, light, dark
        tab.locator("button.theme-switch-button").first.click()
        if tab.evaluate("document.documentElement.dataset.theme") == "dark":
            break
    tab.wait_for_function(
        "() => [...document.querySelectorAll('.quire-chart')]"
        ".every((chart) => chart.dataset.drawn === 'dark')"
    )
    assert slider.input_value() == moved
    fills = tab.evaluate(
        "() => [...new Set([...document.querySelectorAll('.quire-chart .role-axis-label text')]"
        ".map((label) => label.getAttribute('fill')))]"
    )
    assert fills == ["#e6e6e6"]
    assert errors == []
    tab.close()


def test_the_link_of_a_chart_opens_the_folded_cell(book: Book, browser: Any) -> None:
    tab = open_page(book, browser, HARD_CASES)
    for cell in ("plain", "beside"):  # one hides its input, one asked to have it removed
        fold = tab.locator(f"#cell-{cell} details").first
        assert fold.get_attribute("open") is None
        tab.locator(f'figcaption a[href="#cell-{cell}"]').click()
        tab.wait_for_function(f"() => document.querySelector('#cell-{cell} details').open")
    tab.close()


def test_a_wide_chart_scrolls_in_its_box_by_the_keyboard(book: Book, browser: Any) -> None:
    tab = open_page(book, browser, HARD_CASES, width=390)
    box = tab.locator("#chart-98_hard_cases-beside-1 .quire-chart")
    box.focus()
    for _ in range(5):
        tab.keyboard.press("ArrowRight")
    tab.wait_for_function("(box) => box.scrollLeft > 0", arg=box.element_handle())
    tab.close()


def test_the_search_finds_a_word_without_a_network(book: Book, browser: Any) -> None:
    errors: list[str] = []
    tab = open_page(book, browser, "search.html", errors=errors)
    tab.goto((book.folder / "search.html").as_uri() + "?q=tolerance")
    tab.wait_for_selector("#search-results li a", timeout=30_000)
    assert errors == []
    tab.close()
