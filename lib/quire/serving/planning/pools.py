"""Two pools behind one router: short requests go to short windows, the rest to long ones.

Compress-and-route (gamma above 1) shortens requests between the boundary B and gamma B, where that
is safe, so that they fit the short pool. Pools are sized independently, by Erlang's formula.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from quire.checks import between, integer, non_negative, positive, share
from quire.serving.planning.calibration import Calibration, calibrate, calibrate_exactly
from quire.serving.planning.erlang import least_gpus, p99_wait
from quire.serving.planning.gpus import A100, LARGEST, GpuProfile
from quire.serving.planning.lengths import Lengths

GAMMAS = tuple(round(1.0 + 0.1 * k, 1) for k in range(11))
HOURS = 8760
NOBODY = 0.01
"""Below so many requests a second the upstream planner leaves the long pool away."""


@dataclass(frozen=True)
class Rules:
    """What every plan of a comparison has in common.

    Attributes
    ----------
    slo_ms
        Limit of the P99 time to the first token, as the planner counts it: P99 wait for a slot and
        the mean prompt's computation.
    long_window
        Tokens of the long pool's window.
    safe_share
        Of requests between B and gamma B that may be compressed, from 0 to 1.
    rho_max
        Cap of the utilisation.
    availability
        Share of the nodes that are up, above 0 and at most 1.
    draws
        True for the upstream planner's 3,000 draws, False for sums over all lengths.
    prefill_at_load
        Whether the prompt is computed beside full slots, and not alone on its GPU.
    leftover_lengths
        Where no request is longer than gamma B, whether the long pool's requests (those between B
        and gamma B that cannot be compressed) have their own lengths; else they have one slot of a
        GPU and a hundred seconds each, as upstream.
    """

    slo_ms: float | int = 500.0
    long_window: int = 65536
    safe_share: float | int = 0.75
    rho_max: float | int = 0.85
    availability: float | int = 1.0
    draws: bool = True
    prefill_at_load: bool = False
    leftover_lengths: bool = False

    def __post_init__(self) -> None:
        positive("slo_ms", self.slo_ms)
        integer("long_window", self.long_window)
        share("safe_share", self.safe_share)
        between("rho_max", self.rho_max, 0, 1)
        if positive("availability", self.availability) > 1:
            raise ValueError(f"availability = {self.availability:g}: must be above 0, at most 1")


@dataclass(frozen=True)
class Pool:
    """One pool of a plan.

    Attributes
    ----------
    gpu
        Its profile.
    gpus
        How many.
    window
        Tokens.
    rate
        Requests a second.
    lengths
        Of its requests, None where there are none.
    calibration
        Of its GPU, None where there are no requests.
    p99_ms
        P99 wait and mean prompt, milliseconds.
    """

    gpu: GpuProfile
    gpus: int
    window: int
    rate: float | int
    lengths: Lengths | None
    calibration: Calibration | None
    p99_ms: float | int

    @property
    def utilisation(self) -> float:
        """The rate over what the pool can serve."""
        if self.calibration is None or not self.gpus:
            return 0.0
        return self.rate / (self.gpus * self.calibration.gpu_rate)

    @property
    def dollars_per_hour(self) -> float:
        """The price."""
        return float(self.gpus * self.gpu.dollars_per_hour)


@dataclass(frozen=True)
class Plan:
    """Two pools, their cost, and whether the formulas promise the SLO.

    Attributes
    ----------
    boundary
        B, tokens; for one pool its window.
    gamma
        Requests up to gamma B may be compressed.
    share_short
        Of requests that the short pool serves.
    short, long
        The pools.
    meets
        Whether both P99 are within the SLO.
    """

    boundary: int
    gamma: float | int
    share_short: float | int
    short: Pool
    long: Pool
    meets: bool

    @property
    def gpus(self) -> int:
        """GPUs of both pools."""
        return self.short.gpus + self.long.gpus

    @property
    def dollars_per_hour(self) -> float:
        """Price of both pools."""
        return float(self.short.dollars_per_hour + self.long.dollars_per_hour)

    @property
    def thousand_dollars_a_year(self) -> float:
        """Price of both pools for 8,760 hours."""
        return self.dollars_per_hour * HOURS / 1000

    @property
    def p99_ms(self) -> float:
        """The larger of the pools' P99."""
        return max(self.short.p99_ms, self.long.p99_ms)


def size_pool(
    gpu: GpuProfile,
    window: int,
    rate: Any,
    lengths: Lengths | None,
    rules: Rules,
    least: int = 1,
) -> Pool:
    """Return the smallest pool that the formulas allow.

    Parameters
    ----------
    gpu, window
        Of the pool.
    rate
        Requests a second.
    lengths
        Of its requests; None when they are unknown or there are none, which leaves the upstream
        planner with one slot and a hundred seconds a request.
    rules
        SLO and caps.
    least
        Shortest request.
    """
    lam = non_negative("rate", rate)
    found: Calibration | None = None
    if lengths is None:
        gpu_rate, cv2, slots, prefill = 0.01, 1.0, 1, 0.0
    else:
        found = (calibrate if rules.draws else calibrate_exactly)(lengths, window, gpu, least)
        gpu_rate, cv2, slots, prefill = found.gpu_rate, found.cv2, found.slots, found.prefill_s
        if rules.prefill_at_load:
            prefill *= gpu.step_s(slots) / gpu.step_s(1)
    slo_s = rules.slo_ms / 1000
    raw = least_gpus(lam, gpu_rate, slo_s, cv2, slots=slots, rho_max=rules.rho_max)
    count = math.ceil(raw / rules.availability)
    wait = p99_wait(count * slots, lam, gpu_rate / slots, cv2) if lam > 0 else math.inf
    return Pool(gpu, count, window, lam, lengths, found, (wait + prefill) * 1000)


