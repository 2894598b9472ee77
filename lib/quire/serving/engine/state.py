"""The state of an engine as compiled code holds it: requests, blocks, a lower tier, queues."""

from typing import NamedTuple

import numpy as np

BLOCK = 16
"""Tokens of a KV block."""

# Requests' states.
ABSENT, WAITING, RUNNING, FINISHED = 0, 1, 2, 3

# Places in `Queues.counts`.
N_RUNNING, HEAD, TAIL, N_FREE, N_PREEMPTED, N_RECOMPUTED, N_HIT, N_TIER_HIT, N_GENERATED = range(9)
RECALLED, WRITTEN, N_SCHEDULED, PREEMPTED_NOW, N_FOUND_AGAIN = range(9, 14)
N_COUNTS = 14

# Places in `Batch.summary`.
TOKENS, SEQUENCES, CHUNK, PREFILL_KV, N_DECODE, LENGTHS, LONGEST, SHORTEST, SQUARES = range(9)
N_SUMMARY = 9


class Rules(NamedTuple):
    """What the scheduler may do (`SchedulerConfig` checks and makes it)."""

    budget: int
    max_sequences: int
    gate: bool
    chunked: bool
    caching: bool
    chunk_limit: int
    prefill_only: bool


class Requests(NamedTuple):
    """Requests by number; ``hashes[hash_start[r]:hash_start[r + 1]]`` name the full blocks of r."""

    arrival: np.ndarray
    n_in: np.ndarray
    n_out: np.ndarray
    hash_start: np.ndarray
    hashes: np.ndarray
    priority: np.ndarray
    computed: np.ndarray
    reached: np.ndarray
    held: np.ndarray
    cached: np.ndarray
    table_start: np.ndarray
    table: np.ndarray
    scheduled: np.ndarray
    first: np.ndarray
    last: np.ndarray
    hit: np.ndarray
    recalled: np.ndarray
    preempted: np.ndarray
    state: np.ndarray


class Pool(NamedTuple):
    """KV blocks: what each holds, who holds it, and the list of free ones, least recent first."""

    content: np.ndarray
    holders: np.ndarray
    previous: np.ndarray
    following: np.ndarray
    lookup: np.ndarray


class TierState(NamedTuple):
    """A lower tier: a ring of chunks, the oldest written over; ``lookup`` finds a chunk.

    ``written`` counts, in an array of one number, what was written by all who share the tier.
    """

    slots: np.ndarray
    lookup: np.ndarray
    factor: int
    written: np.ndarray


class Queues(NamedTuple):
    """Who runs, in the order of admission, and who waits, first in line first."""

    running: np.ndarray
    waiting: np.ndarray
    counts: np.ndarray


class Step(NamedTuple):
    """What was scheduled: requests, tokens of each, tokens computed before, and the summary."""

    requests: np.ndarray
    tokens: np.ndarray
    before: np.ndarray
    summary: np.ndarray
    finished: np.ndarray
