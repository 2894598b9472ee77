"""What a layer costs in time and memory: FLOPs, kernel efficiency, hops, activations.

Standard accounting, none of it taken from the paper: ``2·t·parameters`` FLOPs for the
projections, ``4·h·Σ L²`` for attention over documents of length ``L``, a saturating kernel
efficiency that makes small pieces pay, and a latency-plus-bytes hop between ranks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from quire import checks
from quire.pipeline.workload.modules import Module
from quire.signatures import checked


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
    linear = 2.0 * float(lengths.sum()) * module.layer_parameters
    attention = 4.0 * module.hidden * float((lengths**2).sum())
    return linear, attention / 2 if module.causal else attention


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
    lengths = _real_lengths(lengths)
    tokens = float(lengths.sum())
    linear, attention = layer_flops(module, lengths)
    speed = hardware.peak_flops * hardware.tensor_parallel * kernel_efficiency(tokens, hardware)
    forward = (linear + attention) / speed
    backward = (linear + 2 * attention) / speed + (forward if recompute else 0.0)
    kept = 2.0 if recompute else 34.0 / hardware.tensor_parallel
    return LayerCost(forward, backward, linear / speed, kept * tokens * module.hidden)


@checked
def hop_seconds(module: Module, tokens: float, hardware: Hardware) -> float:
    """Seconds to send one activation tensor (bf16, tensor-parallel shard) to the next rank."""
    return hardware.hop_latency + 2.0 * tokens * module.hidden / (
        hardware.tensor_parallel * hardware.bandwidth
    )
