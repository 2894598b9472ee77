"""An infusion pump whose model is wrong: a dose under a barrier, with and without a margin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from quire.checks import integer
from quire.world_model.errors import InfeasibleSafeSet
from quire.world_model.planning.barriers import nearest_safe

K10, K12, K21, VOLUME = 0.1, 0.2, 0.05, 15.0  # 1/min, 1/min, 1/min, litres
CEILING, STEP, GAMMA, MOST = 2.0, 1.0, 0.3, 20.0  # mg/l, min, -, mg/min


@dataclass(frozen=True)
class Dosing:
    """Episodes, how many went above the ceiling, the highest level, how often wishes changed."""

    barrier: str
    episodes: int
    violated: int
    highest: float
    changed: float


def dosing(episodes: int, seed: int, error: float = 0.1, minutes: int = 120) -> list[Dosing]:
    """Return three ways to dose towards a wished level near the ceiling, on pumps with other rates.

    The barrier is ``h = ceiling - level``; its next value, by the nominal model and from the
    measured state, must be at least ``(1 - gamma) h``. With a margin it must be so for the worst of
    the models that the error allows.
    """
    rng = np.random.default_rng(integer("seed", seed, 0))
    plants = [
        (
            compartments(*(np.array([K10, K12, K21]) * rng.uniform(1 - error, 1 + error, 3))),
            VOLUME * rng.uniform(1 - error, 1 + error),
        )
        for _ in range(integer("episodes", episodes))
    ]
    corners = [
        (compartments(*(np.array([K10, K12, K21]) * np.array(signs[:3]))), VOLUME * signs[3])
        for signs in np.array(np.meshgrid(*[[1 - error, 1 + error]] * 4)).reshape(4, -1).T
    ]
    nominal = [(compartments(K10, K12, K21), VOLUME)]
    rows = []
    for name, models in (
        ("none", []),
        ("nominal model", nominal),
        ("worst of the models", corners),
    ):
        violated, highest, changed, total = 0, 0.0, 0, 0
        for (step, volume), wish in zip(plants, rng.uniform(1.5, 2.2, len(plants)), strict=True):
            x, top = np.zeros(2), 0.0
            for _ in range(minutes):
                level = x[0] / volume
                wanted = np.array([np.clip(K10 * wish * VOLUME + 3.0 * (wish - level), 0.0, MOST)])
                u = wanted
                if models:
                    u, moved = _filtered(wanted, x, models)
                    changed, total = changed + moved, total + 1
                x = step[:2, :2] @ x + step[:2, 2] * u[0]
                top = max(top, x[0] / volume)
            violated += top > CEILING * (1 + 1e-9)
            highest = max(highest, top)
        rows.append(Dosing(name, episodes, int(violated), float(highest), changed / max(total, 1)))
    return rows


def _filtered(
    wanted: np.ndarray, x: np.ndarray, models: list[tuple[np.ndarray, float]]
) -> tuple[np.ndarray, bool]:
    rows, least = [[1.0], [-1.0]], [0.0, -MOST]
    for step, volume in models:
        h = CEILING - x[0] / volume
        free = (step[0, :2] @ x) / volume
        rows.append([-step[0, 2] / volume])
        least.append((1 - GAMMA) * h - CEILING + free)
    try:
        found = nearest_safe(wanted, np.array(rows), np.array(least))
    except InfeasibleSafeSet:
        return np.zeros(1), True  # the backup: stop the pump
    return found.input, found.changed


def compartments(k10: float, k12: float, k21: float) -> np.ndarray:
    """Return the exact step of the two compartments and their input, shape (3, 3)."""
    a = np.array([[-(k10 + k12), k21, 1.0], [k12, -k21, 0.0], [0.0, 0.0, 0.0]])
    return np.asarray(scipy.linalg.expm(STEP * a))
