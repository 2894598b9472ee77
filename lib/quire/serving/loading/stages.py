"""Engines that load and compute: coupled, with a window of prefetching, or decoupled.

`serve` runs requests through three stages, network, copy and device, each with a queue of its own
in the order of a policy. The engines of the chapter differ in how many requests may be on their way
at once and in whether the device waits for loads::

    E0  coupled: one request at a time; the engine loads, waits, computes
    E1  coupled, prefetching: as many as the window allows
    E2  decoupled: every request loads as soon as the network reaches it
    E3  decoupled, and a request may load less and compute more where that ends earlier

Room is finite. A load starts only if the host's staging memory has room for the whole of it, a copy
only if the device's memory has room for the whole request. Whoever holds room thus needs no more of
it to go on, so that no two requests can wait for one another, whatever the sizes are above the
largest request's.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from quire.checks import integer, non_negative, positive, real_array
from quire.serving.loading import _loop
from quire.serving.loading._state import Rules, Work
from quire.serving.loading.costs import LoadingCosts, Row
from quire.serving.loading.policies import Policy, as_policy
from quire.serving.loading.requests import Requests

STAGES = ("network", "copy", "device")
ENGINES = ("E0", "E1", "E2", "E3")
_MANY = 2**40


@dataclass(frozen=True)
class Engine:
    """How loading and computing are coupled, and how much room there is.

    Attributes
    ----------
    window
        Requests that may be between their admission and their first token; None for no limit.
    blocking
        Whether the device waits while anything is loaded, and loads wait for its step.
    cut_through
        Whether the copy of a quantum starts when the network has delivered it.
    recompute
        Whether a request may load a shorter prefix and compute more, where that ends earlier by
        the work that is queued when it comes, at the nominal speeds of links and device.
    quantum_tokens
        Tokens that a link carries before it looks for a better request; None for whole requests.
    staging_bytes, memory_bytes
        Of the host's staging area and of the device's cache; None for no limit.
    layers
        Of the model, where a request loads layer by layer: a link then carries one layer of a
        request before it looks for a better one, the copy follows the network layer by layer, and
        the device computes each layer when it is there; it keeps the request that it has begun.
        None where a request computes when all of it is there.
    eager
        With ``layers``: whether the device begins with a request at its first layer, however long
        the others will take. Without it, when by nominal speeds the last layer comes in time.
    decode
        Whether answers are decoded beside the prompts (a step then takes up to ``budget`` tokens of
        up to ``seats`` requests); without it the device computes one prompt after another.
    budget, seats
        Of a step, with ``decode``.
    room_by_quantum
        Take staging room quantum by quantum: this can deadlock, and is here to show it.
    """

    window: int | None = None
    blocking: Any = False
    cut_through: Any = False
    recompute: Any = False
    quantum_tokens: int | None = 512
    staging_bytes: float | int | None = None
    memory_bytes: float | int | None = None
    decode: Any = False
    budget: int = 2048
    seats: int = 128
    room_by_quantum: Any = False
    layers: int | None = None
    eager: Any = False

    def __post_init__(self) -> None:
        for name in ("window", "quantum_tokens", "layers"):
            if getattr(self, name) is not None:
                integer(name, getattr(self, name))
        for name in ("staging_bytes", "memory_bytes"):
            if getattr(self, name) is not None:
                positive(name, getattr(self, name))
        integer("budget", self.budget)
        integer("seats", self.seats)
        for name in ("blocking", "cut_through", "recompute", "decode", "room_by_quantum", "eager"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be True or False")
        if self.layers is not None:
            for name in ("blocking", "recompute", "decode", "room_by_quantum"):
                if getattr(self, name):
                    raise ValueError(f"layers = {self.layers}: not together with {name}")


def engine(name: str, *, window: int = 2, **others: Any) -> Engine:
    """Return one of the chapter's engines by name, E0 to E3; ``window`` is E1's.

    E0 with ``layers`` computes a request while it loads it, and nothing else.

    Raises
    ------
    ValueError
        For another name.
    """
    if name == "E0":
        return Engine(window=1, blocking=others.get("layers") is None, **others)
    if name == "E1":
        return Engine(window=window, **others)
    if name in ("E2", "E3"):
        return Engine(recompute=name == "E3", **others)
    raise ValueError(f"engine = {name!r}: must be one of {', '.join(ENGINES)}")


@dataclass(frozen=True)
class LinkSpeed:
    """A network whose speed changes: ``factors[k]`` of the nominal one from ``times_s[k]`` on.

    A quantum goes at the speed of its start.
    """

    times_s: Any = (0.0,)
    factors: Any = (1.0,)

    def __post_init__(self) -> None:
        times = real_array("times_s", self.times_s, 1, least=0.0)
        factors = real_array("factors", self.factors, 1, above=0.0)
        if times[0] != 0 or (np.diff(times) <= 0).any() or times.size != factors.size:
            raise ValueError("times_s: must rise from 0, one for each factor")
        object.__setattr__(self, "times_s", times)
        object.__setattr__(self, "factors", factors)


@dataclass(frozen=True)
class Served:
    """What became of the requests.

    Attributes
    ----------
    requests
        As they came.
    start_s, net_s, copy_s, first_s, last_s
        When the load began (NaN for those that load nothing), was over on the network, and on the
        device; the first and last token. Without `Engine.decode` the last is the first.
    predicted_net_s
        When the network was expected to be done with each, told at its arrival.
    remote
        Tokens that came over the network (fewer than asked for where `Engine.recompute` chose so).
    events
        Arrivals and ends of quanta and steps.
    most_staged_bytes, most_held_bytes
        The most that the staging area and the device's cache held.
    log
        Rows (stage 1 to 3, request, start, end), if asked for.
    """

    requests: Requests
    start_s: Row
    net_s: Row
    copy_s: Row
    first_s: Row
    last_s: Row
    predicted_net_s: Row
    remote: Row
    events: int
    most_staged_bytes: float
    most_held_bytes: float
    log: Float[np.ndarray, "rows 4"]

    @property
    def ttft_s(self) -> Row:
        """Time to the first token."""
        return self.first_s - self.requests.arrival_s

    @property
    def tpot_s(self) -> Row:
        """Time for each further token; of requests with two tokens or more."""
        more = self.requests.n_out > 1
        return (self.last_s - self.first_s)[more] / (self.requests.n_out[more] - 1)

    @property
    def on_time(self) -> Any:
        """Whether each first token came by its deadline."""
        return self.first_s <= self.requests.deadline_s

    @property
    def attainment(self) -> float:
        """Share of requests that were on time, in per cent."""
        return 100 * float(self.on_time.mean())


class Deadlock(ValueError):
    """Requests wait for one another's room for ever."""


