"""An instance whose memory computes the attention of decodes, whole or in two sub-batches."""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit

from quire.serving.engine.config import Replay, SchedulerConfig
from quire.serving.engine.instance import Instance
from quire.serving.engine.state import N_SCHEDULED
from quire.serving.profiles.costs import attention_ns
from quire.serving.profiles.curves import Curve
from quire.serving.profiles.latency import LatencyTable
from quire.serving.profiles.offload import MemoryDevice
from quire.serving.workload.trace import Trace
from quire.signatures import checked

AFTER_ATTENTION = "o_proj"
"""The first dense layer of a block that needs the attention's result."""


@dataclass(frozen=True)
class Offloaded:
    """A replay with two devices, and how long each of them computed.

    Attributes
    ----------
    replay
        The requests' times.
    device_s
        Seconds in which the accelerator computed.
    memory_s
        Seconds of work of the memory's channels, summed over them.
    steps_s
        Seconds in which a step was under way.
    """

    replay: Replay
    device_s: float | int
    memory_s: float | int
    steps_s: float | int


@dataclass(frozen=True)
class _Part:
    """What a step, or one of its two sub-batches, costs one layer: nanoseconds."""

    ends: float | int  # embedding, final norm, head: once a step
    before: float | int  # dense layers before the attention
    device: float | int  # attention on the accelerator
    memory: float | int  # attention in the memory, until its last channel ends
    work: float | int  # the same summed over channels
    after: float | int  # dense layers from the attention's projection on


@checked
def serve_offloaded(
    trace: Trace,
    profile: LatencyTable,
    config: SchedulerConfig,
    memory: MemoryDevice,
    *,
    sub_batches: bool = False,
    parts: int | None = None,
    decodes_again: bool = False,
    prompts_wait: bool = False,
) -> Offloaded:
    """Serve a trace on one instance whose memory takes over the attention of decodes.

    Prompts stay on the accelerator. In one piece, the two devices wait for each other twice a
    layer. In two sub-batches one is in the dense layers while the other is in the memory; each
    reads the weights anew.

    Parameters
    ----------
    trace, profile, config
        Requests, tables of the accelerator, scheduler.
    memory
        The device that computes attention.
    sub_batches
        Whether steps of two requests or more are split into two, of about as many tokens.
    parts
        How many parts of a request each sub-batch computes, of ``memory.split``; all if None.
        Fewer leave work undone: only to see what that would hide.
    decodes_again
        Whether a step with a prompt computes its decodes on the accelerator as well.
    prompts_wait
        Whether, in a step of one piece, the attention of prompts begins where the memory has ended,
        rather than beside it.

    Raises
    ------
    ValueError
        When the profile's block has no projection after its attention, or devices share a layer.
    """
    if profile.tp > 1 or profile.ep > 1 or profile.experts is not None:
        raise ValueError("profile: memory computes for a dense model on one device")
    names = [name for name, _ in profile.block]
    if AFTER_ATTENTION not in names:
        raise ValueError(f"profile: its block has no layer {AFTER_ATTENTION!r}")
    at = names.index(AFTER_ATTENTION)
    most = max(config.budget, config.max_sequences)
    before = _sum([curve for _, curve in profile.block[:at]], most)
    after = _sum([curve for _, curve in profile.block[at:]], most)
    once = _sum(list(profile.once.values()), most)
    head = _sum(list(profile.sequence.values()), most)
    costs = profile.costs(config.budget, config.max_sequences)
    layers = profile.model.layers
    instance = Instance(trace, costs, config)

    def part(tokens: np.ndarray, done: np.ndarray, whole: bool) -> _Part:
        chunks = tokens > 1
        lengths = done[~chunks]
        count, n = int(tokens.sum()), int((~chunks).sum())
        device = 0.0
        if chunks.any():
            again = n if decodes_again else 0
            mean = int(lengths.sum()) // n if again else 0
            squares = float((tokens.astype(float) ** 2).sum())
            device = float(
                attention_ns(
                    costs,
                    int(tokens[chunks].sum()),
                    int(done[chunks].sum()),
                    again,
                    mean,
                    int(lengths.max()) if again else 0,
                    int(lengths.min()) if again else 0,
                    np.sqrt(squares),
                )
            )
        ends, work = memory.attention_ns(lengths, None if whole else parts)
        return _Part(
            once[count] + head[tokens.size], before[count], device, ends, work, after[count]
        )

    now, come, left = 0.0, 0, len(trace)
    spent_device, spent_memory, spent_steps = 0.0, 0.0, 0.0
    while left:
        while come < len(trace) and trace.arrival_ns[come] <= now:
            instance.submit(come)
            come += 1
        if not instance.schedule(now):
            if come == len(trace):
                raise ValueError("trace: some requests can never be scheduled again")
            now = float(trace.arrival_ns[come])
            continue
        k = int(instance.queues.counts[N_SCHEDULED])
        tokens, done = instance.current.tokens[:k], instance.current.before[:k]
        halves = _halves(tokens, done) if sub_batches and k > 1 else [np.ones(k, bool)]
        each = [part(tokens[half], done[half], len(halves) == 1) for half in halves]
        took, device = _step(each, layers, prompts_wait)
        spent_device += device
        spent_memory += layers * sum(p.work for p in each)
        spent_steps += took
        now += took
        left -= instance.finish(now).size
    result = instance.result(now, instance.steps, instance.steps)
    return Offloaded(result, spent_device / 1e9, spent_memory / 1e9, spent_steps / 1e9)


