"""What sets failed runs apart: log odds of patterns with the false discovery rate held."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import fisher_exact

from quire.checks import between, integer, real_array, truths
from quire.signatures import checked


@dataclass(frozen=True)
class Contrast:
    """One pattern: in how many failed and good runs, its log odds ratio, p, and whether it stays.

    The odds ratio adds a half to each cell (Haldane); p is Fisher's, two-sided.
    """

    name: str
    failed: int
    good: int
    log_odds: float
    p: float
    significant: bool


def benjamini_hochberg(
    p: Float[np.ndarray, " tests"], rate: float = 0.05
) -> Bool[np.ndarray, " tests"]:
    """Return which tests are discoveries at a false discovery rate.

    Raises
    ------
    ValueError
        For a p outside 0 to 1.
    """
    values, rate = real_array("p", p, 1, least=0.0), between("rate", rate, 0, 1)
    if values.max() > 1:
        raise ValueError(f"p = {values.max():g}: every entry must be 1 or less")
    order = np.argsort(values, kind="stable")
    below = values[order] <= rate * np.arange(1, len(values) + 1) / len(values)
    keep = np.zeros(len(values), bool)
    if below.any():
        keep[order[: np.flatnonzero(below)[-1] + 1]] = True
    return keep


@checked
def contrast(
    holds: Mapping[str, Bool[np.ndarray, " runs"]],
    failed: Bool[np.ndarray, " runs"],
    rate: float = 0.05,
) -> list[Contrast]:
    """Return every pattern by how much it sets failed runs apart, the strongest first.

    Parameters
    ----------
    holds
        Per pattern: which runs hold it.
    failed
        Which runs failed.
    rate
        The false discovery rate (Benjamini-Hochberg).

    Raises
    ------
    ValueError
        When a pattern has not one entry per run.
    """
    failed = truths("failed", failed)
    integer("runs", failed.size)
    names = sorted(holds)
    rows = []
    for name in names:
        has = truths(f"holds[{name!r}]", holds[name])
        if has.shape != failed.shape:
            raise ValueError(f"holds[{name!r}] = {has.shape}: must have one entry per run")
        table = [
            [int((has & failed).sum()), int((has & ~failed).sum())],
            [int((~has & failed).sum()), int((~has & ~failed).sum())],
        ]
        cells = np.array(table, float) + 0.5
        odds = float(np.log(cells[0, 0] * cells[1, 1] / (cells[0, 1] * cells[1, 0])))
        rows.append((name, table[0][0], table[0][1], odds, float(fisher_exact(table)[1])))
    if not rows:
        return []
    keep = benjamini_hochberg(np.array([row[4] for row in rows]), rate)
    found = [Contrast(*row, bool(k)) for row, k in zip(rows, keep, strict=True)]
    return sorted(found, key=lambda c: (-abs(c.log_odds), c.name))
