"""Flower's secure aggregation (SecAgg+): its mask generator and its quantiser, as they are."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from quire.secure_sums.wire.audits import MaskAudit, audit_masks

CLIP = 8.0
"""Flower's own default clipping range."""

TARGET = 2**22
"""Flower's own default quantisation range."""


def flower_mask(seed: bytes, levels: int, length: int) -> Int[np.ndarray, " L"]:
    """Return a mask as Flower's clients and server draw it."""
    utils: Any = import_module("flwr.common.secure_aggregation.secaggplus_utils")
    return np.asarray(utils.pseudo_rand_gen(seed, levels, [(length,)])[0])


def audit_flower(length: int, seed: int = 0) -> MaskAudit:
    """Audit Flower's masks of so many symbols of four bits.

    Raises
    ------
    ValueError
        When the length is no positive whole number.
    """
    return audit_masks(flower_mask, length, seed=seed)


@dataclass(frozen=True)
class ClippedMean:
    """A mean before and after Flower's quantiser."""

    plain: float
    through_flower: float

    @property
    def error(self) -> float:
        """Distance of the two."""
        return abs(self.plain - self.through_flower)


def flower_clipped_mean(values: Float[np.ndarray, " n"]) -> ClippedMean:
    """Return the mean of values, and of what Flower's quantiser makes of them and back."""
    code: Any = import_module("flwr.common.secure_aggregation.quantization")
    coded = code.quantize([values], clipping_range=CLIP, target_range=TARGET)
    back = code.dequantize(coded, clipping_range=CLIP, target_range=TARGET)[0]
    return ClippedMean(float(np.mean(values)), float(np.mean(back)))
