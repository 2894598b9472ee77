"""Checks: formulas, simulation, other solvers, other packages and textbooks agree with ours."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from quire.queueing.batched._points import points
from quire.queueing.batched.free_cancel import optimum
from quire.queueing.decisions._linear_program import linear_program
from quire.queueing.decisions._policy_iteration import policy_iteration
from quire.queueing.decisions.farm_models import (
    DecisionModel,
    committed_model,
    free_cancel_model,
)
from quire.queueing.decisions.semi_markov import discrete_problem
from quire.queueing.decisions.stationary import evaluate
from quire.queueing.decisions.textbook import (
    admission_control,
    machine_replacement,
    naor_threshold,
)
from quire.queueing.decisions.value_iteration import (
    modified_policy_iteration,
    relative_value_iteration,
)
from quire.queueing.exact.closed_forms import (
    best_n_policy,
    erlang_c,
    n_policy,
    staggered_response_time,
    static_cost,
    unlimited_servers_setup,
)
from quire.queueing.exact.matrix_geometric import setup_queue
from quire.queueing.farm import Costs, Farm, truncation_level
from quire.queueing.policies import (
    Band,
    DelayedOff,
    DualThreshold,
    NPolicy,
    OnOff,
    Policy,
    Staggered,
    Static,
    floor_policy,
    spare_policy,
)
from quire.queueing.simulation import simulate


@dataclass(frozen=True)
class FormulaRow:
    """One quantity by a formula and by a numerical method."""

    quantity: str
    formula: float
    method: float

    @property
    def error(self) -> float:
        """Relative difference."""
        return abs(self.method / self.formula - 1)


def formulas() -> list[FormulaRow]:
    """Return every closed form of the chapter beside what a chain says."""
    rows = [
        FormulaRow(
            "E[T], one server with setup",
            40 / 3,
            setup_queue(Farm(0.7, 0.1, 1)).response_time,
        )
    ]
    for rate, setup, threshold in ((0.5, 0.2, 1), (0.5, 0.2, 3), (0.7, 0.5, 5)):
        farm = Farm(rate, setup, 1)
        chain = free_cancel_model(farm, Costs(), truncation_level(farm, 1e-15))
        rows.append(
            FormulaRow(
                f"E[n], N-policy with N = {threshold}",
                n_policy(farm, threshold).requests,
                evaluate(chain, NPolicy(threshold)).requests,
            )
        )
    for k, load, setup in ((2, 0.3, 0.1), (5, 0.9, 1.0), (10, 0.3, 0.1)):
        farm = Farm.at_load(load, setup, k)
        queue = setup_queue(farm, staggered=True)
        rows.append(
            FormulaRow(
                f"E[T], staggered setup, K = {k}",
                staggered_response_time(farm),
                queue.response_time,
            )
        )
        rows.append(FormulaRow(f"busy servers, K = {k}", farm.offered_load, queue.active))
    many = unlimited_servers_setup(2.0, 0.5)
    rows.append(
        FormulaRow(
            "E[T], unlimited servers",
            many.response_time,
            setup_queue(Farm(2.0, 0.5, 40)).response_time,
        )
    )
    return rows


SPARSE_SOLVE = (
    (2, 0.3, 0.1, 6.59391534),
    (2, 0.7, 1.0, 2.72376430),
    (5, 0.7, 0.1, 4.52560448),
    (5, 0.9, 1.0, 3.04599671),
    (10, 0.3, 0.1, 2.60479298),
    (10, 0.7, 1.0, 1.41088797),
    (10, 0.9, 0.1, 4.23406907),
)
"""E[T] of on-off M/M/k with setup by an independent sparse solve: k, load, setup rate, E[T]."""


def against_sparse_solve() -> float:
    """Return the largest difference of the matrix-geometric E[T] from the independent solve."""
    return max(
        abs(setup_queue(Farm.at_load(load, setup, k)).response_time - time)
        for k, load, setup, time in SPARSE_SOLVE
    )


def truncation_errors(levels: list[int]) -> dict[int, float]:
    """Return what cutting the queue of one farm costs in E[T], by the number of levels."""
    farm = Farm.at_load(0.7, 0.5, 3)
    exact = setup_queue(farm).response_time
    return {
        n: abs(evaluate(free_cancel_model(farm, Costs(), n), OnOff()).response_time - exact)
        for n in levels
    }


def slow_tail_error(levels: int = 400) -> float:
    """Return what a cut still costs where one slow setup runs at a time (k = 10, load 0.3)."""
    farm = Farm.at_load(0.3, 0.1, 10)
    cut = evaluate(free_cancel_model(farm, Costs(), levels), Staggered())
    return staggered_response_time(farm) - cut.response_time


@dataclass(frozen=True)
class SolverRow:
    """One solver's cost of the reference farm."""

    solver: str
    cost: float


