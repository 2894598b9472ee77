"""Several instances: one heap of events, by time and then by order of creation.

A *pool* of instances that do not wait for each other (`serve_pool`); a *split* of prefill from
decode, whose KV crosses a link (`serve_split`); a *wave* of instances that share experts and start
each step together, the smaller batches padded to the largest (`serve_wave`).
"""

import heapq
from collections.abc import Callable, Sequence

import numpy as np

from quire.checks import integer
from quire.serving.engine.config import Replay
from quire.serving.engine.instance import Instance
from quire.serving.engine.loops import LOG_COLUMNS
from quire.serving.links.collectives import Link
from quire.serving.workload.trace import Trace
from quire.signatures import checked

Router = Callable[[int, Sequence[Instance]], int]
"""Given a request's number and the instances, the number of the one that serves it."""

_ARRIVE, _END, _HAND_OVER = range(3)


def round_robin() -> Router:
    """Return a router that takes the instances in turn."""
    count = -1

    def route(r: int, instances: Sequence[Instance]) -> int:
        nonlocal count
        count += 1
        return count % len(instances)

    return route


def least_loaded(waiting_weight: float | int = 4.0) -> Router:
    """Return a router that takes the instance of the least (weight x waiting + running) / seats."""

    def route(r: int, instances: Sequence[Instance]) -> int:
        loads = [
            (waiting_weight * each.waiting + each.running) / each.config.max_sequences
            for each in instances
        ]
        return int(np.argmin(loads))

    return route


@checked
def serve_pool(instances: Sequence[Instance], router: Router | None = None) -> Replay:
    """Serve a trace on instances that do not wait for each other.

    Parameters
    ----------
    instances
        Of one trace.
    router
        Who serves what, asked when a request arrives; in turn if None.

    Raises
    ------
    ValueError
        When a request can never be scheduled.
    """
    trace = _trace_of(instances)
    route = router or round_robin()
    return _serve(trace, list(instances), list(instances), route, None, None)


@checked
def serve_split(
    prefill: Sequence[Instance],
    decode: Sequence[Instance],
    link: Link,
    *,
    kv_bytes_per_token: int,
    router: Router | None = None,
    decode_router: Router | None = None,
    overlap: bool = True,
) -> Replay:
    """Serve a trace with prompts on some instances and answers on others.

    The first token comes from the prefill instance, whose KV crosses the link and only then lets
    the decode instance queue the request.

    Parameters
    ----------
    prefill, decode
        Instances of those roles, of one trace.
    link
        Between them.
    kv_bytes_per_token
        What crosses for each token of the prompt.
    router, decode_router
        Who serves what; in turn if None.
    overlap
        Whether the KV of all layers but the last crosses while later layers are computed, so that
        only a latency and the last layer's share are left at the end; else the whole KV is.

    Raises
    ------
    ValueError
        When an instance has another role.
    """
    for name, group, role in (("prefill", prefill, "prefill"), ("decode", decode, "decode")):
        if not group or any(each.role != role for each in group):
            raise ValueError(f"{name}: must be one or more instances of the role {role!r}")
    trace = _trace_of([*prefill, *decode])
    size = integer("kv_bytes_per_token", kv_bytes_per_token)
    layers = prefill[0].costs.layers if overlap else 1

    def delay(r: int) -> float:
        return float(link.transfer_ns(size * int(trace.n_in[r]) / layers))

    return _serve(
        trace,
        [*prefill, *decode],
        list(prefill),
        router or round_robin(),
        (list(decode), decode_router or round_robin()),
        delay,
    )


