"""Memory that computes: the attention of decodes beside the banks that hold keys and values."""

import heapq
from dataclasses import dataclass
from typing import Any, no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit

from quire.checks import integer, non_negative, positive, real_array


@dataclass(frozen=True)
class MemoryDevice:
    """Channels of memory with arithmetic of their own (processing in memory).

    A request that decodes is split over ``split`` channels, at most one for each head of keys. The
    parts of a channel come one after the other, the channels work side by side.

    Attributes
    ----------
    channels
        How many.
    token_ns, fixed_ns
        One layer's attention of a request with k tokens on one channel takes
        ``token_ns * k + fixed_ns``; on s channels each takes an s-th of that.
    split
        Channels that share a request.
    idle_w, active_w
        Watts of one channel at rest and at work.
    """

    channels: int
    token_ns: float | int
    fixed_ns: float | int
    split: int = 1
    idle_w: float | int = 0.0
    active_w: float | int = 0.0

    def __post_init__(self) -> None:
        integer("channels", self.channels)
        integer("split", self.split, 1, self.channels)
        positive("token_ns", self.token_ns)
        non_negative("fixed_ns", self.fixed_ns)
        non_negative("idle_w", self.idle_w)
        if non_negative("active_w", self.active_w) < self.idle_w:
            raise ValueError(f"active_w = {self.active_w}: must be idle_w, {self.idle_w}, or more")

    def attention_ns(self, lengths: Any, parts: int | None = None) -> tuple[float, float]:
        """Return what one layer's attention of some decodes takes, and its work.

        The longest request is placed first, each part on the channel with the fewest tokens.

        Parameters
        ----------
        lengths
            Tokens in the cache of each request.
        parts
            How many of a request's parts are computed; all if None.

        Returns
        -------
        tuple of float
            Nanoseconds until the last channel ends, and the sum over channels.
        """
        tokens = real_array("lengths", lengths, 1, least=0.0) if len(lengths) else np.zeros(0)
        count = self.split if parts is None else integer("parts", parts, 1, self.split)
        if not tokens.size:
            return 0.0, 0.0
        token_ns, fixed_ns = self.token_ns / self.split, self.fixed_ns / self.split
        # all parts of a request are equal: as many channels as it has parts fill up side by side,
        # and one of them stands for all (no part of no tokens, which would go to one channel)
        alike = count if self.channels % count == 0 and tokens.min() > 0 else 1
        held, placed = packed(-np.sort(-tokens), int(self.channels) // alike, count // alike)
        each = np.repeat(token_ns * held + fixed_ns * placed, alike)
        return float(each.max()), float(each.sum())

    def energy_j(self, seconds: float | int, busy_s: float | int) -> float:
        """Return the joules of all channels over a time, of which they work ``busy_s`` in sum."""
        at_rest = self.channels * self.idle_w * non_negative("seconds", seconds)
        return float(at_rest + (self.active_w - self.idle_w) * non_negative("busy_s", busy_s))


@njit(cache=True, nogil=True)
@no_type_check
def packed(
    tokens: Float[np.ndarray, " n"], channels: int, parts: int
) -> tuple[Float[np.ndarray, " channels"], Float[np.ndarray, " channels"]]:
    """Return the tokens and the parts on each channel, each part put on the least loaded one.

    Of channels with equal loads the first takes the part.
    """
    held, placed = np.zeros(channels), np.zeros(channels)
    heap = [(0.0, k) for k in range(channels)]
    for length in tokens:
        for _ in range(parts):
            load, k = heap[0]
            held[k] += length
            placed[k] += 1.0
            heapq.heapreplace(heap, (load + length, k))
    return held, placed


HBM2_PIM = MemoryDevice(256, 242.0548, 14_513.5015, split=8, idle_w=0.16, active_w=0.76)
"""The artefact's ``HBM2_1GB_2000_pim`` behind 256 GiB: the line is its code's, for 32 heads of 128
values and 8 heads of keys (Llama-3.1-8B); the watts stand in its configuration of the memory."""
