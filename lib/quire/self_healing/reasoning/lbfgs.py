"""DYNOTEARS as its authors solve it: an augmented Lagrangian by SciPy's L-BFGS-B, for comparison.

Every weight is split into two that are not negative, so that the L1 terms are linear; cycles are
kept out by ``h(W) = tr exp(W o W) - d``, whose weight rho grows tenfold until h falls by four.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import linalg, optimize

from quire import checks
from quire.self_healing.reasoning.dynotears import Discovery, Problem, objective
from quire.signatures import checked


def cyclicity(W: Float[np.ndarray, "d d"]) -> tuple[float, Float[np.ndarray, "d d"]]:
    """Return ``tr exp(W o W) - d`` and its gradient, ``exp(W o W)' o 2 W``.

    Raises
    ------
    ValueError
        For what is no square matrix of finite numbers.
    """
    matrix = checks.real_array("W", W, 2)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"W = an array of shape {matrix.shape}: must be square")
    return _cyclicity(matrix)


def _cyclicity(W: Float[np.ndarray, "d d"]) -> tuple[float, Float[np.ndarray, "d d"]]:
    exponential = linalg.expm(W * W)
    return float(np.trace(exponential) - len(W)), exponential.T * W * 2


@checked
def discover_by_lbfgs(
    problem: Problem, h_tolerance: Any = 1e-8, rounds: Any = 100, rho_limit: Any = 1e16
) -> Discovery:
    """Solve a problem by the augmented Lagrangian.

    Parameters
    ----------
    problem
        What `discovery_problem` returns.
    h_tolerance
        How much of cycles may be left.
    rounds, rho_limit
        Limits of the outer iteration.

    Raises
    ------
    ValueError
        For a limit or tolerance that is not positive.
    """
    checks.positive("h_tolerance", h_tolerance)
    checks.integer("rounds", rounds)
    checks.positive("rho_limit", rho_limit)
    d = len(problem.yy)
    eye = np.eye(d)
    lasso = np.concatenate([problem.penalty_w.ravel()] * 2 + [problem.penalty_a.ravel()] * 2)

    def parts(
        v: Float[np.ndarray, " n"],
    ) -> tuple[Float[np.ndarray, "d d"], Float[np.ndarray, "d d"]]:
        w, a = v[: 2 * d * d].reshape(2, d, d), v[2 * d * d :].reshape(2, d, d)
        return w[0] - w[1], a[0] - a[1]

    def lagrangian(v: Float[np.ndarray, " n"]) -> tuple[float, Float[np.ndarray, " n"]]:
        W, A = parts(v)
        R = eye - W
        yR, zR, zA = problem.yy @ R, problem.zy @ R, problem.zz @ A
        loss = 0.5 * (np.sum(R * yR) - 2 * np.sum(A * zR) + np.sum(A * zA))
        h, grad_h = _cyclicity(W)
        value = loss + lasso @ v + 0.5 * rho * h * h + alpha * h
        grad_w = -yR + problem.zy.T @ A + (rho * h + alpha) * grad_h
        grad_a = zA - zR
        gradient = np.concatenate(
            [grad_w.ravel(), -grad_w.ravel(), grad_a.ravel(), -grad_a.ravel()]
        )
        return float(value), gradient + lasso

    limits = [
        (0.0, 0.0) if i == j else (0.0, None) for _ in range(2) for i in range(d) for j in range(d)
    ]
    limits += [(0.0, None)] * (2 * d * d)
    v, rho, alpha, h, count = np.zeros(4 * d * d), 1.0, 0.0, np.inf, 0
    for _ in range(rounds):
        while True:
            found = optimize.minimize(lagrangian, v, method="L-BFGS-B", jac=True, bounds=limits)
            count += int(found.nit)
            new_h = _cyclicity(parts(found.x)[0])[0]
            if new_h <= 0.25 * h or rho >= rho_limit:
                break
            rho *= 10
        v, h = found.x, new_h
        alpha += rho * h
        if h <= h_tolerance or rho >= rho_limit:
            break
    W, A = parts(v)
    return Discovery(W, A, objective(problem, W, A), max(h, 0.0), count)
