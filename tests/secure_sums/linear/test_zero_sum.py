import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from quire.secure_sums import (
    draw_pads,
    mask,
    pair_seeds,
    pairwise_pad,
    seeded_entropy,
    unmask,
    zero_sum_matrix,
)


@given(st.integers(3, 7), st.integers(1, 50), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_every_user_obtains_the_sum_in_any_order_of_arrival(
    users: int, length: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    inputs = rng.integers(0, 2**32, (users, length), dtype=np.uint32)
    pads = draw_pads(users, length, seeded_entropy(seed))
    messages = mask(inputs, pads)
    total = inputs.sum(axis=0, dtype=np.uint32)
    for u in range(users):
        heard = rng.permutation(np.delete(messages, u, axis=0))
        assert (unmask(heard, inputs[u], pads[u]) == total).all()


def test_pads_add_up_to_zero_and_repeat_for_a_seed() -> None:
    pads = draw_pads(5, 1000, seeded_entropy(1))
    assert not pads.sum(axis=0, dtype=np.uint32).any()
    assert (pads == draw_pads(5, 1000, seeded_entropy(1))).all()
    assert (pads != draw_pads(5, 1000)).any()


def test_what_an_observer_hears_does_not_depend_on_how_the_others_split_the_sum() -> None:
    """Over F_3, user 0's view has one distribution for (w, w') and (w + 1, w' - 1)."""
    rng = np.random.default_rng(3)
    matrix, samples = zero_sum_matrix(3, 3), 20_000
    tables = []
    for inputs in (np.array([1, 0, 2]), np.array([1, 1, 1])):
        keys = rng.integers(0, 3, (samples, 2)) @ matrix.T % 3
        messages = (inputs + keys) % 3
        view = keys[:, 0] * 9 + messages[:, 1] * 3 + messages[:, 2]
        tables.append(np.bincount(view, minlength=27))
    counts = np.array(tables)
    assert chi2_contingency(counts[:, counts.sum(axis=0) > 0]).pvalue > 1e-4


@pytest.mark.parametrize(("users", "length"), [(2, 10), (3, 0)])
def test_nothing_to_mask_is_refused(users: int, length: int) -> None:
    with pytest.raises(ValueError, match=r"nothing to protect|length = 0: must be an integer"):
        draw_pads(users, length)


def test_pairwise_pads_cancel() -> None:
    pads = np.stack([pairwise_pad(k, pair_seeds(k, 5, b"secret"), 100) for k in range(5)])
    assert not pads.sum(axis=0, dtype=np.uint32).any()
    assert len(np.unique(pads)) > 490
    later = pairwise_pad(0, pair_seeds(0, 5, b"secret"), 100, number=1)
    assert (later != pads[0]).any()
    with pytest.raises(ValueError, match="from 0 to 4"):
        pair_seeds(5, 5, b"secret")
    with pytest.raises(ValueError, match="not with oneself"):
        pairwise_pad(0, {0: b"secret"}, 100)
