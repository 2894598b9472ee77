"""Slow and fast setups: where dynamic allocation begins to pay, and what the law of setup does."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import stats

from quire.queueing.batched._points import points
from quire.queueing.batched.free_cancel import optimum, static_costs
from quire.queueing.batched.tuning import band_costs
from quire.queueing.decisions._policy_iteration import policy_iteration
from quire.queueing.decisions.farm_models import erlang_model
from quire.queueing.decisions.general_setup import general_setup_model
from quire.queueing.decisions.stationary import evaluate
from quire.queueing.exact.closed_forms import n_policy
from quire.queueing.experiments.many_farms import SIZE
from quire.queueing.farm import Costs, Farm
from quire.queueing.policies import OnOff
from quire.queueing.simulation import simulate


@dataclass(frozen=True)
class CrossoverRow:
    """The setup rate from which a family beats the best constant number of servers."""

    load: float
    floor: float
    on_off: float


def crossovers(servers: int, loads: list[float], delay: float = 1.0) -> list[CrossoverRow]:
    """Return, per load, from which setup rate the best floor, or on-off, beats every constant.

    By bisection in V1 between 0.001 and 1000 for all loads at once; a family wins when it is
    cheaper by more than one part in a million.
    """
    some = np.array(loads, dtype=float)
    each = np.arange(max(SIZE, len(some))) % len(some)  # one compiled shape with other experiments
    floors = np.tile(np.arange(servers + 1.0), (len(each), 1))

    def crossing(offered: slice) -> np.ndarray:
        low, high = np.full(len(some), 1e-3), np.full(len(some), 1e3)
        for _ in range(15):
            middle = np.sqrt(low * high)
            batch = points(servers, some[each], middle[each], delay)
            dynamic = band_costs(batch, floors, 0 * floors, 0 * floors)[:, offered].min(axis=1)
            wins = (dynamic < static_costs(batch).min(axis=1) * (1 - 1e-6))[: len(some)]
            low, high = np.where(wins, low, middle), np.where(wins, middle, high)
        return high

    floor, on_off = crossing(slice(None)), crossing(slice(1))
    return [
        CrossoverRow(float(load), float(f), float(o))
        for load, f, o in zip(some, floor, on_off, strict=True)
    ]


@dataclass(frozen=True)
class ConstantRow:
    """The gap of the best constant number of servers at one load, per cent, by delay price."""

    load: float
    gaps: tuple[float, ...]


def constant_gaps(
    servers: int, setup_rate: float, loads: Sequence[float], delays: Sequence[float]
) -> list[ConstantRow]:
    """Return the gap of the best constant number to the optimum in V1, per load and delay price.

    Solved in batches of 48 farms; V1 is the stricter model, for its optimum is the cheaper one.
    """
    pairs = list(product(loads, delays))
    padded = pairs + [pairs[-1]] * (-len(pairs) % SIZE)
    load, delay = np.array(padded).T
    batch = points(servers, load, setup_rate, delay)
    best = [
        optimum(batch.take(np.arange(at, at + SIZE))).cost for at in range(0, len(padded), SIZE)
    ]
    gap = 100 * (static_costs(batch).min(axis=1) / np.concatenate(best) - 1)
    table = gap[: len(pairs)].reshape(len(loads), len(delays)).clip(0).round(9)
    return [
        ConstantRow(float(load), tuple(row))
        for load, row in zip(loads, table.tolist(), strict=True)
    ]


@dataclass(frozen=True)
class SetupLawRow:
    """Mean response time of on-off under setups of one mean and several laws."""

    law: str
    response_time: float
    half_width: float  # 95 % interval over seeds, of the mean
    over_exponential: float  # ratio to exponential setups, same seeds


def setup_laws(
    farm: Farm, stages: list[int], *, requests: int, seeds: int, seed: int
) -> list[SetupLawRow]:
    """Simulate on-off with cancelling under Erlang setups (0 stages: constant) of one mean."""
    runs = np.array(
        [
            [
                simulate(
                    farm, OnOff(), requests=requests, seed=seed + i, stages=r
                ).response_time.mean
                for i in range(seeds)
            ]
            for r in stages
        ]
    )
    factor = stats.t.ppf(0.975, seeds - 1) / math.sqrt(seeds)
    return [
        SetupLawRow(
            "constant" if r == 0 else ("exponential" if r == 1 else f"Erlang-{r}"),
            float(times.mean()),
            float(factor * times.std(ddof=1)),
            float((times / runs[stages.index(1)]).mean()),
        )
        for r, times in zip(stages, runs, strict=True)
    ]


def ratio_interval(
    farm: Farm, stages: tuple[int, int], *, requests: int, seeds: int, seed: int
) -> tuple[float, float, float]:
    """Return E[T] under the second law over that under the first: mean and 95 % interval."""
    ratios = np.array(
        [
            simulate(
                farm, OnOff(), requests=requests, seed=seed + i, stages=stages[1]
            ).response_time.mean
            / simulate(
                farm, OnOff(), requests=requests, seed=seed + i, stages=stages[0]
            ).response_time.mean
            for i in range(seeds)
        ]
    )
    half = float(stats.t.ppf(0.975, seeds - 1) * ratios.std(ddof=1) / math.sqrt(seeds))
    mean = float(ratios.mean())
    return mean, mean - half, mean + half


@dataclass(frozen=True)
class GeneralSetupRow:
    """The optimal cost of one farm under setup laws of one mean, one setup at a time."""

    servers: int
    load: float
    setup_rate: float
    constant: float
    erlang_4: float
    exponential: float
    twice_as_variable: float  # squared coefficient of variation 4

    @property
    def constant_over_exponential(self) -> float:
        """What a constant setup costs the optimum, over an exponential one."""
        return self.constant / self.exponential

    @property
    def void(self) -> bool:
        """Whether every law costs the same, because the optimum never starts a server."""
        costs = (self.constant, self.erlang_4, self.exponential, self.twice_as_variable)
        return max(costs) - min(costs) < 1e-6 * min(costs)


def general_setups(
    farms: list[tuple[int, float, float]], costs: Costs, levels: int
) -> list[GeneralSetupRow]:
    """Solve the semi-Markov model of each farm (servers, load, setup rate) for four setup laws."""
    rows = []
    for servers, load, rate in farms:
        farm = Farm.at_load(load, rate, servers)
        best = [
            policy_iteration(general_setup_model(farm, costs, levels, v)).cost
            for v in (0.0, 0.25, 1.0, 4.0)
        ]
        rows.append(GeneralSetupRow(servers, load, rate, *best))
    return rows


def setup_law_of_one_server(stages: list[int]) -> list[tuple[float, float]]:
    """Return E[n] of one on-off server by model V3 and by the formula, per number of stages."""
    farm = Farm(0.5, 0.2, 1)
    pairs = []
    for r in stages:
        chain = evaluate(erlang_model(farm, Costs(), 200, r), OnOff()).requests
        pairs.append((chain, n_policy(farm, 1, 1 / r).requests))
    return pairs
