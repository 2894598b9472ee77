"""Routers over replicas with prefix caches, replayed in compiled code.

A replica computes one prompt after another, and keeps the blocks of prompts in a cache that forgets
the least recently used. A prompt costs time for each token that is not cached, an answer for each
token. A router sees every replica's backlog and what its cache holds.
"""

from dataclasses import dataclass
from typing import Any, no_type_check

import numpy as np
from numba import njit

from quire.checks import integer, non_negative, positive, real_array

POLICIES = ("round robin", "least loaded", "sticky", "prefix affinity", "random")
_ROUND, _LEAST, _STICKY, _PREFIX, _RANDOM = range(len(POLICIES))


@dataclass(frozen=True)
class Replicas:
    """Servers of one model behind a router.

    Attributes
    ----------
    count
        How many.
    cache_blocks
        Blocks that each keeps; 0 for no cache.
    block_tokens
        Tokens of a block.
    prompt_s, answer_s
        Seconds of a replica for each token of a prompt that is not cached, and of an answer (its
        share of the batch's steps).
    fixed_s
        Seconds of each request besides.
    """

    count: int
    cache_blocks: int
    block_tokens: int = 512
    prompt_s: float | int = 5e-5
    answer_s: float | int = 2e-4
    fixed_s: float | int = 0.01

    def __post_init__(self) -> None:
        integer("count", self.count, 1, 4096)
        integer("cache_blocks", self.cache_blocks, 0)
        integer("block_tokens", self.block_tokens)
        positive("prompt_s", self.prompt_s)
        for name in ("answer_s", "fixed_s"):
            non_negative(name, getattr(self, name))


@dataclass(frozen=True)
class Routing:
    """What became of the requests.

    Attributes
    ----------
    replica
        Which served each.
    hit_tokens
        Tokens of each prompt that its cache held.
    ttft_s
        Backlog found, and the rest of the prompt.
    busy_s
        Of each replica.
    hit_rate
        Cached tokens over all tokens of prompts.
    """

    replica: np.ndarray
    hit_tokens: np.ndarray
    ttft_s: np.ndarray
    busy_s: np.ndarray
    hit_rate: float

    def ttft(self, quantile: float | int) -> float:
        """Return a percentile of the time to the first token, seconds."""
        return float(np.percentile(self.ttft_s, quantile))


def replay_router(
    arrival_s: Any,
    n_in: Any,
    n_out: Any,
    block_start: Any,
    blocks: Any,
    replicas: Replicas,
    policy: str,
    *,
    prefix_weight: Any = 1.0,
    load_weight: Any = 0.1,
    switch_s: Any = np.inf,
    sticky_block: Any = 0,
    seed: Any = 0,
) -> Routing:
    """Return what a policy does with a trace.

    Parameters
    ----------
    arrival_s, n_in, n_out
        Of each request, in the order of arrival.
    block_start, blocks
        ``blocks[block_start[r]:block_start[r + 1]]`` names the blocks of prompt r, from 0 on
        without large gaps.
    replicas
        The servers.
    policy
        ``"round robin"``; ``"least loaded"``, the least backlog; ``"sticky"``, by a hash of one
        of the first blocks, whatever the load; ``"prefix affinity"``, the highest ``prefix_weight
        x share of the prompt that is cached - load_weight x backlog in seconds``; ``"random"``.
    prefix_weight, load_weight
        Of prefix affinity.
    switch_s
        Prefix affinity takes the least loaded while the longest and the shortest backlog differ by
        more.
    sticky_block
        Which block of the prompt sticky goes by, from 0 on; the last one of shorter prompts. Where
        all prompts begin alike, 0 sends them all to one server.
    seed
        Of the hash, and of random.

    Raises
    ------
    ValueError
        For an unknown policy, or arrays that do not belong together.
    """
    if policy not in POLICIES:
        raise ValueError(f"policy = {policy!r}: must be one of {', '.join(POLICIES)}")
    at = real_array("arrival_s", arrival_s, 1)
    if (np.diff(at) < 0).any():
        raise ValueError("arrival_s falls: requests must stand in the order of their arrival")
    prompt, answer = (_whole(name, v, 1, at.size) for name, v in (("n_in", n_in), ("n_out", n_out)))
    start = _whole("block_start", block_start, 0, at.size + 1)
    raw = np.asarray(blocks)
    if raw.dtype == np.uint64:  # hashes of 64 bits: numbered anew, so that none turns negative
        raw = np.unique(raw, return_inverse=True)[1].reshape(raw.shape)
    names = _whole("blocks", raw, 0, raw.size) if raw.size else np.zeros(0, np.int64)
    if start[0] != 0 or start[-1] != names.size or (np.diff(start) < 0).any():
        raise ValueError("block_start: must rise from 0 to the number of blocks")
    largest = int(names.max()) + 1 if names.size else 1
    if largest > 4 * names.size + 1024:
        _, names = np.unique(names, return_inverse=True)
        largest = int(names.max()) + 1
    limit = float(switch_s)
    if np.isnan(limit) or limit < 0:
        raise ValueError(f"switch_s = {switch_s!r}: must be zero or more, infinite for never")
    replica, hit, ttft, busy = _run(
        at,
        prompt,
        answer,
        start,
        names,
        largest,
        replicas.count,
        replicas.cache_blocks,
        replicas.block_tokens,
        float(replicas.prompt_s),
        float(replicas.answer_s),
        float(replicas.fixed_s),
        POLICIES.index(policy),
        non_negative("prefix_weight", prefix_weight),
        non_negative("load_weight", load_weight),
        limit,
        integer("sticky_block", sticky_block, 0, 2**40),
        integer("seed", seed, 0, 2**62),
    )
    return Routing(replica, hit, ttft, busy, float(hit.sum() / prompt.sum()))


