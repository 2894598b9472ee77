"""The stages of loading before a real engine's steps: chapter 06's engine as the device.

`stages.serve` computes prompts by a closed form, one after another or in steps of its own. Here
network and copy are those of the stages, and the device is an `Instance`: chunked prompts and
decodes in one step, a pool of blocks, who runs goes before who waits. A loaded prefix counts as
computed when the request is admitted; room on the device is taken then.
"""

import heapq
from dataclasses import dataclass

import numpy as np

from quire.checks import integer
from quire.serving.engine.config import Replay, SchedulerConfig
from quire.serving.engine.instance import Instance
from quire.serving.loading.costs import LoadingCosts, Row
from quire.serving.loading.policies import Policy, as_policy
from quire.serving.loading.requests import Requests
from quire.serving.loading.stages import Engine, serve
from quire.serving.profiles.costs import Costs
from quire.serving.profiles.latency import LatencyTable
from quire.serving.workload.trace import Trace

STATIC = ("fifo", "sjf_compute", "sjf_total", "sjf_bottleneck", "edf")
"""Policies whose keys do not change: those that a priority of the engine can tell."""


@dataclass(frozen=True)
class OnEngine:
    """What became of requests that an engine computes.

    Attributes
    ----------
    requests
        As they came.
    ready_s, first_s, last_s
        When each was loaded, had its first token, its last.
    steps, preemptions
        Of the engine.
    """

    requests: Requests
    ready_s: Row
    first_s: Row
    last_s: Row
    steps: int
    preemptions: int

    @property
    def ttft_s(self) -> Row:
        """Time to the first token."""
        return self.first_s - self.requests.arrival_s

    @property
    def attainment(self) -> float:
        """Share of requests whose first token came by its deadline, in per cent."""
        return 100 * float((self.first_s <= self.requests.deadline_s).mean())


def priorities(requests: Requests, costs: LoadingCosts, policy: str | Policy) -> Row:
    """Return the keys of a policy whose keys do not change.

    Raises
    ------
    ValueError
        For another policy.
    """
    kind = as_policy(policy)
    if kind.name not in STATIC:
        raise ValueError(f"policy = {kind.name!r}: must be one of {', '.join(STATIC)} on an engine")
    stages = requests.stage_s(costs)
    keys = {
        "fifo": requests.arrival_s,
        "sjf_compute": stages[2],
        "sjf_total": stages.sum(axis=0),
        "sjf_bottleneck": stages.max(axis=0),
        "edf": requests.deadline_s,
    }[kind.name]
    return keys + kind.aging * requests.arrival_s


def serve_on_engine(
    requests: Requests,
    costs: LoadingCosts,
    profile: LatencyTable | Costs,
    config: SchedulerConfig,
    policy: str | Policy = "fifo",
    *,
    quantum_tokens: int | None = 512,
    window: int | None = None,
) -> OnEngine:
    """Serve requests that load by the stages and compute on an engine.

    Parameters
    ----------
    requests
        In the order of their arrival.
    costs
        Of network and copy; of the device what the policy believes.
    profile, config
        Of the engine.
    policy
        Of all three stages, one whose keys do not change.
    quantum_tokens
        Of network and copy, as in `Engine`.
    window
        Requests that may be between their admission and their first token; first come first served
        only. None for no limit.

    Raises
    ------
    ValueError
        For another policy, a window under one that is not fifo, or a deadline that is infinite
        under edf.
    """
    keys = priorities(requests, costs, policy)
    if window is not None:
        if as_policy(policy).name != "fifo":
            raise ValueError(f"window = {window}: first come first served only")
        return _windowed(requests, costs, profile, config, integer("window", window))
    loaded = serve(requests, costs, Engine(quantum_tokens=quantum_tokens), policy)
    ready = np.where(requests.loaded > 0, loaded.copy_s, requests.arrival_s)
    order = np.argsort(ready, kind="stable")
    instance = _instance(requests, profile, config, np.rint(1e9 * ready[order]), order)
    instance.preload(requests.loaded[order], keys[order])
    return _told(requests, ready, order, instance.replay())


def _windowed(
    requests: Requests,
    costs: LoadingCosts,
    profile: LatencyTable | Costs,
    config: SchedulerConfig,
    window: int,
) -> OnEngine:
    """Serve first come first served with a window, whose places the engine's first tokens free.

    Raises
    ------
    ValueError
        When requests can never be scheduled.
    """
    n = len(requests)
    stages = requests.stage_s(costs)
    arrival = np.rint(1e9 * requests.arrival_s)
    every = np.arange(n)
    instance = _instance(requests, profile, config, arrival, every)
    instance.preload(requests.loaded, requests.arrival_s)
    ready = np.zeros(n)
    links = [0.0, 0.0]
    come: list[tuple[float, int]] = []
    admitted = inflight = 0
    waiting_first = np.zeros(n, np.bool_)
    now, end, left = 0.0, np.inf, n
    while left:
        while admitted < n and inflight < window and requests.arrival_s[admitted] <= now:
            at = now
            for k, needs in enumerate((requests.remote, requests.loaded)):
                if needs[admitted] > 0:
                    at = links[k] = max(at, links[k]) + stages[k, admitted]
            ready[admitted] = at
            heapq.heappush(come, (at, admitted))
            admitted, inflight = admitted + 1, inflight + 1
        while come and come[0][0] <= now:
            r = heapq.heappop(come)[1]
            instance.submit(r)
            waiting_first[r] = True
        if end == np.inf and instance.schedule(1e9 * now):
            end = now + instance.duration_ns() / 1e9
        following = [end]
        if come:
            following.append(come[0][0])
        if admitted < n and inflight < window:
            following.append(float(requests.arrival_s[admitted]))
        now = min(following)
        if now == np.inf:
            raise ValueError("config: some requests can never be scheduled")
        if end == now:
            left -= instance.finish(1e9 * now).size
            end = np.inf
            began = waiting_first & (instance.requests.first >= 0)
            inflight -= int(began.sum())
            waiting_first &= ~began
    return _told(requests, ready, every, instance.result(1e9 * now, instance.steps, instance.steps))


def _instance(
    requests: Requests,
    profile: LatencyTable | Costs,
    config: SchedulerConfig,
    arrival_ns: Row,
    order: np.ndarray,
) -> Instance:
    prompt = requests.loaded + requests.uncached
    trace = Trace(
        arrival_ns.astype(np.int64),
        prompt[order].astype(np.int64),
        requests.n_out[order].astype(np.int64),
    )
    return Instance(trace, profile, config)


def _told(requests: Requests, ready: Row, order: np.ndarray, replay: Replay) -> OnEngine:
    back = np.argsort(order)
    return OnEngine(
        requests,
        ready,
        replay.first_ns[back] / 1e9,
        replay.last_ns[back] / 1e9,
        replay.steps,
        replay.preemptions,
    )
