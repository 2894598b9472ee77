"""Arguments of other kinds: the same answer where they mean the same, else refused by name."""

from collections.abc import Callable

import numpy as np
import pytest

from quire.secure_sums import (
    FiniteField,
    FixedPoint,
    Intruders,
    all_coalitions,
    best_scheme,
    circulant,
    everyone_wants_everything,
    general_linear_order,
    groupwise_model,
    mask,
    multi_server_key_rate,
    named_graph,
    null_space,
    optimal_region,
    pair_seeds,
    pairwise_pad,
    prism,
    rank,
    regular_graph_region,
    second_round_rate,
    seeded_entropy,
    unmask,
)

pytestmark = pytest.mark.usefixtures("unchecked_types")

WORDS = np.array([0, 1, 2**32 - 1], np.uint32)
PAD = np.array([7, 2**32 - 1, 2], np.uint32)
PROBLEM = everyone_wants_everything(3, [0])
MATRIX = np.array([[1, 2, 3], [2, 4, 1]])


def test_words_of_wider_types_wrap_around_as_well() -> None:
    sent = mask(WORDS, PAD)
    assert sent.tolist() == [7, 0, 1]
    for kind in (np.int64, np.uint64):
        assert mask(WORDS.astype(kind), PAD).dtype == np.uint32
        assert mask(WORDS.astype(kind), PAD.astype(kind)).tolist() == sent.tolist()
        assert mask(WORDS.tolist(), PAD.tolist()).tolist() == sent.tolist()
        heard = np.stack([WORDS, PAD])
        right = unmask(heard, WORDS, PAD)
        assert unmask(heard.astype(kind), WORDS.astype(kind), PAD).tolist() == right.tolist()
    assert WORDS.tolist() == [0, 1, 2**32 - 1]


def test_small_integers_do_not_overflow() -> None:
    assert groupwise_model(np.int8(3), 2) == groupwise_model(3, 2)
    assert groupwise_model(np.uint8(3), np.uint8(2)) == groupwise_model(3, 2)
    field = np.int64(5)
    assert rank(MATRIX, field) == rank(MATRIX, 5)
    assert np.array_equal(null_space(MATRIX, field), null_space(MATRIX, 5))
    assert type(FiniteField(np.uint8(251)).q) is int
    scheme = best_scheme(PROBLEM, np.int8(3))
    assert np.array_equal(scheme, best_scheme(PROBLEM, 3))
    seeds = pair_seeds(np.int64(0), 3, b"secret")
    assert seeds == pair_seeds(0, 3, b"secret")
    assert np.array_equal(pairwise_pad(0, seeds, 4, np.int64(1)), pairwise_pad(0, seeds, 4, 1))


def test_steps_of_a_graph_may_be_an_iterator() -> None:
    assert np.array_equal(circulant(5, iter((1, 2))), circulant(5, (1, 2)))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: mask(WORDS.astype(float), PAD), "words"),
        (lambda: mask(WORDS, [-1, 0, 1]), "pad"),
        (lambda: mask(WORDS, PAD[:1]), "pad"),
        (lambda: mask(WORDS, np.array([2**32, 0, 0])), "pad"),
        (lambda: unmask([WORDS, PAD + 0.5], WORDS, PAD), "heard"),
        (lambda: unmask([PAD[:1]], WORDS, PAD), "heard"),
        (lambda: FixedPoint(3).decode(np.array([0.5])), "total"),
        (lambda: FixedPoint(3).decode(np.array(["1"])), "total"),
        (lambda: FixedPoint(3).encode(np.array(["1"])), "values"),
        (lambda: FixedPoint(3).encode(np.array([1j])), "values"),
        (lambda: FixedPoint(3, clip=None), "clip"),
        (lambda: FixedPoint(3, clip=True), "clip"),
        (lambda: seeded_entropy(None), "seed"),
        (lambda: best_scheme(PROBLEM, 3, seed=None), "seed"),
        (lambda: circulant(5, (1.5,)), "steps"),
        (lambda: circulant(5, ()), "steps"),
        (lambda: prism(2.5), "side"),
        (lambda: named_graph(None), "name"),
        (lambda: null_space(MATRIX[0], 5), "matrix"),
        (lambda: rank(MATRIX[None], 5), "matrix"),
        (lambda: all_coalitions(-1, [0]), "users"),
        (lambda: all_coalitions(3, [0.5]), "sizes"),
        (lambda: everyone_wants_everything(3, [-1]), "sizes"),
        (lambda: optimal_region(None), "users"),
        (lambda: optimal_region(4, 0.5), "colluders"),
        (lambda: second_round_rate(3.0, 1), "survivors"),
        (lambda: regular_graph_region(2.5), "degree"),
        (lambda: multi_server_key_rate(2.5, 3, 1), "servers"),
        (lambda: multi_server_key_rate(2, np.nan, 1), "users"),
        (lambda: general_linear_order(-1, 3), "dimension"),
        (lambda: general_linear_order(2, 6), "q"),
        (lambda: pair_seeds(0, 3, b""), "secret"),
        (lambda: pair_seeds(0, 2.5, b"x"), "users"),
        (lambda: pairwise_pad(0.5, {}, 4), "user"),
        (lambda: pairwise_pad(0, [], 4), "seeds"),
        (lambda: Intruders(strays=2.5), "strays"),
        (lambda: Intruders(impostor=-1), "impostor"),
        (lambda: Intruders(victim=None), "victim"),
    ],
)
def test_another_kind_of_argument_is_refused_by_name(call: Callable[[], object], name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}\\b"):
        call()
