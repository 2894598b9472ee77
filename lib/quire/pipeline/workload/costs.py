"""What a layer costs in time and memory: FLOPs, kernel efficiency, hops, activations.

Standard accounting, none of it taken from the paper: ``2·t·parameters`` FLOPs for the
projections, ``4·h·Σ L²`` for attention over documents of length ``L``, a saturating kernel
efficiency that makes small pieces pay, and a latency-plus-bytes hop between ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from quire import checks
from quire.pipeline.workload.modules import Module
from quire.signatures import checked

Number = TypeVar("Number", float, np.ndarray)


@dataclass(frozen=True)
class Hardware:
    """One pipeline rank: ``tensor_parallel`` accelerators and the link to the next rank.

    ``peak_flops`` in FLOP/s per accelerator, ``efficiency`` the share of it that large kernels
    reach, ``half_tokens`` the tokens at which half of that share is reached, ``hop_latency`` in
    seconds, ``bandwidth`` in bytes/s.
    """

    peak_flops: float = 989e12
    tensor_parallel: int = 8
    efficiency: float = 0.5
    half_tokens: float = 1024.0
    hop_latency: float = 20e-6
    bandwidth: float = 50e9

    def __post_init__(self) -> None:
        for field in ("peak_flops", "tensor_parallel", "efficiency", "bandwidth"):
            checks.positive(field, getattr(self, field))
        for field in ("half_tokens", "hop_latency"):
            checks.non_negative(field, getattr(self, field))


@dataclass(frozen=True)
class LayerCost:
    """Seconds of one layer's forward ``F``, input-gradient ``B`` and weight-gradient ``W``.

    ``memory`` is the bytes of activations kept from ``F`` until ``W``.
    """

    forward: float
    backward: float
    weight: float
    memory: float


@checked
def layer_flops(module: Module, lengths: Float[np.ndarray, " items"]) -> tuple[float, float]:
    """FLOPs of one forward layer over documents of the given lengths: ``(linear, attention)``.

    Causal attention counts half, as kernels that skip the masked blocks do.
    """
    lengths = _real_lengths(lengths)
    return _flops(module, float(lengths.sum()), float((lengths**2).sum()))


def _flops(module: Module, tokens: Number, squares: Number) -> tuple[Number, Number]:
    """FLOPs of one forward layer from the sum of the lengths and of their squares."""
    attention = 4.0 * module.hidden * squares
    return 2.0 * tokens * module.layer_parameters, attention / 2 if module.causal else attention


def _real_lengths(lengths: Float[np.ndarray, " items"]) -> Float[np.ndarray, " items"]:
    """Return lengths as doubles: the squares of small integers would overflow.

    Raises
    ------
    ValueError
        If one is negative or not finite, or they are no list of numbers; none at all is allowed.
    """
    found = np.asarray(lengths)
    if found.dtype == np.float64 and found.ndim == 1 and found.size == 0:
        return found
    if found.dtype == np.float64 and found.ndim == 1 and found.min() >= 0 and found.max() < np.inf:
        return found
    if found.shape == (0,):
        return found.astype(np.float64)
    return checks.real_array("lengths", found, 1, least=0)


@checked
def kernel_efficiency(tokens: float, hardware: Hardware) -> float:
    """Share of the peak that a kernel over ``tokens`` reaches: ``η∞·t / (t + t_half)`` (ours).

    Raises
    ------
    ValueError
        If ``tokens`` is negative or not finite.
    """
    tokens = checks.non_negative("tokens", tokens)
    if tokens == 0:
        return hardware.efficiency
    return hardware.efficiency * tokens / (tokens + hardware.half_tokens)


@checked
def layer_cost(
    module: Module,
    lengths: Float[np.ndarray, " items"],
    hardware: Hardware,
    *,
    recompute: bool = False,
) -> LayerCost:
    """Cost of one layer over documents of the given lengths (tokens).

    The projections cost the same in ``F``, ``B`` and ``W``; attention has no weights, so its whole
    backward (twice its forward) falls into ``B``. With ``recompute`` the forward runs again before
    ``B`` and only the layer's input stays in memory: ``2·t·h`` bytes instead of ``34·t·h/tp``
    (flash attention assumed, so no ``L²`` term).
    """
    return LayerCost(*layer_costs(module, [lengths], hardware, recompute=recompute)[0].tolist())


def layer_costs(
    module: Module,
    each: Sequence[Float[np.ndarray, " _"]],
    hardware: Hardware,
    *,
    recompute: bool = False,
) -> Float[np.ndarray, "rows 4"]:
    """Cost of one layer for several lists of documents: a row of :class:`LayerCost` for each."""
    found = [_real_lengths(lengths) for lengths in each]
    tokens = np.array([lengths.sum() for lengths in found], dtype=np.float64)
    linear, attention = _flops(module, tokens, np.array([(x**2).sum() for x in found]))
    share = np.divide(
        hardware.efficiency * tokens,
        tokens + hardware.half_tokens,
        out=np.full(len(tokens), float(hardware.efficiency)),
        where=tokens > 0,
    )
    speed = hardware.peak_flops * hardware.tensor_parallel * share
    forward = (linear + attention) / speed
    backward = (linear + 2 * attention) / speed + (forward if recompute else 0.0)
    kept = 2.0 if recompute else 34.0 / hardware.tensor_parallel
    return np.column_stack([forward, backward, linear / speed, kept * tokens * module.hidden])


@checked
def hop_seconds(module: Module, tokens: float, hardware: Hardware) -> float:
    """Seconds to send one activation tensor (bf16, tensor-parallel shard) to the next rank."""
    return hardware.hop_latency + 2.0 * tokens * module.hidden / (
        hardware.tensor_parallel * hardware.bandwidth
    )
