"""Priorities learned on one workload and judged on another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quire.checks import integer
from quire.serving.experiments.loading.settings import Case, mean_interval
from quire.serving.loading import Engine, Policy, serve
from quire.serving.loading.learned import FAMILIES, learn


@dataclass(frozen=True)
class LearnedRow:
    """A family of rules, tuned on one workload and judged on another with fresh arrivals.

    Attributes
    ----------
    rule
        The family; ``sjf_total`` by exact costs is not tuned.
    learned_on, judged_on
        Workloads.
    policy
        What was found.
    training, on_time
        Per cent on time where it was learned, and where it is judged.
    gain, low, high
        Over ``sjf_total`` in points, paired over seeds.
    """

    rule: str
    learned_on: str
    judged_on: str
    policy: Policy
    training: float
    on_time: float
    gain: float
    low: float
    high: float


def learned_rows(
    cases: Sequence[Case],
    load: float,
    trials: int,
    training: int,
    seeds: int,
    seed: int,
    quantum_tokens: int = 512,
) -> list[LearnedRow]:
    """Return each family, learned on either of two workloads and judged on the other.

    Parameters
    ----------
    cases
        Two workloads.
    load
        Fraction of each one's decoupled capacity.
    trials, training
        Settings tried for each family, and training runs that each is tried on.
    seeds, seed
        Of the judgement; training has seeds of its own.
    quantum_tokens
        Of the network and the copy.

    Raises
    ------
    ValueError
        When there are not two workloads.
    """
    if len(cases) != 2:
        raise ValueError(f"cases = {len(cases)} workloads: must be 2")
    made = Engine(quantum_tokens=quantum_tokens)
    rows = []
    for school, field in (tuple(cases), tuple(cases)[::-1]):
        runs = [
            (school.arrivals(load, seed + 2000 + k), school.costs)
            for k in range(integer("training", training))
        ]
        drawn = [field.arrivals(load, seed + k) for k in range(integer("seeds", seeds))]
        found = {
            name: (each.policy, each.on_time)
            for name, each in (
                (name, learn(name, runs, trials, seed + 3000, made)) for name in FAMILIES
            )
        }
        plain = Policy("sjf_total")
        own = float(np.mean([serve(r, c, made, plain).attainment for r, c in runs]))
        exact = [serve(each, field.costs, made, plain).attainment for each in drawn]
        for name, (policy, share) in {"sjf_total": (plain, own), **found}.items():
            shares = [serve(each, field.costs, made, policy).attainment for each in drawn]
            rows.append(
                LearnedRow(
                    name, school.name, field.name, policy, share, float(np.mean(shares)),
                    *mean_interval([a - b for a, b in zip(shares, exact, strict=True)]),
                )
            )  # fmt: skip
    return rows