def _serve(
    trace: Trace,
    instances: list[Instance],
    doors: list[Instance],
    route: Router,
    second: tuple[list[Instance], Router] | None,
    delay: Callable[[int], float] | None,
) -> Replay:
    order = 0
    heap: list[tuple[float, int, int, int]] = []
    for r, at in enumerate(trace.arrival_ns):
        heap.append((float(at), order, _ARRIVE, r))
        order += 1
    heapq.heapify(heap)
    idle = [True] * len(instances)
    number = {id(each): k for k, each in enumerate(instances)}
    first = np.full(len(trace), -1.0)
    last = np.full(len(trace), -1.0)
    where = np.zeros(len(trace), np.int64)
    now, left = 0.0, len(trace)
    while left and heap:
        now = heap[0][0]
        while heap and heap[0][0] == now:
            _, _, kind, k = heapq.heappop(heap)
            if kind == _ARRIVE:
                chosen = doors[route(k, doors)]
                where[k] = number[id(chosen)]
                chosen.submit(k)
            elif kind == _HAND_OVER and second is not None:
                chosen = second[0][second[1](k, second[0])]
                where[k] = number[id(chosen)]
                chosen.submit(k, computed=int(trace.n_in[k]), priority=now)
            else:
                idle[k] = True
                for r in instances[k].finish(now):
                    only = trace.n_out[r] == 1
                    if instances[k].role == "prefill":
                        first[r] = now
                    if instances[k].role == "prefill" and not only and delay is not None:
                        heapq.heappush(heap, (now + delay(int(r)), order, _HAND_OVER, int(r)))
                        order += 1
                    else:
                        last[r] = now
                        left -= 1
        for k, each in enumerate(instances):
            if idle[k] and each.schedule(now):
                spent = each.duration_ns()
                each.busy_ns += spent
                heapq.heappush(heap, (now + spent, order, _END, k))
                order += 1
                idle[k] = False
    if left:
        raise ValueError("instances: some requests can never be scheduled again")
    return _together(trace, instances, first, last, where, now)


@checked
def serve_wave(instances: Sequence[Instance], router: Router | None = None) -> Replay:
    """Serve a trace on instances whose steps start together, as members of one group of experts.

    An instance that has nothing computes one padded token; all take as long as the slowest.

    Parameters
    ----------
    instances
        Of one trace.
    router
        Who serves what; in turn if None.

    Raises
    ------
    ValueError
        When a request can never be scheduled.
    """
    trace = _trace_of(instances)
    route = router or round_robin()
    where = np.zeros(len(trace), np.int64)
    now, come, left = 0.0, 0, len(trace)
    while left:
        while come < len(trace) and trace.arrival_ns[come] <= now:
            where[come] = route(come, instances)
            instances[where[come]].submit(come)
            come += 1
        chosen = [each.schedule(now) for each in instances]
        if not any(chosen):
            if come == len(trace):
                raise ValueError("instances: some requests can never be scheduled again")
            now = float(trace.arrival_ns[come])
            continue
        most = max(each.scheduled_tokens for each in instances)
        spent = max(
            each.duration_ns(padded_to=most)
            for each, held in zip(instances, chosen, strict=True)
            if held
        )
        now += spent
        for each, held in zip(instances, chosen, strict=True):
            if held:
                each.busy_ns += spent
                left -= each.finish(now).size
    return _together(trace, list(instances), None, None, where, now)


def _trace_of(instances: Sequence[Instance]) -> Trace:
    if not instances:
        raise ValueError("instances = []: must be one or more")
    if any(each.trace is not instances[0].trace for each in instances):
        raise ValueError("instances: must all be of one trace")
    if any(each.requests.state.any() for each in instances):
        raise ValueError("instances: one was used before, make others")
    return instances[0].trace


def _together(
    trace: Trace,
    instances: list[Instance],
    first: np.ndarray | None,
    last: np.ndarray | None,
    where: np.ndarray,
    end: float | int,
) -> Replay:
    each = [x.result(end, x.steps, x.steps) for x in instances]
    pick = np.arange(len(trace))

    def of(name: str) -> np.ndarray:
        return np.array([getattr(r, name) for r in each])[where, pick]

    firsts = np.array([r.first_ns for r in each])
    begun = np.array([r.scheduled_ns for r in each])
    own_first = of("first_ns")

    def total(name: str) -> int:
        return int(sum(getattr(r, name) for r in each))

    return Replay(
        trace=trace,
        scheduled_ns=np.where(begun < 0, np.inf, begun).min(axis=0),
        first_ns=own_first if first is None else np.where(first >= 0, first, firsts.max(axis=0)),
        last_ns=of("last_ns") if last is None else last,
        hit=np.array([r.hit for r in each]).max(axis=0),
        preempted=np.array([r.preempted for r in each]).sum(axis=0),
        instance=where,
        preemptions=total("preemptions"),
        recomputed=total("recomputed"),
        hit_tokens=total("hit_tokens"),
        found_again=total("found_again"),
        tier_hit_tokens=total("tier_hit_tokens"),
        written_chunks=total("written_chunks"),
        steps=total("steps"),
        events=total("events"),
        end_ns=end,
        log=np.zeros((0, len(LOG_COLUMNS))),
    )