def _sum(curves: list[Curve], most: int) -> Float[np.ndarray, " tokens"]:
    """Return the whole nanoseconds of some layers for 0 to ``most`` tokens or sequences."""
    counts = np.maximum(np.arange(most + 1, dtype=np.float64), 1.0)
    total = np.zeros(counts.size)
    for curve in curves:
        total = total + np.maximum(np.floor(curve.at(counts) + 1e-9), 1.0)
    return total


def _halves(tokens: np.ndarray, done: np.ndarray) -> list[np.ndarray]:
    """Return two masks of about as many tokens: the longest first, each to the smaller side."""
    length = done + tokens
    first = _first_half(length, np.argsort(-length, kind="stable"))
    return [first, ~first]


@njit(cache=True, nogil=True)
@no_type_check
def _first_half(
    length: Int[np.ndarray, " n"], order: Int[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    first = np.zeros(length.size, np.bool_)
    here, there = 0, 0
    for k in order:
        if here <= there:
            here += length[k]
            first[k] = True
        else:
            there += length[k]
    return first


def _step(parts: list[_Part], layers: int, prompts_wait: bool) -> tuple[float, float]:
    """Return the nanoseconds of a step, and how many of them the accelerator computes.

    The accelerator takes the sub-batches in turn: the layers after one attention, and those before
    the next. A sub-batch goes on where its attention in the memory has ended.
    """
    device = sum(p.ends + layers * (p.before + p.device + p.after) for p in parts)
    if len(parts) == 1:
        p = parts[0]
        attention = p.device + p.memory if prompts_wait else max(p.device, p.memory)
        return p.ends + layers * (p.before + attention + p.after), device
    one, two = ((p.before, p.device, p.memory, p.after) for p in parts)
    return _in_turn(one, two, layers) + sum(p.ends for p in parts), device


@njit(cache=True, nogil=True)
@no_type_check
def _in_turn(one: tuple, two: tuple, layers: int) -> float:
    """Return when the accelerator has done the layers of two sub-batches."""
    clock, memory_free = 0.0, 0.0
    ready_one, ready_two = 0.0, 0.0
    for layer in range(layers + 1):
        for first in (True, False):
            before, device, memory, after = one if first else two
            clock = max(clock, ready_one if first else ready_two)
            if layer:
                clock += after
            if layer < layers:
                clock += before
                memory_free = max(memory_free, clock) + memory
                clock += device
                if first:
                    ready_one = memory_free
                else:
                    ready_two = memory_free
    return clock
