"""The same bounds by numerical minimisation, which knows nothing of their closed forms."""

from typing import Any

import numpy as np
import scipy  # scipy.optimize is loaded at its first use, and not by every MPI process

from quire.checks import instance
from quire.signatures import checked
from quire.sketching.problem import Shape, check_nystrom

_TIGHT = {"ftol": 1e-14, "maxiter": 500}


def _minimize(*arguments: Any, **keywords: Any) -> Any:
    """Return what ``scipy.optimize.minimize`` does; its stubs refuse one-argument callables."""
    return scipy.optimize.minimize(*arguments, **keywords)


@checked
def minimise_free_operand(shape: Shape, ranks: int) -> float:
    """Return the words found by minimising the Loomis-Whitney programme numerically.

    In logarithms the programme min x + y with x y w >= (n1 n2 r/P)^2 is convex; SLSQP solves it
    over (log x, log y, log w). Source: ours, an independent check of :func:`free_operand_bound`.
    """
    instance("shape", shape, Shape).check_ranks(ranks)
    n1, n2, r = shape.n1, shape.n2, shape.r
    local = shape.products / ranks
    lower = np.log([n1 * n2 / ranks, n1 * r / ranks])
    most_random = np.log(min(n2 * r, local))
    scale = float(n1 * (n2 + r) / ranks + 2 * np.sqrt(local))
    found = _minimize(
        lambda v: float((np.exp(v[0]) + np.exp(v[1])) / scale),
        x0=np.array([lower[0] + 1, lower[1] + 1, most_random - 0.1]),
        jac=lambda v: np.array([np.exp(v[0]), np.exp(v[1]), 0.0]) / scale,
        method="SLSQP",
        bounds=scipy.optimize.Bounds([lower[0], lower[1], -np.inf], [np.inf, np.inf, most_random]),
        constraints=scipy.optimize.LinearConstraint(np.ones((1, 3)), 2 * np.log(local), np.inf),
        options=_TIGHT,
    )
    touched = np.exp(found.x[0]) + np.exp(found.x[1])
    return float(touched - n1 * (n2 + r) / ranks)


def minimise_nystrom_decoupled(n: int, r: int, ranks: int) -> float:
    """Return the decoupled Nystrom bound, minimised numerically over the entries touched.

    Variables are the logarithms of a, b, c (entries of A, Y, Z touched). Source: ours.
    """
    n, r, ranks = check_nystrom(n, r, ranks)
    first, second = n * n * r / ranks, n * r * r / ranks
    random_first, random_second = min(n * r, first), min(n * r, second)
    lower = np.log([n * n / ranks, n * r / ranks, r * r / ranks])
    needs = np.array([2 * np.log(first), 2 * np.log(second)]) - np.log(
        [random_first, random_second]
    )
    scale = float(np.exp(lower).sum() + np.sqrt(first))
    found = _minimize(
        lambda v: float(np.exp(v).sum()) / scale,
        x0=lower + 1 + max(0.0, float(np.max(needs)) - float(lower[1])),
        jac=lambda v: np.exp(v) / scale,
        method="SLSQP",
        bounds=scipy.optimize.Bounds(lower, np.full(3, np.inf)),
        constraints=scipy.optimize.LinearConstraint([[1, 1, 0], [0, 1, 1]], needs, np.inf),
        options=_TIGHT,
    )
    return float(np.exp(found.x).sum() - np.exp(lower).sum())
