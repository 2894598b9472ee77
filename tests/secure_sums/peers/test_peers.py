import numpy as np
import pytest

from quire.secure_sums import mpyc_sum, rank
from quire.secure_sums.peers import flower, galois, psitip


def test_mpyc_makes_the_plain_sum_once_for_each_repetition() -> None:
    pytest.importorskip("mpyc")
    found = mpyc_sum(3, 50, seed=1, repetitions=2, timeout=120.0)
    assert found.right and len(found.seconds) == 2 and min(found.seconds) > 0
    assert found.sent_bytes > 2 * 4 * 50


def test_flower_folds_its_seeds_to_32_bits_and_never_takes_the_largest_value() -> None:
    pytest.importorskip("flwr")
    audit = flower.audit_flower(length=1_000_000)
    assert audit.folded_to_bits == 32 and audit.missing_levels == (15,)
    assert audit.key_rate == 32 / 4_000_000
    assert audit.uniform_p < 1e-6 < audit.uniform_p_seen


def test_flower_saturates_beyond_its_clip() -> None:
    pytest.importorskip("flwr")
    assert flower.flower_clipped_mean(np.array([-1.0, 0.5])).error < 1e-5
    assert flower.flower_clipped_mean(np.array([9.0, 10.0])).error == pytest.approx(1.5, abs=1e-5)


def test_galois_agrees_on_ranks() -> None:
    pytest.importorskip("galois")
    drawn = np.random.default_rng(0).integers(0, 3, (5, 4, 5))
    assert galois.galois_ranks(drawn, 3) == [rank(m, 3) for m in drawn]


def test_psitip_proves_the_bound_and_no_more() -> None:
    pytest.importorskip("psitip")
    assert psitip.psitip_proves(2.0)
    assert not psitip.psitip_proves(2.01)
