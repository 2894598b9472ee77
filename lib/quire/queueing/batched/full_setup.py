"""The far end of the chain, exactly: above some level the setups no longer depend on the level.

There the chain looks the same on every level, so the values on level ``n`` follow from those one
level below: ``h_n = G h_{n-1} + p + q n + g z``. ``G`` holds the phase (number of active servers)
in which the chain comes down one level; it is upper triangular because servers are only added.
The average cost of the *infinite* system follows, without truncation (ours, standard
matrix-analytic argument).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from quire.queueing.batched._points import Points


class Tail(NamedTuple):
    """Values above a level: ``h_n = G h_{n-1} + offset + slope n + g gain``, one per point."""

    G: Float[np.ndarray, "points phases phases"]
    offset: Float[np.ndarray, "points phases"]  # p
    slope: Float[np.ndarray, "points phases"]  # q
    gain: Float[np.ndarray, "points phases"]  # z


def tail(batch: Points, setups: Float[np.ndarray, " phases"]) -> Tail:
    """Solve the level-independent part with ``setups[a]`` servers in setup in phase ``a``.

    ``setups = K - a`` is full setup: every spare server.

    Raises
    ------
    ValueError
        When phase 0 would stay without a setup or the last phase has one.
    """
    k = batch.servers
    if setups[0] <= 0 or setups[k] != 0:
        raise ValueError(f"setups = {setups}: must be positive in phase 0 and zero in phase {k}")
    lam, mu, alpha = (
        column[:, None] for column in (batch.arrival_rate, batch.service_rate, batch.setup_rate)
    )
    a = np.arange(k + 1)
    rise = setups * alpha
    serve = a * mu
    leave = lam + serve + rise
    G = np.zeros((len(batch), k + 1, k + 1))
    # smaller root of lam x^2 - leave x + serve, its discriminant without cancellation; phase k
    # drifts down, so it comes down surely
    root = 2 * serve / (leave + np.sqrt((lam - serve) ** 2 + rise**2 + 2 * rise * (lam + serve)))
    root[:, k] = 1.0
    G[:, a, a] = root
    lam_, rise_, leave_ = lam[:, 0], rise, leave
    for width in range(1, k + 1):
        for i in range(k + 1 - width):
            j = i + width
            inner = np.einsum("pc,pc->p", G[:, i, i + 1 : j], G[:, i + 1 : j, j])
            top = rise_[:, i] * G[:, i + 1, j] + lam_ * inner
            G[:, i, j] = top / (leave_[:, i] - lam_ * (G[:, i, i] + G[:, j, j]))
    # (D - lam G - lam I) x = right, upper triangular, from the last phase up
    D = np.zeros_like(G)
    D[:, a, a] = leave - lam
    D[:, a[:-1], a[1:]] = -rise[:, :-1]
    D -= lam[:, :, None] * G
    D[:, k, k] = serve[:, k] - lam[:, 0]  # the difference of nearly equal rates near full load
    slope = np.linalg.solve(D, np.broadcast_to(batch.delay[:, None, None], (len(batch), k + 1, 1)))
    price = batch.server[:, None] * (a + batch.setup_share[:, None] * setups)
    price = price + batch.allocation[:, None] * rise
    offset = np.linalg.solve(D, price[:, :, None] + lam[:, :, None] * slope)
    gain = np.linalg.solve(D, -np.ones((len(batch), k + 1, 1)))
    return Tail(G, offset[..., 0], slope[..., 0], gain[..., 0])


def full_setups(servers: int) -> Float[np.ndarray, " phases"]:
    """Return ``K - a``: every spare server in setup."""
    return servers - np.arange(servers + 1.0)


def truncated(batch: Points) -> Tail:
    """Return the end of a truncated chain instead: an arrival above the last level is lost."""
    k = batch.servers
    none = np.zeros((len(batch), k + 1))
    return Tail(np.broadcast_to(np.eye(k + 1), (len(batch), k + 1, k + 1)).copy(), none, none, none)


def _growth(
    moves: Float[np.ndarray, "points n n"], first: int = 16
) -> Float[np.ndarray, " points"]:
    """Return a bound on the row-sum norm of every power of ``moves``, per point.

    The powers up to ``first`` directly; a higher one is a product of one of them and of some of
    ``moves^(first 2^i)``, each of which can enlarge by at most ``max(1, norm)``. Infinite if those
    do not shrink.
    """
    norm = lambda m: np.abs(m).sum(axis=2).max(axis=1)  # noqa: E731
    power = moves
    bound = np.maximum(1.0, norm(power))
    for _ in range(first - 1):
        power = power @ moves
        bound = np.maximum(bound, norm(power))
    for _ in range(24):
        size = norm(power)
        bound = bound * np.maximum(1.0, size)
        if (size < 0.5).all():
            return bound
        power = power @ power
    return np.where(size < 0.5, bound, np.inf)


def full_setup_is_optimal(
    batch: Points,
    end: Tail,
    last: Float[np.ndarray, "points phases"],
    cost: Float[np.ndarray, " points"],
    level: int,
    most: int = 200,
) -> Bool[np.ndarray, " points"]:
    """Tell whether full setup is optimal on every level above ``level``, per point.

    ``last`` holds ``h`` on ``level``. What one more active server is worth,
    ``D_n(a) = h_n(a) - h_n(a+1)``, must be at least ``gamma c/alpha + C_a`` for all ``n > level``.
    Its increments obey ``d' = M d + B q`` with ``M = B G B^-1`` and tend to a limit ``e``. Once
    their distance from ``e``, times a bound on the norm of all powers of ``M``, is below
    ``min e``, the increments stay positive for ever and the worth can only grow (ours).
    """

    def above(values: np.ndarray, n: int) -> np.ndarray:
        moved = np.einsum("pab,pb->pa", end.G, values)
        return moved + end.offset + end.slope * n + end.gain * cost[:, None]

    def worth(values: np.ndarray) -> np.ndarray:
        return values[:, :-1] - values[:, 1:]

    price = batch.setup_share * batch.server / batch.setup_rate + batch.allocation
    cumulative = np.cumsum(end.G, axis=2)[:, :, :-1]
    moves = cumulative[:, :-1] - cumulative[:, 1:]
    limit = np.linalg.solve(np.eye(batch.servers) - moves, worth(end.slope)[:, :, None])[..., 0]
    growth = _growth(moves)
    now = above(last, level + 1)
    fine = (worth(now) >= price[:, None] - 1e-9).all(axis=1) & (limit.min(axis=1) > 0)
    settled = np.zeros(len(batch), dtype=bool)
    for n in range(level + 2, level + 2 + most):
        before, now = now, above(now, n)
        fine &= settled | (worth(now) >= price[:, None] - 1e-9).all(axis=1)
        away = np.abs(worth(now - before) - limit).max(axis=1)
        settled |= growth * away <= limit.min(axis=1)
        if (settled | ~fine).all():
            break
    return fine & settled
