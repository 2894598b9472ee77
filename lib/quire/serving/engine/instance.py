"""One serving instance: a scheduler over a pool of KV blocks, driven step by step."""

from typing import Any

import numpy as np

from quire.checks import integer, non_negative, real_array
from quire.serving.engine import loops
from quire.serving.engine.config import Replay, SchedulerConfig, Tier
from quire.serving.engine.fresh import new_pool, new_queues, new_requests, new_step, new_tier
from quire.serving.engine.scheduler import complete, duration, enqueue, schedule
from quire.serving.engine.state import (
    BLOCK,
    HEAD,
    N_DECODE,
    N_FOUND_AGAIN,
    N_FREE,
    N_HIT,
    N_PREEMPTED,
    N_RECOMPUTED,
    N_RUNNING,
    N_TIER_HIT,
    RECALLED,
    SEQUENCES,
    TAIL,
    TOKENS,
    WRITTEN,
    Pool,
)
from quire.serving.profiles.costs import Costs
from quire.serving.profiles.latency import LatencyTable
from quire.serving.workload.trace import Trace, warn_of_unnamed
from quire.signatures import checked


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
        Of one device: what a chunk of the tier weighs. The profile's model's if None.
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
        host_ns: float | int = 0.0,
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
                f"budget = {config.budget}: request {r} can never fit in a step without chunks, "
                f"its prompt has {trace.n_in[r]} tokens"
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
        self.requests = new_requests(trace, need if role != "prefill" else need + 1)
        names = int(self.requests.hashes.max()) + 1 if self.requests.hashes.size else 1
        self.pool = new_pool(int(config.blocks), names)
        self.tier = new_tier(tier, names)
        self.queues = new_queues(len(trace), int(config.max_sequences), int(config.blocks))
        self.current = new_step(int(config.max_sequences))
        self.steps = 0
        self.busy_ns = 0.0

    def submit(self, r: int, *, priority: float | int | None = None, computed: int = 0) -> None:
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
            raise ValueError(
                f"computed = {computed}: must be 0 or the prompt, {self.trace.n_in[r]}"
            )
        if priority is not None:
            self.requests.priority[r] = real_array("priority", [priority], 1)[0]
        if computed:
            self.requests.computed[r] = computed
            self.requests.reached[r] = computed + 1
            self.requests.first[r] = 0.0
        enqueue(self.requests, self.queues, r)

    def preload(self, computed: Any, priority: Any) -> None:
        """Say what of each prompt comes with its KV from elsewhere, and who goes first.

        Whoever is put back later computes it anew. To be called before anything is submitted.

        Parameters
        ----------
        computed
            Tokens of each, less than its prompt.
        priority
            Of each; who has less goes first among those who wait.

        Raises
        ------
        ValueError
            When there is not one number for each request, or a prompt has nothing left to compute.
        """
        tokens = real_array("computed", computed, 1, least=0.0)
        first = real_array("priority", priority, 1)
        for name, each in (("computed", tokens), ("priority", first)):
            if each.size != len(self.trace):
                raise ValueError(f"{name} = {each.size} numbers: must be {len(self.trace)}")
        if (tokens >= self.trace.n_in).any() or (tokens != np.floor(tokens)).any():
            raise ValueError("computed: must be whole, and less than each prompt")
        self.requests.computed[:] = tokens.astype(np.int64)
        self.requests.priority[:] = first

    def share_tier(self, other: "Instance") -> None:
        """Use the lower tier of another instance, written and read by both."""
        self.tier = other.tier
        self.recall_ns = other.recall_ns

    def schedule(self, now: float | int) -> int:
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

    def finish(self, now: float | int) -> np.ndarray:
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
                f"budget = {self.config.budget}: the front of the queue can never be scheduled"
            )
        return self.result(end, steps, events, rows[:kept])

    def result(
        self, end: float | int, steps: int, events: int, log: np.ndarray | None = None
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
        for name, block in enumerate(pool.lookup):
            assert block < 0 or pool.content[block] == name, "the index points to other content"


@checked
def replay(
    trace: Trace,
    profile: LatencyTable | Costs,
    config: SchedulerConfig,
    *,
    compressed: bool = True,
    tier: Tier | None = None,
    skew: bool | None = None,
    host_ns: float | int = 0.0,
    rounded: bool = True,
    log: int = 0,
) -> Replay:
    """Serve a trace on one instance; the arguments are those of `Instance` and its `replay`."""
    non_negative("host_ns", host_ns)
    instance = Instance(
        trace, profile, config, tier=tier, skew=skew, host_ns=host_ns, rounded=rounded
    )
    return instance.replay(compressed=compressed, log=log)


def _walk(pool: Pool) -> int:
    end = pool.content.size
    at, count = pool.following[end], 0
    while at != end:
        at, count = pool.following[at], count + 1
    return count
