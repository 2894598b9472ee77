"""Many configurations of one replay at once, in JAX: what-if questions by the thousand.

Every configuration has its own pool, seats, budget and rate; a step of all of them is one pass over
arrays of (configurations, seats). Blocks are counted, not named. Two approximations follow: a
prefix is found as if nothing were ever lost from the cache (its length is worked out beforehand),
and it costs the request blocks of its own. Without prefixes the steps are those of
`quire.serving.engine.instance.Instance`.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from quire.checks import real_array
from quire.serving.profiles.attention import AttentionGrid
from quire.serving.profiles.latency import LatencyTable
from quire.serving.workload.trace import BLOCK, Trace
from quire.signatures import checked


@dataclass(frozen=True)
class BatchResult:
    """Means of every configuration.

    Attributes
    ----------
    ttft_ms, tpot_ms, latency_ms
        Means over the requests.
    makespan_s
        Until the last token.
    preemptions, steps
        Counts.
    """

    ttft_ms: Float[np.ndarray, " c"]
    tpot_ms: Float[np.ndarray, " c"]
    latency_ms: Float[np.ndarray, " c"]
    makespan_s: Float[np.ndarray, " c"]
    preemptions: Int[np.ndarray, " c"]
    steps: Int[np.ndarray, " c"]


class _State(NamedTuple):
    now: Any  # microseconds, and what its sum has lost
    lost: Any
    request: (
        Any  # by seat: the request's number, its computed and reached tokens, its place in line
    )
    computed: Any
    reached: Any
    target: Any
    held: Any
    order: Any
    free: Any
    come: Any
    stack: Any
    depth: Any
    first: Any  # by request
    saved: Any
    ttft: Any
    tpot: Any
    latency: Any
    finished: Any
    preempted: Any
    steps: Any
    placed: Any


def infinite_hits(trace: Trace) -> Int[np.ndarray, " n"]:
    """Return the prefix tokens of each request that some earlier request had as well."""
    start, names = trace.named
    seen = np.zeros(int(names.max()) + 1 if names.size else 1, dtype=bool)
    found = np.zeros(len(trace), np.int64)
    for r in range(len(trace)):
        own = names[start[r] : start[r + 1]]
        most = (int(trace.n_in[r]) - 1) // BLOCK
        known = seen[own[:most]]
        found[r] = BLOCK * (known.argmin() if not known.all() else known.size)
        seen[own] = True
    return found


@checked
def replay_batch(
    trace: Trace,
    profile: LatencyTable,
    blocks: Any,
    *,
    max_sequences: Any = 128,
    budget: Any = 2048,
    rate: Any = 1.0,
    prefixes: bool = False,
    skew: bool | None = None,
    dense: Any = 1.0,
    attention: Any = 1.0,
    host_us: Any = 0.0,
) -> BatchResult:
    """Serve one trace under many configurations, with vLLM's admission gate and chunks.

    Parameters
    ----------
    trace, profile
        The requests and the device; its attention must be a grid.
    blocks, max_sequences, budget
        Of each configuration; one number stands for all.
    rate
        How much faster requests arrive than in the trace.
    prefixes
        Whether prefixes that an earlier request had count as computed.
    skew
        Whether to correct for unequal lengths; None where the profile has the table.
    dense, attention
        Factors of what tokens and sequences cost, and of attention, of each configuration.
    host_us
        Microseconds between steps that no table holds, of each configuration.

    Raises
    ------
    ValueError
        When a request can never fit, or the attention is no grid.
    """
    requests, tables, columns, sizes = prepared(
        trace,
        profile,
        blocks,
        max_sequences,
        budget,
        rate,
        prefixes,
        skew,
        dense,
        attention,
        host_us,
    )
    out = _run(requests, tables, *columns, **sizes)
    ttft, tpot, latency, now, preempted, steps = (np.asarray(x) for x in out)
    n = len(trace)
    return BatchResult(
        ttft.astype(float) / n / 1e3,
        tpot.astype(float) / n / 1e3,
        latency.astype(float) / n / 1e3,
        now.astype(float) / 1e6 - trace.arrival_ns[0] / np.asarray(columns[3], float) / 1e9,
        preempted,
        steps,
    )


def prepared(
    trace: Trace,
    profile: LatencyTable,
    blocks: Any,
    max_sequences: Any,
    budget: Any,
    rate: Any,
    prefixes: bool,
    skew: bool | None,
    dense: Any,
    attention: Any,
    host_us: Any,
) -> tuple[Any, dict[str, Any], list[Any], dict[str, Any]]:
    """Return requests, tables and columns on the device, and what is compiled in.

    Raises
    ------
    ValueError
        When a request can never fit, or the attention is no grid.
    """
    if not isinstance(profile.attention, AttentionGrid):
        raise ValueError("profile: its attention must be a grid")
    named = {
        "blocks": blocks,
        "max_sequences": max_sequences,
        "budget": budget,
        "rate": rate,
        "dense": dense,
        "attention": attention,
        "host_us": host_us,
    }
    least = dict.fromkeys(named, 0.0) | {"blocks": 1.0, "max_sequences": 1.0, "budget": 1.0}
    given = {
        name: real_array(name, np.atleast_1d(value), 1, least=least[name], above=-1.0)
        for name, value in named.items()
    }
    if (given["rate"] <= 0).any():
        raise ValueError("rate = 0: must be above 0")
    columns = dict(zip(given, np.broadcast_arrays(*given.values()), strict=True))
    need = -(-(trace.n_in + trace.n_out - 1) // BLOCK)
    if need.max() > columns["blocks"].min():
        r = int(need.argmax())
        raise ValueError(
            f"blocks = {columns['blocks'].min():g}: request {r} can never fit, it needs {need[r]} "
            "blocks"
        )
    wide, seats = int(columns["budget"].max()), int(columns["max_sequences"].max())
    costs = profile.costs(wide, seats, skew=skew, rounded=False)
    tables = {
        name: jnp.asarray(np.asarray(getattr(costs, name)), jnp.float32)
        for name in (
            "chunks",
            "decodes",
            "prefill_kv",
            "decode_kv",
            "alpha",
            "alpha_chunks",
            "n_edges",
            "rate_edges",
            "longest_edges",
            "prefill_kv_edges",
        )
    }
    tables["grid"] = jnp.asarray(costs.grid / 1e3, jnp.float32)
    tables["token"] = jnp.asarray(costs.token_ns / 1e3, jnp.float32)
    tables["sequence"] = jnp.asarray(costs.sequence_ns / 1e3, jnp.float32)
    tables["default"] = jnp.float32(costs.alpha_default)
    hits = infinite_hits(trace) if prefixes else np.zeros(len(trace), np.int64)
    requests = (
        jnp.asarray(trace.arrival_ns / 1e3, jnp.float32),
        jnp.asarray(trace.n_in, jnp.int32),
        jnp.asarray(trace.n_out, jnp.int32),
        jnp.asarray(hits, jnp.int32),
    )
    kinds = dict.fromkeys(("blocks", "max_sequences", "budget"), jnp.int32)
    return (
        requests,
        tables,
        [jnp.asarray(columns[name], kinds.get(name, jnp.float32)) for name in named],
        {"seats": seats, "layers": int(costs.layers), "skewed": bool(costs.skewed)},
    )


@partial(jax.jit, static_argnames=("seats", "layers", "skewed"))
def _run(  # type: ignore[no-untyped-def]
    requests, tables, blocks, most, budget, rate, dense, attention, host, *, seats, layers, skewed
):
    one = partial(one_replay, requests, tables, seats=seats, layers=layers, skewed=skewed)
    return jax.vmap(one)(blocks, most, budget, rate, dense, attention, host)


def one_replay(  # type: ignore[no-untyped-def]
    requests, tables, blocks, most, budget, rate, dense, attention, host, *, seats, layers, skewed
):
    """Serve one configuration; return sums of the metrics, the end, preemptions and steps."""
    arrival, n_in, n_out, hits = requests
    arrival = arrival / rate
    n = arrival.shape[0]
    zero, seat = jnp.int32(0), jnp.zeros(seats, jnp.int32)
    state = _State(
        jnp.float32(0), jnp.float32(0), seat - 1, seat, seat, seat, seat, seat - 1, blocks, zero,
        jnp.zeros(n, jnp.int32), zero, jnp.full(n, -1.0, jnp.float32), n_in, jnp.float32(0),
        jnp.float32(0), jnp.float32(0), zero, zero, zero, zero,
    )  # fmt: skip

    def like(new: Any, old: Any) -> Any:  # a sum of 32-bit numbers is of 64 where JAX may use them
        return jax.tree.map(lambda a, b: a.astype(b.dtype), new, old)

    def lacks(s: Any) -> Any:
        live = s.request >= 0
        k = jnp.where(live, jnp.minimum(s.reached - s.computed, budget), 0)
        decodes = (k == 1).sum(dtype=jnp.int32)
        # at most one request is in its prompt, the one admitted last: it takes what is left
        k = jnp.where(k > 1, jnp.minimum(k, budget - decodes), k)
        want = jnp.where(live, jnp.maximum(-(-(s.computed + k) // BLOCK) - s.held, 0), 0)
        return k, want

    def preempt(s: Any) -> Any:
        last = jnp.argmax(s.order)
        r = s.request[last]
        put = s._replace(
            free=s.free + s.held[last],
            stack=s.stack.at[s.depth].set(r),
            depth=s.depth + 1,
            saved=s.saved.at[r].set(s.reached[last]),
            request=s.request.at[last].set(-1),
            order=s.order.at[last].set(-1),
            held=s.held.at[last].set(0),
            computed=s.computed.at[last].set(0),
            reached=s.reached.at[last].set(0),
            preempted=s.preempted + 1,
        )
        return like(put, s)

    def step(s: Any) -> Any:
        before = s.preempted
        s = jax.lax.while_loop(lambda s: lacks(s)[1].sum() > s.free, preempt, s)
        k, want = lacks(s)
        s = like(s._replace(free=s.free - want.sum(), held=s.held + want), s)
        left = budget - k.sum(dtype=jnp.int32)
        calm = s.preempted == before

        def admissible(s: Any, left: Any) -> Any:
            again = s.depth > 0
            fresh = jnp.minimum(s.come, n - 1)
            r = jnp.where(again, s.stack[jnp.maximum(s.depth - 1, 0)], fresh)
            here = again | ((s.come < n) & (arrival[fresh] <= s.now))
            found = jnp.where(again, 0, hits[r])
            whole = -(-s.saved[r] // BLOCK)
            running = (s.request >= 0).sum()
            fits = (whole <= s.free) & (running < most) & (left > 0)
            return here & fits, r, found, again

        def admit(carry: Any) -> Any:
            s, k, left = carry
            old = s
            _, r, found, again = admissible(s, left)
            at = jnp.argmin(s.request >= 0)
            take = jnp.minimum(s.saved[r] - found, left)
            held = -(-(found + take) // BLOCK)
            s = s._replace(
                request=s.request.at[at].set(r),
                computed=s.computed.at[at].set(found),
                reached=s.reached.at[at].set(s.saved[r]),
                target=s.target.at[at].set(n_in[r] + n_out[r]),
                held=s.held.at[at].set(held),
                order=s.order.at[at].set(s.placed),
                placed=s.placed + 1,
                free=s.free - held,
                come=s.come + jnp.where(again, 0, 1),
                depth=s.depth - jnp.where(again, 1, 0),
            )
            return like((s, k.at[at].set(take), left - take), (old, k, left))

        s, k, left = jax.lax.while_loop(
            lambda c: calm & admissible(c[0], c[2])[0], admit, (s, k, left)
        )
        return like(compute(s, k), s)

    def compute(s: Any, k: Any) -> Any:
        tokens = k.sum()
        idle = tokens == 0
        decode, chunk = k == 1, k > 1
        count = decode.sum()
        lengths = jnp.where(decode, s.computed, 0)
        mean = lengths.sum() // jnp.maximum(count, 1)
        longest = lengths.max()
        shortest = jnp.where(decode, s.computed, jnp.int32(2**30)).min()
        pc = jnp.where(chunk, k, 0).sum()
        kp = jnp.where(chunk, s.computed, 0).sum()
        each = _attention(tables, pc, kp, count, mean, longest, shortest, skewed)
        spent = dense * (tables["token"][tokens] + tables["sequence"][(k > 0).sum()])
        spent = spent + attention * layers * each + host
        next_arrival = arrival[jnp.minimum(s.come, n - 1)]
        spent = jnp.where(idle, jnp.maximum(next_arrival - s.now, 0.0), spent)
        # the sum of thousands of steps keeps what single precision would lose
        y = spent - s.lost
        now = s.now + y
        lost = (now - s.now) - y
        computed = s.computed + k
        caught = (s.request >= 0) & (k > 0) & (computed >= s.reached)
        reached = s.reached + caught
        r = jnp.maximum(s.request, 0)
        came = arrival[r]
        unseen = caught & (s.first[r] < 0)
        ttft = jnp.where(unseen, now - came, 0.0).sum()
        first = s.first.at[jnp.where(unseen, r, n)].set(now, mode="drop")
        done = caught & (reached >= s.target)
        after = jnp.maximum(n_out[r] - 1, 1)
        return s._replace(
            now=now,
            lost=jnp.where(idle, 0.0, lost),
            computed=jnp.where(done, 0, computed),
            reached=jnp.where(done, 0, reached),
            request=jnp.where(done, -1, s.request),
            order=jnp.where(done, -1, s.order),
            held=jnp.where(done, 0, s.held),
            free=s.free + jnp.where(done, s.held, 0).sum(),
            first=first,
            ttft=s.ttft + ttft,
            tpot=s.tpot + jnp.where(done, (now - first[r]) / after, 0.0).sum(),
            latency=s.latency + jnp.where(done, now - came, 0.0).sum(),
            finished=s.finished + done.sum(),
            steps=s.steps + jnp.where(idle, 0, 1),
        )

    s = jax.lax.while_loop(lambda s: s.finished < n, step, state)
    return s.ttft, s.tpot, s.latency, s.now, s.preempted, s.steps


def _bracket(axis, query):  # type: ignore[no-untyped-def]
    query = query.astype(jnp.float32)
    if axis.shape[0] == 1:
        return jnp.int32(0), jnp.float32(0)
    low = jnp.clip(jnp.searchsorted(axis, query, side="right") - 1, 0, axis.shape[0] - 2)
    return low, jnp.maximum((query - axis[low]) / (axis[low + 1] - axis[low]), 0.0)


def _attention(  # type: ignore[no-untyped-def]
    tables, chunk, prefill_kv, n, mean, longest, shortest, skewed
):
    c, tc = _bracket(tables["chunks"], chunk)
    m, tm = _bracket(tables["decodes"], n)
    p, tp = _bracket(tables["prefill_kv"], prefill_kv)
    grid = tables["grid"]
    shape = [min(2, size) for size in grid.shape]
    weights = [jnp.stack([1 - t, t])[:size] for t, size in zip((tc, tm, tp), shape, strict=False)]

    def at(length: Any) -> Any:
        d, td = _bracket(tables["decode_kv"], length)
        cube = jax.lax.dynamic_slice(grid, (c, m, p, d), shape)
        last = jnp.stack([1 - td, td])[: shape[3]]
        return jnp.einsum("cnpd,c,n,p,d->", cube, *weights, last)

    near = at(mean)
    if not skewed:
        return near
    gap = longest - shortest
    rate = jnp.where(gap > 0, (mean - shortest) / jnp.maximum(gap, 1), 0.5)
    place = jnp.argmax(tables["alpha_chunks"] == chunk)
    own = (tables["alpha_chunks"] == chunk).any()

    def bin_of(edges: Any, value: Any) -> Any:
        return jnp.minimum(jnp.searchsorted(edges, value.astype(jnp.float32)), edges.shape[0] - 1)

    alpha = jnp.where(
        own,
        tables["alpha"][
            place,
            bin_of(tables["n_edges"], n),
            bin_of(tables["rate_edges"], jnp.clip(rate, 0.0, 1.0)),
            bin_of(tables["longest_edges"], longest),
            bin_of(tables["prefill_kv_edges"], prefill_kv),
        ],
        tables["default"],
    )
    bends = (n > 1) & (longest != mean)
    return near + jnp.where(bends, alpha * jnp.maximum(at(longest) - near, 0.0), 0.0)