def reference_model() -> DecisionModel:
    """Return V1 with 5 servers, arrivals 2.5, setup rate 0.2, at most 69 requests."""
    return free_cancel_model(Farm(2.5, 0.2, 5), Costs(), 69)


def solvers() -> list[SolverRow]:
    """Return the optimal cost of the reference farm by four solvers and by batched elimination."""
    model = reference_model()
    rows = [
        SolverRow("relative value iteration", relative_value_iteration(model).cost),
        SolverRow("modified policy iteration", modified_policy_iteration(model).cost),
        SolverRow("policy iteration", policy_iteration(model).cost),
        SolverRow("linear program", linear_program(model).cost),
    ]
    batch = points(5, 0.5, np.full(48, 0.2), 1.0)
    by_levels = optimum(batch, levels=69, infinite=False).cost[0]
    return [*rows, SolverRow("batched policy iteration", float(by_levels))]


def spread(rows: list[SolverRow]) -> float:
    """Return the largest difference between two solvers."""
    costs = [row.cost for row in rows]
    return max(costs) - min(costs)


@dataclass(frozen=True)
class CoverageRow:
    """How often the exact value lies inside a simulation's 99 % interval."""

    policy: str
    runs: int
    inside: int


def simulation_coverage(*, requests: int, seeds: int, seed: int) -> list[CoverageRow]:
    """Simulate seven policies on two farms, committed and not, and count intervals that hold."""
    policies: list[Policy] = [
        Static(4),
        OnOff(),
        floor_policy(2),
        spare_policy(1),
        Band(3, -1, 2),
        DelayedOff(0.3, 1),
        DualThreshold(1.2, 0.6),
    ]
    counts = {policy.name: [0, 0] for policy in policies}
    for index, (load, setup) in enumerate(((0.3, 0.2), (0.5, 1.0))):
        farm = Farm.at_load(load, setup, 5)
        for committed, build in ((False, free_cancel_model), (True, committed_model)):
            chain = build(farm, Costs(), 100)
            for policy in policies:
                exact = evaluate(chain, policy).response_time
                for run in range(seeds):
                    seen = simulate(
                        farm,
                        policy,
                        requests=requests,
                        committed=committed,
                        seed=seed + 1000 * index + run,
                    )
                    counts[policy.name][0] += 1
                    counts[policy.name][1] += seen.response_time.covers(exact)
    return [CoverageRow(name, runs, inside) for name, (runs, inside) in counts.items()]


def share_inside(rows: list[CoverageRow], level: float = 0.95) -> tuple[float, float, float]:
    """Return the share of intervals that hold, with its exact binomial interval."""
    runs, inside = sum(row.runs for row in rows), sum(row.inside for row in rows)
    found = stats.binomtest(inside, runs).proportion_ci(level)
    return inside / runs, float(found.low), float(found.high)


@dataclass(frozen=True)
class Thresholds:
    """How often the decision model's first start is the N-policy's best threshold."""

    compared: int
    mismatches: int
    largest: int  # threshold among them


