"""What a pool's GPU can serve: mean and spread of the time that a request holds a slot.

``calibrate`` follows the upstream planner to the digit: 3,000 lengths drawn with Python's
``random.Random(42)``. ``calibrate_exactly`` sums over every whole length instead, and
``calibrate_by_sums`` gives the same from running sums that all pools share: a grid's way.
"""

import math
import random
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from quire.checks import integer
from quire.serving.planning.gpus import GpuProfile
from quire.serving.planning.lengths import Lengths, split

DRAWS, SEED = 3000, 42


@dataclass(frozen=True)
class Calibration:
    """A pool's GPU under a distribution of lengths.

    Attributes
    ----------
    gpu_rate
        Requests a second, all slots taken: slots / E[S].
    cv2
        Squared coefficient of variation of S, 0.01 or more.
    slots
        Requests at once.
    prefill_s
        Mean seconds of a prompt alone on the GPU.
    """

    gpu_rate: float | int
    cv2: float | int
    slots: int
    prefill_s: float | int

    @property
    def service_s(self) -> float:
        """The mean service time E[S]."""
        return self.slots / self.gpu_rate


@lru_cache(maxsize=512)
def calibrate(lengths: Lengths, window: int, gpu: GpuProfile, least: int = 1) -> Calibration:
    """Return the calibration by the upstream planner's 3,000 draws.

    Parameters
    ----------
    lengths
        Of the pool's requests.
    window
        Of the pool; longer requests count as this long.
    gpu
        Profile.
    least
        No request is drawn shorter.
    """
    top, low = integer("window", window), integer("least", least)
    slots, rng = gpu.slots(top), random.Random(SEED)
    befores = (0, *lengths.tokens)
    limits = [
        (max(low, before + 1), min(top, at))
        for before, at in zip(befores, lengths.tokens, strict=False)
    ]
    drawn = []
    for _ in range(DRAWS):
        first, last = limits[bisect_left(lengths.shares, rng.random())]
        drawn.append(rng.randint(first, last) if first <= last else top)
    n_in, n_out = split(np.array(drawn))
    held = gpu.service_s(n_in, n_out, top).tolist()
    alone = gpu.step_s(1)
    prefill = sum(math.ceil(n / gpu.chunk) * alone for n in n_in.tolist()) / len(drawn)
    first = sum(held) / len(held)
    second = sum(s * s for s in held) / len(held)
    return Calibration(slots / first, max(0.01, second / (first * first) - 1), slots, prefill)


@lru_cache(maxsize=4096)
def calibrate_exactly(
    lengths: Lengths, window: int, gpu: GpuProfile, least: int = 1
) -> Calibration:
    """Return the calibration by the sum over all whole lengths; the arguments of `calibrate`."""
    top, low = integer("window", window), integer("least", least)
    values, p = lengths.weights(low, top)
    n_in, n_out = split(values)
    held = gpu.service_s(n_in, n_out, top)
    first, second = float((p * held).sum()), float((p * held * held).sum())
    prefill = float((p * -(-n_in // gpu.chunk)).sum()) * gpu.step_s(1)
    slots = gpu.slots(top)
    return Calibration(slots / first, max(0.01, second / first**2 - 1), slots, prefill)


SUMMED = 2**20
"""Windows up to here are calibrated by running sums."""


@lru_cache(maxsize=32)
def _running(chunk: int, top: int) -> np.ndarray:
    """Return sums over the lengths 1 to l, l = 0 to top, of what S and the prompt are made of.

    With k the steps of a request of l tokens: k, k l, k^2, k^2 l, k^2 l^2, and a prompt's chunks.
    """
    length = np.arange(1, top + 1)
    n_in, n_out = split(length)
    chunks = (-(-n_in // chunk)).astype(float)
    k, each = chunks + n_out, (n_in + n_out).astype(float)
    terms = np.stack([k, k * each, k * k, k * k * each, (k * each) ** 2, chunks])
    return np.concatenate([np.zeros((6, 1)), np.cumsum(terms, axis=1)], axis=1)


def calibrate_by_sums(
    lengths: Lengths, window: int, gpu: GpuProfile, least: int = 1
) -> Calibration:
    """Return what `calibrate_exactly` does, to a rounding; the arguments of `calibrate`.

    Between two points of F all whole lengths are equally likely, so that an interval's part of a
    mean is a difference of two running sums.
    """
    top, low = integer("window", window), integer("least", least)
    if top > SUMMED:
        return calibrate_exactly(lengths, top, gpu, low)
    sums = _running(gpu.chunk, 1 << max(16, (top - 1).bit_length()))
    ends = np.array(lengths.tokens)
    mass = np.diff(np.array(lengths.shares), prepend=0.0)
    first = np.minimum(np.maximum(low, np.append(0, ends[:-1]) + 1), top)
    last = np.minimum(ends, top)
    first = np.where(first > last, top, first)  # an interval above the window counts as the window
    last = np.maximum(first, last)
    part = (sums[:, last] - sums[:, first - 1]) / (last - first + 1)
    k, kl, kk, kkl, kkll, chunks = (part * (mass / mass.sum())).sum(axis=1).tolist()
    slots = gpu.slots(top)
    a, b = float(gpu.fixed_s), gpu.per_sequence_s / gpu.context * slots
    mean, second = a * k + b * kl, a * a * kk + 2 * a * b * kkl + b * b * kkll
    spread = max(0.01, second / mean**2 - 1)
    return Calibration(slots / mean, spread, slots, chunks * gpu.step_s(1))


def calibrate_pairs(n_in: Any, n_out: Any, window: int, gpu: GpuProfile) -> Calibration:
    """Return the calibration of observed prompts and answers, with no assumption about a split.

    Parameters
    ----------
    n_in, n_out
        Tokens of each request.
    window, gpu
        As in `calibrate`.
    """
    held = gpu.service_s(np.asarray(n_in), np.asarray(n_out), window)
    first, second = float(held.mean()), float((held * held).mean())
    prefill = float(np.mean(-(-np.asarray(n_in) // gpu.chunk))) * gpu.step_s(1)
    slots = gpu.slots(window)
    return Calibration(slots / first, max(0.01, second / first**2 - 1), slots, prefill)
