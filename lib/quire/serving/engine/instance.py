"""One serving instance: a scheduler over a pool of KV blocks, driven step by step."""

from dataclasses import dataclass, replace

import numpy as np

from quire.checks import integer, non_negative, positive, real_array
from quire.serving.engine import loops
from quire.serving.engine.blocks import free_list
from quire.serving.engine.scheduler import complete, duration, enqueue, schedule
from quire.serving.engine.state import (
    BLOCK,
    FINISHED,
    HEAD,
    KV_SENT,
    N_COUNTS,
    N_DECODE,
    N_FOUND_AGAIN,
    N_FREE,
    N_GENERATED,
    N_HIT,
    N_PREEMPTED,
    N_RECOMPUTED,
    N_RUNNING,
    N_SUMMARY,
    N_TIER_HIT,
    RECALLED,
    SEQUENCES,
    TAIL,
    TOKENS,
    WRITTEN,
    Pool,
    Queues,
    Requests,
    Rules,
    Step,
    TierState,
)
from quire.serving.profiles.costs import Costs
from quire.serving.profiles.latency import LatencyTable
from quire.serving.workload.metrics import Served, served
from quire.serving.workload.trace import Trace, warn_of_unnamed


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

    blocks: int
    budget: int = 2048
    max_sequences: int = 128
    prefix_caching: bool = True
    gate: bool = True
    chunked: bool = True
    chunk_limit: int = 0

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
    bytes_per_s: float
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
    end_ns: float
    log: np.ndarray

    def served(self) -> Served:
        """Return the metrics of the requests."""
        return served(
            self.trace.arrival_ns, self.first_ns, self.last_ns, self.trace.n_out, unit=1e-6
        )