def serve(
    requests: Requests,
    costs: LoadingCosts,
    engine: Engine = Engine(),
    policy: str | Policy = "fifo",
    *,
    believed: Any = None,
    speed: LinkSpeed = LinkSpeed(),
    half_life_s: float | int = 0.0,
    log: bool = False,
) -> Served:
    """Serve requests and return what became of them.

    Parameters
    ----------
    requests
        In the order of their arrival.
    costs
        Of the stages.
    engine
        How they are coupled.
    policy
        Whom each stage serves next; a name of `policies`, or a `Policy`.
    believed
        What the scheduler believes the three stages take, shape (3, n); None for the truth.
    speed
        Of the network over time.
    half_life_s
        Of the moving average of the network's speed with which the scheduler corrects its belief; 0
        for none.
    log
        Whether to keep the quanta and steps.

    Raises
    ------
    ValueError
        When a request needs more room than there is, or ``engine`` is none.
    Deadlock
        When requests wait for one another (with `Engine.room_by_quantum` only).
    """
    kind = as_policy(policy)
    if not isinstance(engine, Engine):
        raise ValueError(f"engine = {engine!r}: must be an Engine; engine('E2') makes one by name")
    kappa = float(costs.kv_bytes_per_token)
    whole = requests.loaded + requests.uncached + requests.n_out
    room = {}
    for name, need, given in (
        ("staging_bytes", requests.remote, engine.staging_bytes),
        ("memory_bytes", whole, engine.memory_bytes),
    ):
        most = float(need.max())
        room[name] = np.inf if given is None else float(given) / kappa
        if given is not None and most * kappa <= given:
            room[name] = max(room[name], most)  # a quotient may be rounded down
        if most > room[name]:
            raise ValueError(
                f"{name} = {float(given or 0) / 1e9:g} GB: a request needs "
                f"{most * kappa / 1e9:g} GB"
            )
    estimate = requests.stage_s(costs)
    if believed is not None:
        estimate = real_array("believed", believed, 2, least=0.0)
        if estimate.shape != (3, len(requests)):
            raise ValueError(
                f"believed = an array of shape {estimate.shape}: must be (3, {len(requests)})"
            )
    device = costs.compute
    work = Work(
        requests.arrival_s, requests.deadline_s, requests.remote.copy(), requests.loaded.copy(),
        requests.loaded.copy(), requests.uncached.copy(), requests.n_out, estimate.copy(),
    )  # fmt: skip
    quantum = np.inf if engine.quantum_tokens is None else _few(engine.quantum_tokens)
    rules = Rules(
        kappa / costs.net_bytes_per_s, kappa / costs.copy_bytes_per_s,
        float(costs.net_latency_s), float(costs.copy_latency_s),
        float(device.fixed_s), float(device.token_s), float(device.pair_s),
        float(device.sequence_s), float(device.context_s),
        kind.code, float(kind.aging), float(kind.weight),
        _MANY if engine.window is None else _few(engine.window),
        bool(engine.blocking), bool(engine.cut_through) or engine.layers is not None,
        bool(engine.recompute),
        bool(engine.room_by_quantum), bool(engine.decode),
        float(quantum), float(_few(engine.budget)) if engine.decode else np.inf,
        _few(engine.seats),
        room["staging_bytes"], room["memory_bytes"], non_negative("half_life_s", half_life_s),
        kind.weights,
        0 if engine.layers is None else _few(engine.layers), bool(engine.eager),
    )  # fmt: skip
    rows = np.zeros((_rows_of(requests, engine) if log else 0, 4))
    stamps, done, events, used, staged, held = _loop.run(
        rules, work, speed.times_s, speed.factors, rows
    )
    if done < len(requests):
        raise Deadlock(
            f"staging_bytes = {float(engine.staging_bytes or 0) / 1e9:g} GB: {len(requests) - done}"
            " requests wait for one another's room for ever"
        )
    return Served(
        requests,
        stamps[0],
        stamps[1],
        stamps[2],
        stamps[3],
        stamps[4],
        stamps[5],
        work.remote,
        int(events),
        staged * kappa,
        held * kappa,
        rows[:used],
    )


def _few(count: int) -> int:
    """Return a count that compiled code can hold; there are never so many requests or tokens."""
    return min(int(count), _MANY)


def _rows_of(requests: Requests, engine: Engine) -> int:
    def quanta(tokens: Row, size: int | None) -> int:
        return int(np.ceil(tokens / size).sum()) if size else int((tokens > 0).sum())

    if engine.layers is not None:
        return 3 * len(requests) * _few(engine.layers)
    steps = quanta(requests.uncached, 1 if engine.decode else None)
    q = engine.quantum_tokens
    own = quanta(requests.remote, q)
    return own + len(requests) + quanta(requests.loaded, q) + own + steps
