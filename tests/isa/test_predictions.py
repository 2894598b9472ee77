"""What the model leaves possible on cards that were not measured: ranges, settings, pairs."""

import pytest

from quire.isa.experiments.predictions import (
    PAPER,
    STRIDE,
    Span,
    both_reductions,
    farthest,
    figures_held,
    products,
    six_pairs,
    spans,
)


@pytest.fixture(scope="module")
def table():
    return spans(8, 1, [2**20, 2**22], [1, 8])


def test_every_case_and_size_has_its_range(table):
    reductions = [row for row in table if row.kernel == "reduction"]
    assert len(reductions) == 2 * 3 * 2  # cards, cases, sizes
    assert {row.case for row in reductions} == {
        *("1 element a thread", "8 elements a thread", STRIDE),
    }
    assert all(row.low <= row.median <= row.high for row in table)
    assert spans(8, 1, [2**20, 2**22], [1, 8]) == table != spans(8, 2, [2**20, 2**22], [1, 8])


def test_more_elements_a_thread_bring_tree_and_shuffles_together(table):
    medians = {
        (row.case, row.n): row.median
        for row in table
        if (row.card, row.kernel) == ("T4", "reduction")
    }
    for n in (2**20, 2**22):
        assert medians["1 element a thread", n] < medians["8 elements a thread", n] <= 1


def test_wide_loads_are_what_padding_costs(table):
    assert products(table, "T4", True).high > products(table, "T4", False).high


def row(card, case, low, high, kernel="reduction", n=2**20):
    return Span(card, kernel, case, n, low, (low + high) / 2, high)


MADE = [
    *(row("T4", "a", 0.6, 0.7), row("M1", "a", 0.9, 1.0)),
    *(row("T4", "b", 0.7, 1.0), row("M1", "b", 0.9, 1.0)),
    # at another size the figures are held by one card each: that is no setting that allows both
    *(row("T4", "a", 0.6, 0.7, n=2**22), row("M1", "a", 0.5, 0.6, n=2**22)),
]


def test_a_setting_allows_both_figures_only_at_one_size():
    a, b = both_reductions(MADE)
    assert (a.allowed, a.sizes, b.allowed, b.sizes) == (1, 2, 0, 1)
    assert (a.m1_low, a.m1_high, b.t4_low) == (0.5, 1.0, 0.7)


def test_a_figure_is_held_once_and_the_farthest_end_counts():
    assert figures_held(MADE) == 2
    assert figures_held([row("T4", "a", 0.7, 1.0)]) == 0
    assert farthest(MADE, "T4", "reduction") == pytest.approx(0.375)


def test_the_six_pairs_have_a_range_or_no_model(table):
    pairs = {(pair.card, pair.kernel): pair for pair in six_pairs(table)}
    assert list(pairs) == list(PAPER)
    for card in ("T4", "M1"):
        assert pairs[card, "histogram"].reaches == "no model"
        assert pairs[card, "histogram"].low is None
    reaches = {pair.case: six_pairs([pair]) for pair in [row("T4", "x", 0.97, 1.0)]}
    assert {p.reaches for p in reaches["x"] if p.low is not None} == {"always"}
    assert six_pairs([row("M1", "x", 0.5, 0.96)])[4].reaches == "never"
    assert six_pairs([row("M1", "x", 0.5, 0.98)])[4].reaches == "in some cases"