class Instance:
    """One engine with its pool of blocks, given requests of one trace by number.

    `step` schedules, and tells how long the step takes; `finish` ends it. Nothing else moves time,
    so that a fleet of instances is one heap of events (`quire.serving.engine.fleet`).

    Parameters
    ----------
    trace
        All requests that may be submitted.
    profile
        Of the device and model; or its `Costs`, ready for compiled code.
    config
        Of the scheduler.
    tier
        Memory below the device, None for none.
    role
        ``"mixed"``; ``"prefill"``, whose requests end with their first token; or ``"decode"``,
        which takes requests whose prompt was computed elsewhere.
    skew, host_ns, rounded
        As in `LatencyTable.costs`.
    kv_bytes_per_token
        Of one device, which decides what a chunk of the tier weighs; of the profile's model if None.
    """

    def __init__(
        self,
        trace: Trace,
        profile: LatencyTable | Costs,
        config: SchedulerConfig,
        *,
        tier: Tier | None = None,
        role: str = "mixed",
        skew: bool | None = None,
        host_ns: float = 0.0,
        rounded: bool = True,
        kv_bytes_per_token: int | None = None,
    ) -> None:
        if role not in ("mixed", "prefill", "decode"):
            raise ValueError(f"role = {role!r}: must be mixed, prefill or decode")
        need = (trace.n_in + trace.n_out - 1 + BLOCK - 1) // BLOCK
        if role == "prefill":
            need = (trace.n_in + BLOCK - 1) // BLOCK
        if (need > config.blocks).any():
            r = int(np.argmax(need > config.blocks))
            raise ValueError(
                f"blocks = {config.blocks}: request {r} can never fit, it needs {need[r]} blocks"
            )
        if not config.chunked and (trace.n_in > config.budget).any():
            r = int(np.argmax(trace.n_in > config.budget))
            raise ValueError(
                f"budget = {config.budget}: request {r} can never fit in a step without chunks, its "
                f"prompt has {trace.n_in[r]} tokens"
            )
        if config.prefix_caching:
            warn_of_unnamed(trace)
        self.trace, self.config, self.role = trace, config, role
        if isinstance(profile, LatencyTable):
            if kv_bytes_per_token is None:
                kv_bytes_per_token = profile.model.kv_bytes_per_token(profile.tp)
            profile = profile.costs(
                config.budget,
                max(config.max_sequences, 1),
                skew=skew,
                host_ns=host_ns,
                rounded=rounded,
            )
        elif profile.token_ns.size <= config.budget:
            raise ValueError(
                f"profile: its costs reach to {profile.token_ns.size - 1} tokens a step, the "
                f"budget is {config.budget}"
            )
        self.costs = profile
        self.rules = config.rules(role)
        self.recall_ns = 0.0
        if tier is not None:
            if kv_bytes_per_token is None:
                raise ValueError("kv_bytes_per_token = None: a tier needs it")
            size = integer("kv_bytes_per_token", kv_bytes_per_token) * tier.tokens
            self.recall_ns = float(np.rint(size / tier.bytes_per_s * 1e9))
        self.requests = _requests(trace, need if role != "prefill" else need + 1)
        names = int(self.requests.hashes.max()) + 1 if self.requests.hashes.size else 1
        self.pool = _pool(int(config.blocks), names)
        self.tier = _tier(tier, names)
        self.queues = _queues(len(trace), int(config.max_sequences), int(config.blocks))
        self.current = _step(int(config.max_sequences))
        self.steps = 0
        self.busy_ns = 0.0

    def submit(self, r: int, *, priority: float | None = None, computed: int = 0) -> None:
        """Put request ``r`` in the queue.

        Parameters
        ----------
        r
            Its number in the trace.
        priority
            Who has less goes first; arrival if None. A request that was put back stays in front.
        computed
            Tokens of its prompt whose KV came from elsewhere: none, or all (a decode's).

        Raises
        ------
        ValueError
            When it was submitted before, or ``computed`` is neither 0 nor its prompt.
        """
        r = integer("r", r, 0, len(self.trace) - 1)
        if self.requests.state[r]:
            raise ValueError(f"r = {r}: was submitted before")
        if computed not in (0, int(self.trace.n_in[r])):
            raise ValueError(f"computed = {computed}: must be 0 or the prompt, {self.trace.n_in[r]}")
        if priority is not None:
            self.requests.priority[r] = real_array("priority", [priority], 1)[0]
        if computed:
            self.requests.computed[r] = computed
            self.requests.reached[r] = computed + 1
            self.requests.first[r] = 0.0
        enqueue(self.requests, self.queues, r)

    def share_tier(self, other: "Instance") -> None:
        """Use the lower tier of another instance, written and read by both."""
        self.tier = other.tier
        self.recall_ns = other.recall_ns

    def schedule(self, now: float) -> int:
        """Fill the next step and return how many requests it holds; 0 when there is nothing."""
        return int(
            schedule(
                self.rules, self.requests, self.pool, self.tier, self.queues, self.current, now
            )
        )

    def duration_ns(self, padded_to: int = 0) -> float:
        """Return how long the scheduled step takes, its tokens padded up to ``padded_to``."""
        s = self.current.summary
        tokens = max(int(s[TOKENS]), integer("padded_to", padded_to, 0))
        rows = max(int(s[SEQUENCES]), int(s[SEQUENCES]) + tokens - int(s[TOKENS]))
        spent = float(duration(self.costs, s, tokens, rows))
        spent += float(self.queues.counts[RECALLED]) * self.recall_ns
        self.queues.counts[RECALLED] = 0
        return spent

    def finish(self, now: float) -> np.ndarray:
        """End the step at ``now``; return the requests that it finished."""
        count = complete(
            self.rules, self.requests, self.pool, self.tier, self.queues, self.current, now
        )
        self.steps += 1
        return self.current.finished[:count].copy()

    @property
    def running(self) -> int:
        """Requests that run."""
        return int(self.queues.counts[N_RUNNING])

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return int(self.queues.counts[TAIL] - self.queues.counts[HEAD])

    @property
    def free_blocks(self) -> int:
        """Blocks that nobody holds."""
        return int(self.queues.counts[N_FREE])

    @property
    def scheduled_tokens(self) -> int:
        """Tokens of the step that was scheduled last."""
        return int(self.current.summary[TOKENS])

    @property
    def decoding(self) -> int:
        """Sequences that decode in the step that was scheduled last."""
        return int(self.current.summary[N_DECODE])

    def kv_tokens_to_send(self) -> int:
        """Return the tokens whose KV a prefill instance owes since the last call."""
        owed = int(self.queues.counts[KV_SENT])
        self.queues.counts[KV_SENT] = 0
        return owed

    def replay(self, *, compressed: bool = True, log: int = 0) -> Replay:
        """Serve the whole trace, and return what happened.

        Parameters
        ----------
        compressed
            Whether to go from event to event; the same requests end at the same nanosecond.
        log
            Rows of the log to keep.

        Raises
        ------
        ValueError
            When the instance was used before, or a request that was put back can not be admitted.
        """
        if self.requests.state.any():
            raise ValueError("replay: this instance was used before, make another")
        rows = np.zeros((integer("log", log, 0), len(loops.LOG_COLUMNS)))
        state, end, steps, events, kept = loops.run(
            self.rules,
            self.costs,
            self.requests,
            self.pool,
            self.tier,
            self.queues,
            self.current,
            self.recall_ns,
            bool(compressed),
            rows,
        )
        if state == loops.STUCK:
            raise ValueError(
                f"budget = {self.config.budget}: the front of the queue can never be scheduled again"
            )
        return self.result(end, steps, events, rows[:kept])

    def result(
        self, end: float, steps: int, events: int, log: np.ndarray | None = None
    ) -> Replay:
        """Return what happened so far, as if all were over at ``end``."""
        q, c = self.requests, self.queues.counts
        return Replay(
            self.trace,
            q.scheduled.copy(),
            q.first.copy(),
            q.last.copy(),
            q.hit.copy(),
            q.preempted.copy(),
            np.zeros(len(self.trace), np.int64),
            int(c[N_PREEMPTED]),
            int(c[N_RECOMPUTED]),
            int(c[N_HIT]),
            int(c[N_FOUND_AGAIN]),
            int(c[N_TIER_HIT]),
            int(c[WRITTEN]),
            int(steps),
            int(events),
            float(end),
            log if log is not None else np.zeros((0, len(loops.LOG_COLUMNS))),
        )

    def check(self) -> None:
        """Check what always holds of blocks and requests.

        Raises
        ------
        AssertionError
            When it does not.
        """
        q, pool, counts = self.requests, self.pool, self.queues.counts
        held = [
            q.table[q.table_start[r] : q.table_start[r] + q.held[r]] for r in range(len(self.trace))
        ]
        each = np.bincount(
            np.concatenate([*held, np.zeros(0, np.int64)]), minlength=pool.content.size
        )
        assert (each == pool.holders).all(), "holders of a block miscounted"
        assert int((each == 0).sum()) == counts[N_FREE], "free blocks miscounted"
        assert counts[N_FREE] == _walk(pool), "the list of free blocks lost some"
        assert (q.computed <= q.reached).all() and (q.reached <= q.n_in + q.n_out).all()
        for name, block in enumerate(pool.index):
            assert block < 0 or pool.content[block] == name, "the index points to other content"


