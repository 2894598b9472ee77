"""One formula for the three settings of a band policy, fitted on some farms, tested on others.

With ``x = (1, ln(w/c), ln(price), ln(alpha))`` and ``price = gamma/alpha + C_a/c``, the rule sets

    floor = round(R + sqrt(R) * (floor . x)),  start = round(start . x),  keep = round(keep . x)

each within its limits: square-root staffing whose coefficient, like the two margins, is linear in
logarithms of what things cost (ours).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from quire.checks import integer
from quire.queueing.batched._points import Points
from quire.queueing.batched.tuning import PATIENCE, Tuned, band_costs
from quire.signatures import checked

Coefficients = Float[np.ndarray, "three four"]


@dataclass(frozen=True)
class StaffingRule:
    """Coefficients of floor, start and keep (rows) on 1, ln(w/c), ln(price), ln(alpha)."""

    coefficients: Coefficients

    def settings(self, batch: Points) -> Float[np.ndarray, "three points"]:
        """Return floor, start and keep of each point: whole numbers within their limits."""
        amount = batch.arrival_rate / batch.service_rate
        floor, start, keep = self.coefficients @ _features(batch)
        q = np.clip(np.round(amount + np.sqrt(amount) * floor), 0, batch.servers)
        r = np.clip(np.round(start), -PATIENCE, 2)
        d = np.clip(np.round(keep), np.maximum(r, 0), batch.servers)
        return np.stack([q, r, d])

    def costs(self, batch: Points) -> Float[np.ndarray, " points"]:
        """Return the average cost of the rule's policy at each point, exact."""
        return band_costs(batch, *(row[:, None] for row in self.settings(batch)))[:, 0]


def _features(batch: Points) -> Float[np.ndarray, "four points"]:
    if (batch.server == 0).any() or (batch.delay == 0).any():
        raise ValueError("server, delay: the rule takes logarithms; every price must be positive")
    price = batch.setup_share / batch.setup_rate + batch.allocation / batch.server
    if (price == 0).any():
        raise ValueError("setup_share, allocation: the rule needs one of the two above zero")
    return np.stack(
        [
            np.ones(len(batch)),
            np.log(batch.delay / batch.server),
            np.log(price),
            np.log(batch.setup_rate / batch.service_rate),
        ]
    )


@checked
def fit_staffing_rule(
    groups: list[tuple[Points, Float[np.ndarray, " points"], Tuned]], *, evaluations: int = 400
) -> StaffingRule:
    """Fit the rule to groups of (points, optimal cost, tuned band): least mean gap.

    Gaps above 50 % count as 50 %. Starts from the least-squares fit of the tuned settings and goes
    on by Nelder-Mead on the gap itself, ``evaluations`` times.

    Raises
    ------
    ValueError
        For fewer than 12 points, as many as there are coefficients.
    """
    evaluations = integer("evaluations", evaluations, 1)
    count = sum(len(batch) for batch, _, _ in groups)
    if count < 12:
        raise ValueError(f"{count} points given: 12 coefficients need at least 12 points")
    features = np.concatenate([_features(batch) for batch, _, _ in groups], axis=1)
    amount = np.concatenate([batch.arrival_rate / batch.service_rate for batch, _, _ in groups])
    settings = np.concatenate([tuned.settings for _, _, tuned in groups])
    floor = (settings[:, 0] - amount) / np.sqrt(amount)
    wanted = np.stack([floor, settings[:, 1], settings[:, 2]])
    # rounded, like the gaps below: another processor's last digits must not lead elsewhere
    first = np.linalg.lstsq(features.T, wanted.T, rcond=None)[0].T.round(6)

    def mean_gap(flat: Float[np.ndarray, " twelve"]) -> float:
        rule = StaffingRule(flat.reshape(3, 4))
        gaps = [np.minimum(rule.costs(batch) / best - 1, 0.5) for batch, best, _ in groups]
        return round(float(np.concatenate(gaps).mean()), 8)

    simplex = np.vstack([first.ravel(), first.ravel() + 0.4 * np.eye(12)])
    found = minimize(
        mean_gap,
        first.ravel(),
        method="Nelder-Mead",
        options={"maxfev": evaluations, "initial_simplex": simplex, "xatol": 0, "fatol": 0},
    )
    return StaffingRule(found.x.reshape(3, 4))
