"""Engines and policies on the same arrivals: shares on time, times to the first token, who wins."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from quire.checks import integer
from quire.serving.experiments.loading.settings import Case, mean_interval
from quire.serving.loading import POLICIES, Engine, Policy, Requests, engine, serve

SIDES = (("E0", "fifo"), ("E1", "fifo"), *(("E2", policy) for policy in POLICIES))
"""Engines and policies of the main table."""


@dataclass(frozen=True)
class Run:
    """One run: per cent on time, seconds to the first token."""

    case: str
    load: float
    engine: str
    policy: str
    seed: int
    on_time: float
    mean_s: float
    p99_s: float


@dataclass(frozen=True)
class Difference:
    """A side less another on the same arrivals, in points of the share on time."""

    case: str
    load: float
    mean: float
    low: float
    high: float
    ttft_ratio: float


@dataclass(frozen=True)
class Cell:
    """Means over seeds."""

    case: str
    load: float
    engine: str
    policy: str
    on_time: float
    mean_s: float
    p99_s: float


def runs(
    cases: Sequence[Case],
    loads: Sequence[float],
    seeds: int,
    seed: int,
    quantum_tokens: int = 512,
    sides: Sequence[tuple[str, str]] = SIDES,
) -> list[Run]:
    """Return a run for each case, load, seed and side.

    Parameters
    ----------
    cases, loads
        Workloads, and fractions of each one's decoupled capacity.
    seeds, seed
        How many, and the first one.
    quantum_tokens
        At whose borders a better request may overtake.
    sides
        Pairs of engine and policy.
    """
    rows = []
    for case in cases:
        for load in loads:
            for k in range(integer("seeds", seeds)):
                coming = case.arrivals(load, seed + k)
                for name, policy in sides:
                    made = engine(name, quantum_tokens=quantum_tokens)
                    served = serve(coming, case.costs, made, Policy(policy))
                    ttft = served.ttft_s
                    rows.append(
                        Run(case.name, load, name, policy, seed + k, served.attainment,
                            float(ttft.mean()), float(np.percentile(ttft, 99)))
                    )  # fmt: skip
    return rows


def cells(rows: Sequence[Run]) -> list[Cell]:
    """Return the means over seeds, in the order of the runs."""
    groups: dict[tuple[str, float, str, str], list[Run]] = {}
    for row in rows:
        groups.setdefault((row.case, row.load, row.engine, row.policy), []).append(row)
    return [
        Cell(*key, *(float(np.mean([getattr(r, n) for r in group]))
                     for n in ("on_time", "mean_s", "p99_s")))
        for key, group in groups.items()
    ]  # fmt: skip


def differences(
    rows: Sequence[Run], one: tuple[str, str], other: tuple[str, str]
) -> list[Difference]:
    """Return side ``one`` less side ``other`` for each case and load, paired over seeds."""
    sides: dict[tuple[str, float], dict[tuple[str, str], dict[int, Run]]] = {}
    for row in rows:
        place = sides.setdefault((row.case, row.load), {})
        place.setdefault((row.engine, row.policy), {})[row.seed] = row
    found = []
    for (case, load), both in sides.items():
        a, b = both[one], both[other]
        gaps = [a[k].on_time - b[k].on_time for k in a]
        ratio = float(np.mean([a[k].mean_s for k in a]) / np.mean([b[k].mean_s for k in a]))
        found.append(Difference(case, load, *mean_interval(gaps), ratio))
    return found


def by_seed(rows: Sequence[Run], one: tuple[str, str], other: tuple[str, str]) -> list[float]:
    """Return ``one`` less ``other`` for each seed, mean over cases and loads, in points."""
    gaps: dict[int, list[float]] = {}
    for row in rows:
        for side, sign in ((one, 1.0), (other, -1.0)):
            if (row.engine, row.policy) == side:
                gaps.setdefault(row.seed, []).append(sign * row.on_time)
    return [2 * float(np.mean(each)) for each in gaps.values()]


def smallest(found: Sequence[Difference]) -> Difference:
    """Return the difference whose mean is the smallest."""
    return min(found, key=lambda row: row.mean)


@dataclass(frozen=True)
class WindowRow:
    """Decoupled less prefetching with its best window, paired over seeds, in points."""

    case: str
    load: float
    policy: str
    window: int
    mean: float
    low: float
    high: float


def best_windows(
    cases: Sequence[Case],
    loads: Sequence[float],
    policies: Sequence[str],
    seeds: int,
    seed: int,
    quantum_tokens: int = 512,
    windows: Sequence[int] = (2, 4, 8),
) -> list[WindowRow]:
    """Return E2 less E1 at the window that suits E1 best in each case, load and policy."""
    rows = []
    for case in cases:
        for load in loads:
            drawn = [case.arrivals(load, seed + k) for k in range(integer("seeds", seeds))]
            for policy in policies:
                engines = [engine("E1", window=w, quantum_tokens=quantum_tokens) for w in windows]
                engines.append(engine("E2", quantum_tokens=quantum_tokens))
                shares = np.array(
                    [[serve(d, case.costs, e, policy).attainment for d in drawn] for e in engines]
                )
                best = int(shares[:-1].mean(axis=1).argmax())
                gaps = [float(x) for x in shares[-1] - shares[best]]
                rows.append(WindowRow(case.name, load, policy, windows[best], *mean_interval(gaps)))
    return rows


@dataclass(frozen=True)
class Variant:
    """A variant of an engine: per cent on time and mean TTFT over seeds."""

    variant: str
    policy: str
    on_time: float
    mean_s: float


def variants(
    case: Case, load: float, seeds: int, seed: int, quantum_tokens: int = 512
) -> list[Variant]:
    """Return windows of prefetching, a shared link, and cut-through, at one load."""
    q = quantum_tokens
    made = [(f"window of {w}", engine("E1", window=w, quantum_tokens=q)) for w in (2, 4, 8)]
    made.append(("no window", Engine(quantum_tokens=q)))
    made.append(("no window, cut-through", Engine(quantum_tokens=q, cut_through=True)))
    plan = [(name, each, policy) for policy in ("fifo", "sjf_total") for name, each in made]
    plan.append(("no window, links shared evenly", made[3][1], "sharing"))
    rows = []
    for name, each, policy in plan:
        found = [
            serve(case.arrivals(load, seed + k), case.costs, each, policy)
            for k in range(integer("seeds", seeds))
        ]
        rows.append(
            Variant(
                name, policy, float(np.mean([s.attainment for s in found])),
                float(np.mean([s.ttft_s.mean() for s in found])),
            )
        )  # fmt: skip
    return rows


@dataclass(frozen=True)
class Setting:
    """Shares on time under another deadline or other arrivals; means over seeds."""

    case: str
    setting: str
    e1_fifo: float
    e2_fifo: float
    sjf_compute: float
    sjf_total: float


def other_settings(
    cases: Sequence[Case], load: float, seeds: int, seed: int, quantum_tokens: int = 512
) -> list[Setting]:
    """Return four sides under four deadlines, and with the trace's own, bursty, arrivals.

    The trace's arrivals are stretched to the same mean rate; they are the same for every seed.
    """
    rows = []
    for case in cases:
        alone = case.requests.alone_s(case.costs)
        drawn = [case.arrivals(load, seed + k) for k in range(integer("seeds", seeds))]
        limits = {
            f"{case.factor:g} times alone, {case.floor_s:g} s at least": np.maximum(
                case.factor * alone, case.floor_s
            ),
            "2 s": np.full(alone.size, 2.0),
            "5 s": np.full(alone.size, 5.0),
            "95th percentile of the time alone": np.full(alone.size, np.percentile(alone, 95)),
        }
        for name, limit in limits.items():
            rows.append(_setting(case, name, drawn, limit, quantum_tokens))
        own = case.requests.arrival_s - case.requests.arrival_s[0]
        if own[-1] > 0:
            stretch = len(case.requests) / (load * case.capacity.decoupled) / own[-1]
            bursty = replace(case.requests, arrival_s=own * stretch, deadline_s=None)
            first = next(iter(limits.values()))
            rows.append(
                _setting(
                    case, "as the first, trace's own arrivals", [bursty], first, quantum_tokens
                )
            )
    return rows


def _setting(
    case: Case, name: str, drawn: Sequence[Requests], limit: np.ndarray, quantum_tokens: int
) -> Setting:
    shares = []
    for side, policy in (
        ("E1", "fifo"),
        ("E2", "fifo"),
        ("E2", "sjf_compute"),
        ("E2", "sjf_total"),
    ):
        made = engine(side, quantum_tokens=quantum_tokens)
        shares.append(
            float(
                np.mean(
                    [
                        100 * (serve(each, case.costs, made, policy).ttft_s <= limit).mean()
                        for each in drawn
                    ]
                )
            )
        )
    return Setting(case.name, name, *shares)
