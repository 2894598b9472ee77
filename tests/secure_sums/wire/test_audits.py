import numpy as np
import pytest

from quire.secure_sums import audit_masks
from quire.secure_sums.wire.audits import holm


def sound(seed: bytes, levels: int, length: int) -> np.ndarray:
    rng = np.random.default_rng(np.frombuffer(seed, dtype=np.uint32))
    return rng.integers(0, levels, length)


def folded(seed: bytes, levels: int, length: int) -> np.ndarray:
    word = np.bitwise_xor.reduce(np.frombuffer(seed, dtype=np.uint32))
    return np.random.default_rng(word).integers(0, levels - 1, length)


def test_a_sound_generator_is_worth_its_seed() -> None:
    audit = audit_masks(sound, length=1_000)
    assert audit.folded_to_bits == 256 and audit.missing_levels == ()
    assert audit.uniform_p > 1e-4
    assert audit.key_rate == 256 / 4_000


def test_a_folded_seed_and_a_missing_value_are_found() -> None:
    audit = audit_masks(folded, length=1_000)
    assert audit.folded_to_bits == 32
    assert audit.missing_levels == (15,)
    assert audit.uniform_p < 1e-12


def test_symbols_outside_the_range_are_refused() -> None:
    with pytest.raises(ValueError, match="outside 0 … 15"):
        audit_masks(lambda seed, levels, n: np.full(n, levels), length=10)


def test_holm_multiplies_by_what_is_left_and_keeps_the_order() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