def replay(
    trace: Trace,
    profile: LatencyTable | Costs,
    config: SchedulerConfig,
    *,
    compressed: bool = True,
    tier: Tier | None = None,
    skew: bool | None = None,
    host_ns: float = 0.0,
    rounded: bool = True,
    log: int = 0,
) -> Replay:
    """Serve a trace on one instance; the arguments are those of `Instance` and its `replay`."""
    non_negative("host_ns", host_ns)
    instance = Instance(
        trace, profile, config, tier=tier, skew=skew, host_ns=host_ns, rounded=rounded
    )
    return instance.replay(compressed=compressed, log=log)


def with_blocks(config: SchedulerConfig, blocks: int) -> SchedulerConfig:
    """Return the configuration with another number of blocks."""
    return replace(config, blocks=blocks)


def _requests(trace: Trace, need: np.ndarray) -> Requests:
    n = len(trace)
    start, names = trace.named
    zeros = lambda: np.zeros(n, np.int64)  # noqa: E731
    return Requests(
        arrival=trace.arrival_ns,
        n_in=trace.n_in,
        n_out=trace.n_out,
        hash_start=start,
        hashes=names,
        priority=trace.arrival_ns.astype(np.float64),
        computed=zeros(),
        reached=trace.n_in.copy(),
        held=zeros(),
        cached=np.full(n, -1, np.int64),
        table_start=np.concatenate([[0], np.cumsum(need)]).astype(np.int64),
        table=np.zeros(int(need.sum()), np.int64),
        scheduled=np.full(n, -1.0),
        first=np.full(n, -1.0),
        last=np.full(n, -1.0),
        hit=zeros(),
        preempted=zeros(),
        state=zeros(),
    )


def _pool(blocks: int, names: int) -> Pool:
    previous, following = free_list(blocks)
    return Pool(
        content=np.full(blocks, -1, np.int64),
        holders=np.zeros(blocks, np.int64),
        previous=previous,
        following=following,
        index=np.full(names, -1, np.int64),
    )


def _tier(tier: Tier | None, names: int) -> TierState:
    if tier is None:
        return TierState(np.zeros(0, np.int64), np.zeros(1, np.int64), 1)
    return TierState(
        np.full(tier.chunks, -1, np.int64), np.full(names, -1, np.int64), tier.tokens // BLOCK
    )


def _queues(n: int, seats: int, blocks: int) -> Queues:
    counts = np.zeros(N_COUNTS, np.int64)
    counts[N_FREE] = blocks
    return Queues(np.zeros(seats + 1, np.int64), np.zeros(n + 1, np.int64), counts)


def _step(seats: int) -> Step:
    room = seats + 1
    return Step(
        np.zeros(room, np.int64),
        np.zeros(room, np.int64),
        np.zeros(room, np.int64),
        np.zeros(N_SUMMARY, np.int64),
        np.zeros(room, np.int64),
    )


def _walk(pool: Pool) -> int:
    end = pool.content.size
    at, count = pool.following[end], 0
    while at != end:
        at, count = pool.following[at], count + 1
    return count


__all__ = ["FINISHED", "N_GENERATED", "Instance", "Replay", "SchedulerConfig", "Tier", "replay"]