def n_policy_thresholds(wanted: int, seed: int) -> Thresholds:
    """Compare thresholds on random farms of one server for which some N above 1 is optimal.

    Farms for which staying on for ever is cheaper, or N = 1 is best, are drawn again.
    """
    rng = np.random.default_rng(seed)
    compared = mismatches = largest = 0
    while compared < wanted:
        size = 48
        batch = points(
            1,
            rng.uniform(0.05, 0.6, size),
            rng.uniform(0.5, 5, size),
            rng.uniform(0.02, 1, size),
            rng.uniform(1, 20, size),
        )
        solved = optimum(batch)
        for i in range(size):
            farm, costs = batch.farm(i), batch.costs(i)
            n, cost = best_n_policy(farm, costs)
            if n == 1 or cost >= static_cost(1, farm, costs) or compared == wanted:
                continue
            compared += 1
            largest = max(largest, n)
            mismatches += int(np.argmax(solved.setups[i, :, 0] > 0)) != n
    return Thresholds(compared, mismatches, largest)


def naor_mismatches(count: int, seed: int) -> int:
    """Return how often policy iteration turns arrivals away elsewhere than at Naor's threshold."""
    draws = np.random.default_rng([seed, 2])
    wrong = 0
    for _ in range(count):
        rate, reward = draws.uniform(0.2, 0.9), draws.uniform(2, 30)
        holding = draws.uniform(0.5, 1.5)
        threshold = naor_threshold(rate, reward, holding)
        control = admission_control(rate, reward, holding, threshold + 20)
        admits = control.choice[policy_iteration(control).taken] % 2
        wrong += int(np.argmin(admits)) != threshold
    return wrong


def three_states() -> tuple[np.ndarray, np.ndarray]:
    """Return an undiscounted exercise of three states that pymdptoolbox's users could not solve."""
    chances = np.array(
        [
            [[0.25, 0.25, 0.5], [0.75, 0, 0.25], [0.5, 0.5, 0]],
            [[0, 0.25, 0.75], [0.25, 0, 0.75], [0.25, 0.25, 0.5]],
        ]
    )
    return chances, -np.array([[0.55, 0.75], [1, 0.8], [1.2, 1]])


@dataclass(frozen=True)
class TextbookRow:
    """A textbook problem's average cost by two of our solvers and by pymdptoolbox."""

    problem: str
    policy_iteration: float
    value_iteration: float
    pymdptoolbox: float

    @property
    def spread(self) -> float:
        """The largest difference of the three."""
        found = (self.policy_iteration, self.value_iteration, self.pymdptoolbox)
        return max(found) - min(found)


def textbook_problems() -> list[TextbookRow]:
    """Solve three discrete-time problems with our solvers and with pymdptoolbox."""
    from quire.queueing.peers.pymdptoolbox import toolbox_cost, toolbox_forest

    cases = {
        "three states": three_states(),
        "machine replacement": machine_replacement(),
        "forest": toolbox_forest(),
    }
    return [
        TextbookRow(
            name,
            policy_iteration(discrete_problem(*case)).cost,
            relative_value_iteration(discrete_problem(*case)).cost,
            toolbox_cost(*case),
        )
        for name, case in cases.items()
    ]


@dataclass(frozen=True)
class PrototypeRow:
    """One printed figure of an independent prototype, and ours in the units of its last digit."""

    case: str
    printed: float
    ours: float
    off: float  # |ours - printed| over the printed figure's last digit: at most 0.5 agrees


FREE_PROTOTYPE = {
    (0.05, 1.0): ("127", "0.0", "2.9", "17.4"),
    (0.2, 0.1): ("37", "3.9", "16.6", "33"),
    (1.0, 1.0): ("10.0", "7.0", "2.6", "5.2"),
    (1.0, 5.0): ("19.7", "3.0", "1.6", "1.6"),
}
"""V1, K = 10, load 0.5: gap of on-off, best constant, floor and spare, by setup rate and w."""

