"""What an engine is told, and what it tells: `SchedulerConfig`, `Tier`, `Replay`."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.checks import integer, positive
from quire.serving.engine.state import BLOCK, Rules
from quire.serving.workload.metrics import Served, served
from quire.serving.workload.trace import Trace
from quire.signatures import checked


@checked
@dataclass(frozen=True)
class SchedulerConfig:
    """What a scheduler may do, with vLLM's defaults.

    Attributes
    ----------
    blocks
        KV blocks of the pool.
    budget
        Tokens of a step at most (``max_num_batched_tokens``).
    max_sequences
        Requests that run at most (``max_num_seqs``).
    prefix_caching
        Whether full blocks are found again.
    gate
        Admit only whom blocks for the whole length reached are free for (``reserve_full_isl``).
    chunked
        Whether a prompt may be split over steps.
    chunk_limit
        Tokens of one request in a step at most; 0 for no limit.
    """

    blocks: Any
    budget: Any = 2048
    max_sequences: Any = 128
    prefix_caching: Any = True
    gate: Any = True
    chunked: Any = True
    chunk_limit: Any = 0

    def __post_init__(self) -> None:
        integer("blocks", self.blocks)
        integer("budget", self.budget)
        integer("max_sequences", self.max_sequences)
        integer("chunk_limit", self.chunk_limit, 0)
        for name in ("prefix_caching", "gate", "chunked"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be True or False")

    def rules(self, role: str = "mixed") -> Rules:
        """Return them for compiled code."""
        return Rules(
            int(self.budget),
            int(self.max_sequences),
            bool(self.gate),
            bool(self.chunked),
            bool(self.prefix_caching),
            int(self.chunk_limit),
            role == "prefill",
        )


@dataclass(frozen=True)
class Tier:
    """Memory below the device (host, CXL): chunks of KV, the oldest written lost first.

    Every chunk that is complete on the device is written down, off the critical path; reading one
    back is on it.

    Attributes
    ----------
    chunks
        How many fit.
    bytes_per_s
        From the tier to the device.
    tokens
        Of a chunk, a multiple of 16.
    """

    chunks: int
    bytes_per_s: float | int
    tokens: int = 256

    def __post_init__(self) -> None:
        integer("chunks", self.chunks)
        positive("bytes_per_s", self.bytes_per_s)
        if integer("tokens", self.tokens) % BLOCK:
            raise ValueError(f"tokens = {self.tokens}: must be a multiple of {BLOCK}")


@dataclass(frozen=True)
class Replay:
    """What a simulated instance, or several, did with a trace.

    Attributes
    ----------
    trace
        The requests.
    scheduled_ns, first_ns, last_ns
        When each was first scheduled, gave its first token, and its last.
    hit
        Tokens of each that were found in the cache at its last admission.
    preempted
        How often each was put back.
    instance
        Where each was served (where it decoded).
    preemptions, recomputed, hit_tokens, found_again, tier_hit_tokens, written_chunks
        Totals; ``recomputed`` are tokens computed again after a preemption, ``found_again`` those
        that were still in the pool then, and ``hit_tokens`` prefixes found at first admissions.
    steps, events
        Steps of the engine, and how many of them the loop visited.
    end_ns
        When the last request ended.
    log
        Rows `loops.LOG_COLUMNS`, one a step (or an event), if they were asked for.
    """

    trace: Trace
    scheduled_ns: np.ndarray
    first_ns: np.ndarray
    last_ns: np.ndarray
    hit: np.ndarray
    preempted: np.ndarray
    instance: np.ndarray
    preemptions: int
    recomputed: int
    hit_tokens: int
    found_again: int
    tier_hit_tokens: int
    written_chunks: int
    steps: int
    events: int
    end_ns: float | int
    log: np.ndarray

    def served(self) -> Served:
        """Return the metrics of the requests."""
        return served(
            self.trace.arrival_ns, self.first_ns, self.last_ns, self.trace.n_out, unit=1e-6
        )
