"""Every page in headless Chromium, from the disk: no network, no error, nothing left undrawn."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .conftest import HARD_CASES, Book
from .visits import Visit, open_page, violations, wrong

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]


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


def test_no_word_of_a_chart_is_cut_off(visits: tuple[Visit, ...]) -> None:
    mine = tuple(v for v in visits if "/98_" in v.page or "scoreboard" in v.page)
    assert mine
    assert wrong(mine, lambda v: v.facts["beyond"]) == []


def test_a_formula_is_no_stop_of_the_tab_key(visits: tuple[Visit, ...]) -> None:
    assert wrong(visits, lambda v: v.facts["stops"]) == []


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
    left = re.compile(r":::|```|\$\$|\\\(|\\\[|\{[a-z:]+\}`|\{(?:note|exercise|solution|raw)\}")
    spoken = "````"  # a claim's own words

    def found(visit: Visit) -> list[str]:
        return sorted(set(left.findall(visit.facts["words"].replace(spoken, ""))))

    assert wrong(visits, found) == []


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


def test_a_wide_table_scrolls_in_its_box_by_the_keyboard(book: Book, browser: Any) -> None:
    tab = open_page(book, browser, HARD_CASES, width=390)
    box = tab.locator("#cell-frame .cell_output > .output").first
    box.focus()
    for _ in range(5):
        tab.keyboard.press("ArrowRight")
    tab.wait_for_function("(box) => box.scrollLeft > 0", arg=box.element_handle())
    tab.close()


def test_charts_beside_each_other_stand_below_each_other_on_a_phone(
    book: Book, browser: Any
) -> None:
    where = """() => [...document.querySelectorAll(
      '#chart-98_hard_cases-beside-1 svg .role-scope.concat_0_group, ' +
      '#chart-98_hard_cases-beside-1 svg .role-scope.concat_1_group')].map((each) => {
      const { left, top } = each.getBoundingClientRect();
      return [Math.round(left), Math.round(top)]; })"""
    tab = open_page(book, browser, HARD_CASES, width=390)
    (left, top), (other_left, other_top) = tab.evaluate(where)
    assert abs(left - other_left) < 20
    assert other_top > top + 100
    tab.close()
    tab = open_page(book, browser, HARD_CASES, width=1440)
    (left, top), (other_left, other_top) = tab.evaluate(where)
    assert other_left > left + 100
    assert abs(top - other_top) < 20
    tab.close()


def test_the_search_finds_a_word_without_a_network(book: Book, browser: Any) -> None:
    errors: list[str] = []
    tab = open_page(book, browser, "search.html", errors=errors)
    tab.goto((book.folder / "search.html").as_uri() + "?q=tolerance")
    tab.wait_for_selector("#search-results li a", timeout=30_000)
    assert errors == []
    tab.close()


def test_a_search_lands_at_the_word(book: Book, browser: Any) -> None:
    tab = open_page(book, browser, "search.html")
    tab.goto((book.folder / "search.html").as_uri() + "?q=crossover")
    link = tab.locator('#search-results li a[href*="98_hard_cases"]').first
    link.wait_for(timeout=30_000)
    address = link.get_attribute("href")
    assert "highlight=crossover" in address
    link.click()
    tab.wait_for_selector("main .highlighted")
    tab.wait_for_function(
        """() => { const { top } = document.querySelector('main .highlighted')
          .getBoundingClientRect(); return top > 0 && top < window.innerHeight; }"""
    )
    tab.close()


def test_a_click_map_is_used_by_the_keyboard(book: Book, browser: Any) -> None:
    tab = open_page(book, browser, HARD_CASES)
    figure = tab.locator("#chart-98_hard_cases-map-1")
    chosen = figure.locator("svg text", has_text="chosen")
    before = chosen.bounding_box()
    figure.locator(".quire-chart").focus()
    tab.keyboard.press("ArrowRight")  # frames the first cell
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    assert "x: " in figure.locator(".quire-pick-words").inner_text()
    assert figure.locator(".quire-pick").is_visible()
    tab.keyboard.press("Enter")
    tab.wait_for_function(
        """(before) => [...document.querySelectorAll('#chart-98_hard_cases-map-1 svg text')]
          .some((each) => each.textContent === 'chosen'
            && Math.abs(each.getBoundingClientRect().left + window.scrollX - before) > 20)""",
        arg=before["x"],
    )
    tab.close()


def test_the_glance_leads_to_the_measurements(book: Book, browser: Any) -> None:
    tab = open_page(book, browser, HARD_CASES)
    glance = tab.locator(".quire-glance")
    assert glance.locator("li").count() == 5  # four claims, and the finding that failed
    text = glance.inner_text()
    for verdict in ("reproduced", "not reproduced", "undecided", "not run here"):
        assert verdict in text
    assert "1 where our expectation failed" in text
    assert "made without data" in text
    assert "Last run: 1.5 s" in text
    glance.locator("a", has_text="faster by half").click()  # its cell is folded
    tab.wait_for_function("() => document.querySelector('[id=\"claim-98.6\"]').checkVisibility()")
    tab.close()


def test_chapters_and_what_they_count_carry_their_number(book: Book, browser: Any) -> None:
    tab = open_page(book, browser, HARD_CASES)
    assert tab.locator("h1").first.inner_text().startswith("98 · Hard cases")
    assert "98 · Hard cases" in tab.locator("#pst-primary-sidebar").inner_text()
    words = tab.locator("main").inner_text()
    assert "Theorem 98.1" in words
    assert "Exercise 98.1" in words
    tab.close()


def test_a_term_shows_its_meaning_by_pointer_and_by_focus(book: Book, browser: Any) -> None:
    tab = open_page(book, browser, HARD_CASES)
    link = tab.locator("a[data-quire-kind=term]", has_text="one-time pad")
    assert link.count() == 1  # the first use alone
    tip = tab.locator("#quire-tip")
    for act in (link.hover, link.focus):
        assert not tip.is_visible()
        act()
        assert "used once" in tip.inner_text()
        tab.keyboard.press("Escape")
    assert not tip.is_visible()
    assert "glossary.html#term-one-time-pad" in link.get_attribute("href")
    tab.close()


@pytest.mark.parametrize(
    ("kind", "words", "said"),
    [
        ("citation", "2026", "Communication lower bounds and algorithms for sketching"),
        ("theorem", "Theorem 98.1", "(A wide bound)"),
        ("exercise", "Exercise 98.1", "What is"),
    ],
)
def test_a_reference_shows_what_it_leads_to(
    book: Book, browser: Any, axe: str, kind: str, words: str, said: str
) -> None:
    errors: list[str] = []
    tab = open_page(book, browser, HARD_CASES, errors=errors)
    tab.evaluate(
        "() => document.querySelectorAll('.toggle-hidden .toggle-button').forEach((b) => b.click())"
    )
    link = tab.locator(f"a[data-quire-kind={kind}]", has_text=words).first
    tip = tab.locator("#quire-tip")
    for act in (link.hover, link.focus):
        assert not tip.is_visible()
        act()
        tip.wait_for(state="visible")
        assert said in tip.inner_text()
        assert link.get_attribute("aria-describedby") == "quire-tip"
        if kind == "theorem":
            tip.locator("mjx-container").first.wait_for()
            assert tip.locator("a, [id], mjx-merror").count() == 0
            assert violations(tab, axe) == []
        tab.keyboard.press("Escape")
    assert not tip.is_visible()
    assert errors == []
    tab.close()


def test_a_preview_does_not_move_for_whoever_wants_no_motion(book: Book, browser: Any) -> None:
    tab = open_page(book, browser, HARD_CASES)
    tab.locator("a[data-quire-kind=term]").first.focus()
    moves = "() => getComputedStyle(document.getElementById('quire-tip')).animationName"
    assert tab.evaluate(moves) == "none"
    tab.emulate_media(reduced_motion="no-preference")
    assert tab.evaluate(moves) == "quire-appear"
    tab.close()


def test_a_pointer_may_travel_from_a_link_to_its_preview(book: Book, browser: Any) -> None:
    tab = open_page(book, browser, HARD_CASES)
    tip = tab.locator("#quire-tip")
    tab.locator("a[data-quire-kind=term]").first.hover()
    tip.hover()
    tab.wait_for_timeout(400)
    assert tip.is_visible()
    tab.mouse.move(2, 2)
    tip.wait_for(state="hidden")
    tab.close()


def test_the_scoreboard_is_filtered_by_keyboard_and_by_address(book: Book, browser: Any) -> None:
    tab = open_page(book, browser, "book/scoreboard.html#chapter=98&verdict=undecided")
    rows = tab.locator("tr.quire-score:visible")
    assert rows.count() == 1
    assert "98.6" in rows.first.inner_text()
    tab.locator("select[name=verdict]").focus()
    tab.keyboard.press("Home")  # every verdict
    assert rows.count() == 5
    tab.locator("select[name=role]").select_option("finding")
    assert rows.count() == 1
    assert "role=finding" in tab.url
    tab.locator(".quire-filter button").click()
    tab.wait_for_function("() => !document.querySelector('tr.quire-score[hidden], tbody[hidden]')")
    assert rows.count() >= 5
    tab.close()


def test_on_a_phone_a_row_of_the_scoreboard_begins_with_its_verdict(
    book: Book, browser: Any
) -> None:
    tab = open_page(book, browser, "book/scoreboard.html", width=390)
    badge = tab.locator("tr.quire-score .quire-badge").first.bounding_box()
    words = tab.locator("tr.quire-score a").first.bounding_box()
    assert badge["y"] < words["y"]
    assert badge["x"] + badge["width"] <= 390
    tab.close()


def test_without_scripts_the_scoreboard_shows_every_row(book: Book, browser: Any) -> None:
    text = (book.folder / "book" / "scoreboard.html").read_text(encoding="utf-8")
    assert '<div class="quire-filter" hidden>' in text
    assert "<tr hidden" not in text


def test_no_page_leads_out_to_a_repository_or_a_launcher(book: Book) -> None:
    for page in book.pages:
        text = (book.folder / page).read_text(encoding="utf-8")
        for place in ("mybinder.org", "colab.research", "btn-source-repository"):
            assert place not in text, page