def _whole(name: str, values: Any, least: int, size: int) -> np.ndarray:
    found = np.asarray(values)
    if found.dtype.kind not in "iu" or found.ndim != 1 or found.size != size:
        raise ValueError(f"{name} = {found.dtype} of {found.shape}: must be {size} integers")
    if found.size and found.min() < least:
        raise ValueError(f"{name} = {found.min()}: must be {least} or more")
    if found.size and int(found.max()) >= 2**63:
        raise ValueError(f"{name} = {found.max()}: must be below 2^63")
    return found.astype(np.int64)


@njit(cache=True, nogil=True)
@no_type_check
def _mix(value, seed):
    """Hash by splitmix64."""
    z = np.uint64(value) + np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, nogil=True)
@no_type_check
def _found(after, i, names, first, end):
    """Leading blocks that a replica's cache holds."""
    k = first
    while k < end and after[i, names[k]] >= 0:
        k += 1
    return k - first


@njit(cache=True, nogil=True)
@no_type_check
def _touch(before, after, held, i, block, capacity, end):
    """Make a block the most recently used of replica i; forget the least recently used."""
    if after[i, block] >= 0:
        b, a = before[i, block], after[i, block]
        after[i, b] = a
        before[i, a] = b
    else:
        if held[i] == capacity:
            old = after[i, end]
            a = after[i, old]
            after[i, end] = a
            before[i, a] = end
            after[i, old] = -1
        else:
            held[i] += 1
    last = before[i, end]
    after[i, last] = block
    before[i, block] = last
    after[i, block] = end
    before[i, end] = block


@njit(cache=True, nogil=True)
@no_type_check
def _run(
    at,
    prompt,
    answer,
    start,
    names,
    largest,
    count,
    capacity,
    tokens,
    prompt_s,
    answer_s,
    fixed_s,
    policy,
    prefix_weight,
    load_weight,
    switch_s,
    depth,
    seed,
):
    end = largest
    before = np.full((count, largest + 1), -1, np.int32)
    after = np.full((count, largest + 1), -1, np.int32)
    before[:, end] = end
    after[:, end] = end
    held = np.zeros(count, np.int64)
    free = np.full(count, at[0])
    busy = np.zeros(count)
    replica = np.zeros(at.size, np.int64)
    hit = np.zeros(at.size, np.int64)
    ttft = np.zeros(at.size)
    for r in range(at.size):
        now, first, stop = at[r], start[r], start[r + 1]
        least = 0
        for i in range(1, count):
            if free[i] < free[least]:
                least = i
        chosen = least
        if policy == _ROUND:
            chosen = r % count
        elif policy == _RANDOM:
            chosen = np.int64(_mix(r, seed + 1) % np.uint64(count))
        elif policy == _STICKY:
            name = names[min(first + depth, stop - 1)] if stop > first else r
            chosen = np.int64(_mix(name, seed + 1) % np.uint64(count))
        elif policy == _PREFIX and capacity > 0:
            short = max(free[least] - now, 0.0)
            longest = short
            for i in range(count):
                longest = max(longest, free[i] - now)
            if longest - short <= switch_s:
                best = -np.inf
                for k in range(count):
                    i = (least + k) % count
                    found = min(_found(after, i, names, first, stop) * tokens, prompt[r] - 1)
                    score = prefix_weight * found / prompt[r]
                    score -= load_weight * max(free[i] - now, 0.0)
                    if score > best:
                        best, chosen = score, i
        i = chosen
        found = 0
        if capacity > 0:
            found = min(_found(after, i, names, first, stop) * tokens, prompt[r] - 1)
            # the last block first, so that the beginning is forgotten last
            kept = min(stop - first, capacity)
            for k in range(first + kept - 1, first - 1, -1):
                _touch(before, after, held, i, names[k], capacity, end)
        work = fixed_s + (prompt[r] - found) * prompt_s
        begin = max(free[i], now)
        replica[r], hit[r], ttft[r] = i, found, begin + work - now
        free[i] = begin + work + answer[r] * answer_s
        busy[i] += work + answer[r] * answer_s
    return replica, hit, ttft, busy
