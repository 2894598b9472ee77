"""A GPU as planners of fleets see it: a step costs W + H n, a window is reserved for each request.

A step with n requests of mean length l takes ``W + H (l / 8192) n`` seconds. A pool that promises a
window of C tokens keeps room for C tokens a request, so that ``slots(C)`` requests run at once. A
request takes ``ceil(n_in / chunk) + n_out`` steps. (The profiles and constants are those of
vLLM's semantic router, ``src/fleet-sim``, at commit 3d48f8c9.)
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from quire.checks import integer, non_negative, positive, real_array

LARGEST = 2**40
"""No count of tokens is larger: products of two stay exact."""


@dataclass(frozen=True)
class GpuProfile:
    """What a fleet's planner knows of a GPU with a model on it.

    Attributes
    ----------
    name
        Of the GPU.
    fixed_s, per_sequence_s
        W, and H at ``context`` tokens, in seconds.
    chunk
        Tokens of a prompt in a step.
    kv_blocks, block
        Blocks of KV memory, and tokens of one.
    seats
        Requests at once in a window of ``context`` tokens.
    dollars_per_hour
        Price.
    context
        Tokens at which H and the seats were measured.
    idle_w, nominal_w
        Power at no batch and at a large one; 0 where none is known.
    steepness, midpoint
        Of the logistic of power in log2 of the batch; steepness 0 for a line from idle to nominal.
    """

    name: str
    fixed_s: float | int
    per_sequence_s: float | int
    chunk: int
    kv_blocks: int
    seats: int
    dollars_per_hour: float | int
    context: int = 8192
    block: int = 16
    idle_w: float | int = 0.0
    nominal_w: float | int = 0.0
    steepness: float | int = 0.0
    midpoint: float | int = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name = {self.name!r}: must be a word")
        positive("fixed_s", self.fixed_s)
        for name in ("per_sequence_s", "dollars_per_hour", "idle_w", "nominal_w", "steepness"):
            non_negative(name, getattr(self, name))
        for name in ("chunk", "kv_blocks", "seats", "context", "block"):
            integer(name, getattr(self, name), 1, LARGEST)
        real_array("midpoint", [self.midpoint], 1)
        if self.nominal_w < self.idle_w:
            raise ValueError(
                f"nominal_w = {self.nominal_w:g}: must be idle_w, {self.idle_w:g}, or more"
            )

    def slots(self, window: Any) -> int:
        """Return how many requests run at once where each may grow to ``window`` tokens.

        Raises
        ------
        ValueError
            When the window does not fit one sequence.
        """
        size = integer("window", window, 1, LARGEST)
        memory = self.kv_blocks // -(-size // self.block)
        found = min(self.seats * self.context // size, memory)
        if found < 1:
            raise ValueError(
                f"window = {size}: does not fit one sequence on {self.name}, whose memory holds "
                f"{self.kv_blocks * self.block} tokens and whose seats {self.seats * self.context}"
            )
        return int(found)

    def step_s(self, sequences: Any, length: Any = None) -> float:
        """Return the seconds of a step with so many sequences of a mean length.

        Parameters
        ----------
        sequences
            In the step.
        length
            Tokens of each on average; `context` if None.
        """
        n = non_negative("sequences", sequences)
        tokens = self.context if length is None else non_negative("length", length)
        return float(self.fixed_s + self.per_sequence_s * (tokens / self.context) * n)

    def service_s(self, n_in: Any, n_out: Any, window: Any) -> Any:
        """Return the seconds that a request holds a slot, all slots of its GPU being taken.

        Parameters
        ----------
        n_in, n_out
            Tokens of the prompt and of the answer: numbers, or arrays of one length.
        window
            Of its pool.

        Raises
        ------
        ValueError
            When prompts and answers are not as many.
        """
        slots = self.slots(window)
        scalar = np.ndim(n_in) == 0 and np.ndim(n_out) == 0
        prompt = np.atleast_1d(np.asarray(n_in))
        answer = np.atleast_1d(np.asarray(n_out))
        for name, each in (("n_in", prompt), ("n_out", answer)):
            if each.dtype.kind not in "iu" or not each.size or each.min() < 1:
                raise ValueError(f"{name} = {each[:3]}: must hold integers, 1 or more")
            if each.max() > LARGEST:
                raise ValueError(f"{name} = {each.max()}: must be 2^40 or less")
        prompt, answer = prompt.astype(np.int64), answer.astype(np.int64)
        if prompt.shape != answer.shape or prompt.ndim != 1:
            raise ValueError(
                f"n_in, n_out = shapes {prompt.shape} and {answer.shape}: must be of one length"
            )
        held = self.per_sequence_s * ((prompt + answer).astype(float) / self.context)
        step = self.fixed_s + held * slots
        found = (-(-prompt // self.chunk) + answer) * step
        return float(found[0]) if scalar else found

    def prefill_s(self, n_in: Any, sequences: Any = 1) -> float:
        """Return the seconds until a prompt is computed beside so many sequences of `context`."""
        chunks = -(-integer("n_in", n_in) // self.chunk)
        return chunks * self.step_s(sequences)

    def power_w(self, sequences: Any) -> float:
        """Return the watts at a batch.

        Raises
        ------
        ValueError
            When the profile has no constants of power.
        """
        self._has_power()
        n = non_negative("sequences", sequences)
        if n == 0:
            return float(self.idle_w)
        rise = self.nominal_w - self.idle_w
        if self.steepness == 0:
            return float(self.idle_w + rise * min(1.0, n / self.seats))
        x = math.log2(max(1.0, n)) - self.midpoint
        return float(self.idle_w + rise / (1 + math.exp(min(700.0, -self.steepness * x))))

    def batch_at(self, watts: Any) -> int:
        """Return the largest batch, `seats` at most and 1 at least, that draws no more."""
        self._has_power()
        limit = min(max(positive("watts", watts), self.idle_w), self.nominal_w)
        low, high = 1, self.seats
        while low < high:
            middle = (low + high + 1) // 2
            if self.power_w(middle) <= limit:
                low = middle
            else:
                high = middle - 1
        return low

    def capped(self, batch: Any, window: Any) -> "GpuProfile":
        """Return the profile whose slots are ``batch`` at this window (a limit of sequences)."""
        n = integer("batch", batch, 1, LARGEST)
        size = integer("window", window, 1, LARGEST)
        return replace(
            self, seats=-(-n * size // self.context), kv_blocks=n * -(-size // self.block)
        )

    def _has_power(self) -> None:
        if not (self.idle_w > 0 and self.nominal_w > 0):
            raise ValueError(f"{self.name}: the profile has no constants of power")


A100 = GpuProfile(
    "A100",
    0.008,
    0.00065,
    512,
    65536,
    128,
    2.21,
    idle_w=175,
    nominal_w=385,
    steepness=1,
    midpoint=2.5,
)
H100 = GpuProfile(
    "H100",
    0.004,
    0.00032,
    1024,
    65536,
    256,
    4.02,
    idle_w=300,
    nominal_w=600,
    steepness=1,
    midpoint=4.2,
)
A10G = GpuProfile(
    "A10G",
    0.012,
    0.0009,
    256,
    32768,
    64,
    1.01,
    idle_w=75,
    nominal_w=120,
    steepness=0.7,
    midpoint=3.0,
)
GPUS = {each.name.lower(): each for each in (A100, H100, A10G)}


def gpu(name: Any) -> GpuProfile:
    """Return a profile by name.

    Raises
    ------
    ValueError
        For an unknown GPU.
    """
    found = GPUS.get(name.lower()) if isinstance(name, str) else None
    if found is None:
        raise ValueError(f"name = {name!r}: must be one of {', '.join(GPUS)}")
    return found


def roofline_profile(
    name: str,
    *,
    weight_bytes: Any,
    kv_bytes_per_token: Any,
    layers: Any,
    bytes_per_s: Any,
    memory_bytes: Any,
    devices: Any = 1,
    chunk: Any = 512,
    dollars_per_hour: Any = 0.0,
    used: Any = 0.8,
    context: Any = 8192,
    idle_w: Any = 0.0,
    nominal_w: Any = 0.0,
    steepness: Any = 0.0,
    midpoint: Any = 0.0,
    memory_share: Any = 0.9,
) -> GpuProfile:
    """Return a profile from a data sheet: W reads the weights, H the cache of one sequence.

    W = weights / devices / (0.8 bandwidth) + 3 us a layer; H = cache of ``context`` tokens /
    devices / (0.8 bandwidth); memory that the weights leave holds the cache.

    Parameters
    ----------
    name
        Of the GPU.
    weight_bytes, kv_bytes_per_token, layers
        Of the model.
    bytes_per_s, memory_bytes
        Of one device.
    devices
        That share the model.
    chunk, dollars_per_hour, context, idle_w, nominal_w, steepness, midpoint
        As in `GpuProfile`.
    used
        Share of the bandwidth that is reached.
    memory_share
        Of the memory that weights and cache may fill.

    Raises
    ------
    ValueError
        When the weights leave no memory.
    """
    count = integer("devices", devices)
    rate = positive("bytes_per_s", bytes_per_s) * positive("used", used)
    weights = positive("weight_bytes", weight_bytes) / count
    each = positive("kv_bytes_per_token", kv_bytes_per_token) / count
    left = positive("memory_bytes", memory_bytes) * positive("memory_share", memory_share) - weights
    blocks = int(left // (16 * each))
    if blocks < 1:
        raise ValueError(f"memory_bytes = {memory_bytes:g}: the weights leave no room")
    tokens = integer("context", context)
    return GpuProfile(
        name,
        weights / rate + 3e-6 * integer("layers", layers),
        each * tokens / rate,
        chunk,
        blocks,
        max(1, blocks * 16 // tokens),
        dollars_per_hour,
        tokens,
        16,
        idle_w,
        nominal_w,
        steepness,
        midpoint,
    )
