"""Predictive control of a pump whose model is wrong, and its programs for another solver."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from quire.checks import integer
from quire.world_model.errors import InfeasibleSafeSet
from quire.world_model.experiments.dosing import (
    CEILING,
    GAMMA,
    K10,
    K12,
    K21,
    MOST,
    VOLUME,
    compartments,
)
from quire.world_model.planning.predictive import Linear, Program, plan, predictive_program

HORIZON = 12
LOW = 1.4  # wishes up to this are far from the ceiling, mg/l


@dataclass(frozen=True)
class Planned:
    """Episodes planned with one barrier.

    Attributes
    ----------
    barrier
        What the barrier is held for.
    episodes
        Their number; half wish for a level far from the ceiling, half for one near or above it.
    violated
        Episodes above the ceiling.
    low_cost
        Mean square of level less wish, over the episodes of low wishes.
    high_cost
        The same over the others, with the wish cut at the ceiling.
    """

    barrier: str
    episodes: int
    violated: int
    low_cost: float
    high_cost: float


def planned_doses(
    episodes: int, seed: int, error: float = 0.1, minutes: int = 60
) -> tuple[list[Planned], list[Program]]:
    """Return what plans without a barrier and with a margin for the model's error achieve.

    The planner knows the nominal rates, measures both compartments, and adds what its last
    prediction missed as a drift. The margin holds the barrier over the next step for all sixteen
    corners of the error's box, and for the nominal model over the horizon. A few of the programs
    come along, for another solver.
    """
    rng = np.random.default_rng(integer("seed", seed, 0))
    count = integer("episodes", episodes, 2)
    pumps = [_model(*rng.uniform(1 - error, 1 + error, 4)) for _ in range(count)]
    wishes = np.where(
        np.arange(count) % 2 == 0, rng.uniform(0.8, LOW, count), rng.uniform(1.9, 2.3, count)
    )
    nominal = _model(1.0, 1.0, 1.0, 1.0)
    sides = np.array(np.meshgrid(*[[1 - error, 1 + error]] * 4)).reshape(4, -1).T
    corners = tuple((_model(*side), 1) for side in sides)
    rows: list[Planned] = []
    programs: list[Program] = []
    for name in ("none", "worst of the models"):
        cost, violated = np.zeros(count), 0
        for k, (pump, wish) in enumerate(zip(pumps, wishes, strict=True)):
            x, drift, top = np.zeros(2), np.zeros(2), 0.0
            for minute in range(minutes):
                model = Linear(nominal.flow, nominal.inputs, drift, nominal.output)
                guards = () if name == "none" else ((model, HORIZON), *corners)
                program = predictive_program(
                    model, x, float(wish), HORIZON, MOST, CEILING, guards, GAMMA
                )
                if guards and minute % 20 == 0 and len(programs) < 40:
                    programs.append(program)
                try:
                    u = np.clip(plan(program)[:1], 0.0, MOST)
                except InfeasibleSafeSet:
                    u = np.zeros(1)  # the backup: stop the pump
                new = pump.flow @ x + pump.inputs @ u
                drift = new - nominal.flow @ x - nominal.inputs @ u
                x = new
                level = float(pump.output @ x)
                top = max(top, level)
                cost[k] += (level - min(wish, CEILING)) ** 2 / minutes
            violated += top > CEILING * (1 + 1e-9)
        low = wishes <= LOW
        rows.append(
            Planned(name, count, int(violated), float(cost[low].mean()), float(cost[~low].mean()))
        )
    return rows, programs


def plan_ms(programs: list[Program], rounds: int) -> Float[np.ndarray, " rounds"]:
    """Return the mean processor milliseconds of solving a program, for each round."""
    found = []
    for _ in range(integer("rounds", rounds)):
        started = time.process_time()
        for program in programs:
            plan(program)
        found.append(1e3 * (time.process_time() - started) / len(programs))
    return np.array(found)


def factor_ms(programs: list[Program], rounds: int) -> float:
    """Return the processor milliseconds of one Cholesky factor: no solver of these takes less."""
    started = time.process_time()
    for _ in range(integer("rounds", rounds)):
        for program in programs:
            np.linalg.cholesky(program.hessian)
    return 1e3 * (time.process_time() - started) / len(programs) / rounds


def _model(k10: float, k12: float, k21: float, volume: float) -> Linear:
    """Return the pump's model with its rates and volume multiplied by these factors."""
    step = compartments(K10 * k10, K12 * k12, K21 * k21)
    output = np.array([1.0 / (VOLUME * volume), 0.0])
    return Linear(step[:2, :2], step[:2, 2:3], np.zeros(2), output)