COMMITTED_PROTOTYPE = {
    (0.2, 1.0, 0.0): ("7.02433", "56.6", "6.7"),
    (1.0, 1.0, 0.0): ("6.61800", "11.8", "3.5"),
    (1.0, 1.0, 2.0): ("6.89967", "39.0", "8.6"),
    (0.2, 0.1, 0.0): ("3.57307", "42.4", "31"),
}
"""V2, K = 5, arrivals 2.5: optimal cost, gap of on-off, of the best floor, by alpha, w, fee."""


def _printed(case: str, text: str, ours: float) -> PrototypeRow:
    decimals = len(text.partition(".")[2])
    return PrototypeRow(case, float(text), ours, abs(ours - float(text)) * 10**decimals)


def against_free_prototype() -> list[PrototypeRow]:
    """Return our V1 gaps on four farms of ten servers beside the prototype's printed figures."""
    rows = []
    for (setup, delay), printed in FREE_PROTOTYPE.items():
        farm, costs = Farm.at_load(0.5, setup, 10), Costs(delay=delay)
        model = free_cancel_model(farm, costs, max(150, truncation_level(farm, 1e-10)))
        best = policy_iteration(model).cost
        spares = [Band(0, r, r) for r in range(11)]
        families: dict[str, list[Policy]] = {
            "on-off": [OnOff()],
            "static": [Static(k) for k in range(6, 11)],
            "floor": [floor_policy(q) for q in range(11)],
            "spare": [*spares],
        }
        for (family, policies), text in zip(families.items(), printed, strict=True):
            gap = 100 * (min(evaluate(model, p).cost for p in policies) / best - 1)
            rows.append(_printed(f"{family}, alpha {setup:g}, w {delay:g}", text, gap))
    return rows


def against_committed_prototype() -> list[PrototypeRow]:
    """Return our V2 optimum and gaps on four farms beside the prototype's printed figures."""
    rows = []
    for (setup, delay, fee), printed in COMMITTED_PROTOTYPE.items():
        model = committed_model(Farm(2.5, setup, 5), Costs(delay=delay, allocation=fee), 60)
        best = policy_iteration(model).cost
        floors = min(evaluate(model, floor_policy(q)).cost for q in range(6))
        found = {
            "optimum": best,
            "on-off": 100 * (evaluate(model, OnOff()).cost / best - 1),
            "floor": 100 * (floors / best - 1),
        }
        for (what, ours), text in zip(found.items(), printed, strict=True):
            rows.append(_printed(f"{what}, alpha {setup:g}, w {delay:g}, fee {fee:g}", text, ours))
    return rows


def worst_digit(rows: list[PrototypeRow]) -> float:
    """Return the largest deviation in units of a printed last digit."""
    return max(row.off for row in rows)


@dataclass(frozen=True)
class PeerRow:
    """A quantity simulated by somebody else's package over several seeds, and the exact one."""

    package: str
    quantity: str
    exact: float
    simulated: float
    ratio: float
    low: float  # 95 % interval of the ratio
    high: float


def _peer_row(package: str, quantity: str, exact: float, simulated: list[float]) -> PeerRow:
    values = np.array(simulated) / exact
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    mean = float(values.mean())
    return PeerRow(package, quantity, exact, mean * exact, mean, mean - half, mean + half)


def waiting_by_ciw(requests: int, *, seeds: int) -> PeerRow:
    """Return the probability of waiting in M/M/4 by ciw and by Erlang's formula."""
    from quire.queueing.peers.ciw import ciw_waiting_probability

    farm = Farm(2.5, 1.0, 4)
    runs = [ciw_waiting_probability(farm, requests, seed)[0] for seed in range(seeds)]
    return _peer_row("ciw", "P(wait), M/M/4", erlang_c(4, farm.offered_load), runs)


def setup_by_simpy(requests: int, *, seeds: int) -> PeerRow:
    """Return the response time of four on-off servers by simpy and by the exact law."""
    from quire.queueing.peers.simpy import simpy_setup_response_time

    farm = Farm(2.5, 0.5, 4)
    runs = [simpy_setup_response_time(farm, requests, seed) for seed in range(seeds)]
    return _peer_row("simpy", "E[T], on-off, K = 4", setup_queue(farm).response_time, runs)
