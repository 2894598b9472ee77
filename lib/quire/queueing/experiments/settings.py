"""Settings an operator could type: one formula for a band, and what an autoscaler's two cost."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from quire.queueing.autoscaler import Autoscaler
from quire.queueing.batched._points import Points
from quire.queueing.batched.committed import committed_band_costs
from quire.queueing.batched.staffing_rule import StaffingRule, fit_staffing_rule
from quire.queueing.batched.tuning import Tuned
from quire.queueing.decisions.farm_models import DecisionModel
from quire.queueing.decisions.stationary import evaluate
from quire.queueing.experiments.many_farms import SIZE, Solved


@dataclass(frozen=True)
class RuleResult:
    """A staffing rule fitted on every other farm in V1, and its gaps on the others, per cent."""

    rule: StaffingRule
    formula: list[str]  # floor, start and keep, as one would type them
    free: np.ndarray  # V1
    committed: np.ndarray  # V2, the same farms and settings
    tuned: np.ndarray  # the band tuned at each of these farms, V1


def staffing_rule(free: Solved, committed: Solved, *, evaluations: int) -> RuleResult:
    """Fit the rule on the farms of even number in V1 and judge it on those of odd number."""
    sure = free.certified & committed.certified
    number = np.arange(len(free.batch))
    fitted, held = (
        np.flatnonzero(sure & (number % 2 == 0)),
        np.flatnonzero(sure & (number % 2 == 1)),
    )
    band = Tuned("band", free.cost * (1 + free.gaps["band"] / 100), free.band)
    rule = fit_staffing_rule(
        [(free.batch.take(fitted), free.cost[fitted], band.take(fitted))], evaluations=evaluations
    )
    batch = free.batch.take(held)
    in_free = _by_parts(rule.costs, batch, len(fitted))  # the fit's shape
    bound = _by_parts(lambda part: _committed_costs(rule, part), batch, SIZE)
    return RuleResult(
        rule=rule,
        formula=_typed(rule),
        free=100 * (in_free / free.cost[held] - 1),
        committed=100 * (bound / committed.cost[held] - 1),
        tuned=free.gaps["band"][held],
    )


def _by_parts(
    cost_of: Callable[[Points], np.ndarray], batch: Points, size: int
) -> Float[np.ndarray, " points"]:
    """Return costs computed in parts of one size: a shape that is compiled already serves them."""
    parts = []
    for at in range(0, len(batch), size):
        rows = np.arange(at, min(at + size, len(batch)))
        padded = np.concatenate([rows, np.full(size - len(rows), rows[-1])])
        parts.append(cost_of(batch.take(padded))[: len(rows)])
    return np.concatenate(parts)


def _committed_costs(rule: StaffingRule, batch: Points) -> Float[np.ndarray, " points"]:
    """Return the rule's costs in V2, as two equal candidates: the shape of a tuning."""
    twice = [np.tile(row[:, None], 2) for row in rule.settings(batch)]
    return committed_band_costs(batch, *twice)[:, 0]


def _typed(rule: StaffingRule) -> list[str]:
    terms = ("", " ln(w/c)", " ln(gamma/alpha + C_a/c)", " ln(alpha)")
    heads = ("floor = R + sqrt(R)", "start =", "keep =")
    lines = []
    for head, row in zip(heads, rule.coefficients, strict=True):
        said = " ".join(
            f"{'-' if value < 0 else '+'} {abs(value):.2f}{term}"
            for value, term in zip(row, terms, strict=True)
        )
        lines.append(f"{head} ({said.removeprefix('+ ')})")
    return lines


@dataclass(frozen=True)
class AutoscalerRow:
    """One setting of an autoscaler and its gap to the optimum."""

    target: float
    window: float
    gap: float  # per cent


def autoscaler_settings(
    model: DecisionModel, best_cost: float, targets: list[float], windows: list[float]
) -> list[AutoscalerRow]:
    """Return the gap of every target and window on the model's farm."""
    return [
        AutoscalerRow(
            target,
            window,
            100 * (evaluate(model, Autoscaler(target, window)).cost / best_cost - 1),
        )
        for target in targets
        for window in windows
    ]


def autoscaler_loss(rows: list[AutoscalerRow], target: float, window: float) -> float:
    """Return what a setting costs over the cheapest one of ``rows``."""
    usual = next(row.gap for row in rows if (row.target, row.window) == (target, window))
    return (100 + usual) / (100 + min(row.gap for row in rows))