def plan(
    lengths: Lengths,
    rate: Any,
    boundary: Any,
    gamma: Any = 1.0,
    *,
    gpu_short: GpuProfile = A100,
    gpu_long: GpuProfile = A100,
    rules: Rules | None = None,
) -> Plan:
    """Return the smallest two pools for one boundary and one gamma.

    Parameters
    ----------
    lengths
        Of all requests.
    rate
        Requests a second.
    boundary
        B: the short pool's window, the long one's at most. Where B is below the first point of the
        lengths, short requests count as B tokens each, as upstream.
    gamma
        1 or more.
    gpu_short, gpu_long
        Profiles.
    rules
        SLO and caps; the defaults are the upstream planner's.

    Raises
    ------
    ValueError
        For a boundary above the long window or below every request by a point of F, or a gamma
        below 1.
    """
    rules = rules or Rules()
    lam, b = positive("rate", rate), integer("boundary", boundary)
    stretch = positive("gamma", gamma)
    if b > rules.long_window:
        raise ValueError(f"boundary = {b}: must be at most the long window, {rules.long_window}")
    if stretch < 1:
        raise ValueError(f"gamma = {stretch:g}: must be 1 or more")
    edge = int(min(stretch * b, LARGEST))
    below = lengths.share(b)
    share = min(1.0, below + max(0.0, lengths.share(edge) - below) * rules.safe_share)
    to_long = (1.0 - share) * lam
    rest = lengths.above(edge)
    if rest is None and rules.leftover_lengths:
        rest, edge = lengths.above(b), b
    # below the first point nothing is known of short requests: each counts as B tokens
    mine = Lengths((b,), (1.0,)) if b < lengths.tokens[0] else lengths.up_to(b)
    short = size_pool(gpu_short, b, share * lam, mine, rules)
    if to_long > NOBODY:
        far = size_pool(gpu_long, rules.long_window, to_long, rest, rules, max(1, edge))
    else:
        far = Pool(gpu_long, 0, rules.long_window, to_long, rest, None, 0.0)
    meets = short.p99_ms <= rules.slo_ms and far.p99_ms <= rules.slo_ms
    return Plan(b, stretch, share, short, far, meets)


def one_pool(
    lengths: Lengths, rate: Any, *, gpu: GpuProfile = A100, rules: Rules | None = None
) -> Plan:
    """Return the smallest single pool, every GPU with the long window."""
    rules = rules or Rules()
    lam = positive("rate", rate)
    pool = size_pool(gpu, rules.long_window, lam, lengths.up_to(rules.long_window), rules)
    empty = Pool(gpu, 0, rules.long_window, 0.0, None, None, 0.0)
    return Plan(rules.long_window, 1.0, 1.0, pool, empty, pool.p99_ms <= rules.slo_ms)


def sweep(
    lengths: Lengths,
    rate: Any,
    boundary: Any,
    *,
    gammas: Iterable[Any] = GAMMAS,
    gpu_short: GpuProfile = A100,
    gpu_long: GpuProfile = A100,
    rules: Rules | None = None,
) -> list[Plan]:
    """Return a plan for each gamma, the cheapest first; the arguments of `plan`.

    Raises
    ------
    ValueError
        When an argument is outside what is allowed.
    """
    found = [
        plan(lengths, rate, boundary, g, gpu_short=gpu_short, gpu_long=gpu_long, rules=rules)
        for g in gammas
    ]
    if not found:
        raise ValueError("gammas = []: must hold at least one")
    return sorted(found, key=lambda each: each.dollars_per_hour)


def saving(two: Plan, one: Plan) -> float:
    """Return the per cent of cost that one plan saves against another.

    Raises
    ------
    ValueError
        When the other costs nothing.
    """
    if one.dollars_per_hour <= 0:
        raise ValueError("one: costs nothing, so that no share of it can be saved")
    return 100 * (1 - two.dollars_per_hour / one.dollars_per_hour)


def saving_law(two: Plan, one: Plan) -> float:
    """Return the per cent that the paper's law promises: alpha (1 - 1 / gain).

    The gain is what a GPU serves in the short pool against what one serves of all requests.

    Raises
    ------
    ValueError
        When the short pool serves nobody.
    """
    here, there = two.short.calibration, one.short.calibration
    if here is None or there is None:
        raise ValueError("two, one: both plans need a pool with requests")
    return 100 * two.share_short * (1 - there.gpu_rate / here.gpu_rate)


def availability(failures_per_day: Any, repair_hours: Any) -> float:
    """Return the share of time a node is up: 1 / (1 + failures a day x days of repair)."""
    days = non_negative("repair_hours", repair_hours) / 24
    return 1 / (1 + non_negative("failures_per_day", failures_per_day) * days)
