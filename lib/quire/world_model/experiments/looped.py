"""The loop on two tanks whose outlet clogs: what learning, forgetting and asking are worth."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quire.checks import integer
from quire.world_model.experiments.tank_pair import BRIM
from quire.world_model.kernel.client import Client, Kernel
from quire.world_model.kernel.policy import Barrier, Policy
from quire.world_model.loop import aara

RULES = Policy(
    allow_subjects=("aara",),
    allow_actions=("set_flow",),
    levels={"set_flow": 2},
    envelope={"set_flow": {"flow": (0.0, aara.MOST)}},
    barriers=(Barrier("set_flow", {"upper": -1.0, "lower": -1.0, "flow": -aara.FILLING}, -BRIM),),
    exact=True,
)
RATES = (0.3, 0.3)  # outflow of the upper and the lower tank, sqrt(dm) a step
CLOGGED = 0.6  # share that is left of the lower outlet
HELD = 30  # steps for which a wish stays
ATTAINABLE, GREEDY = (1.5, 4.5), (5.0, 8.0)  # wishes that the kernel's rule leaves room for, or not
WAYS = ("learns and forgets", "learns, forgets nothing", "learns nothing")


@dataclass(frozen=True)
class Looped:
    """One run of the loop.

    Attributes
    ----------
    way
        What it may do.
    seed
        Of sensors, wishes and the moment of the change.
    before, after
        Root mean square of level less wish in the lower tank (dm), over the second half of every
        wish's time: before the change, and from 20 steps after it on.
    delay
        Steps from the change to the first forgetting; -1 where there was none.
    false_alarms
        Times it learned anew before the change, its first 30 steps aside.
    asked
        Times it asked for a person.
    refused, unlogged
        Plans that the kernel refused; actions without an entry in its ledger.
    breaches, excess
        Steps after which all water would not have found room in the lower tank; by how much at most
        (dm). The kernel knows the levels that the loop believes, which noise keeps from the true.
    chain
        Hash of the whole run.
    """

    way: str
    seed: int
    before: float
    after: float
    delay: int
    false_alarms: int
    asked: int
    refused: int
    unlogged: int
    breaches: int
    excess: float
    chain: str


def loop_runs(
    seeds: Sequence[int],
    ticks: int = 240,
    ways: Sequence[str] = WAYS,
    wishes: tuple[float, float] = ATTAINABLE,
    kernel: bool = True,
) -> list[Looped]:
    """Return the runs of every way for every seed, through one kernel with one ledger.

    Wishes for the lower level are drawn between two numbers. Without the kernel the plan has no
    barrier either: that is the control.
    """
    if not kernel:
        return [_run(way, s, ticks, wishes, None)[0] for way in ways for s in seeds]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "ledger"
        with Kernel(RULES, log) as running, running.client("aara", ("set_flow",)) as client:
            made = [_run(way, s, ticks, wishes, client) for way in ways for s in seeds]
        entries = {json.loads(line).get("token") for line in log.read_text().splitlines()}
    return [
        Looped(**{**run.__dict__, "unlogged": len([t for t in done if t not in entries])})
        for run, done in made
    ]


def _run(
    way: str, seed: int, ticks: int, between: tuple[float, float], client: Client | None
) -> tuple[Looped, list[str]]:
    rng = np.random.default_rng(integer("seed", seed, 0))
    change = integer("ticks", ticks, 60) // 2 + int(rng.integers(-10, 11))
    wishes = np.repeat(rng.uniform(*between, 1 + ticks // HELD), HELD)[:ticks]
    noise = rng.normal(0.0, aara.NOISE, (ticks + 1, 2))
    levels, flow = np.array([2.0, 2.0]), 0.0
    mind = aara.newborn(levels + noise[0])
    errors, done = [], []
    delay, false, asked, refused, breaches, excess = -1, 0, 0, 0, 0, 0.0
    fixed = aara.coefficients(mind)
    for t in range(ticks):
        theta = fixed if way == WAYS[2] and t >= change - 10 else aara.coefficients(mind)
        fixed = theta
        choice = "act"
        if t:
            mind = aara.believe(mind, levels + noise[t], flow, theta)
            if way != WAYS[2] or t < change - 10:
                mind, choice = aara.learn(mind, way == WAYS[0])
        theta = fixed if way == WAYS[2] and t >= change - 10 else aara.coefficients(mind)
        asked += choice == "ask"
        if choice == "learn":
            false += HELD <= t < change
            delay = t - change if t >= change and delay < 0 else delay
        ceiling = BRIM - 1e-6 if client else np.inf  # the plan stays clear of the rule by a hair
        # who has asked a person goes on as before until there is an answer
        wanted = flow if choice == "ask" else aara.planned(mind, theta, float(wishes[t]), ceiling)
        flow, reason = wanted, "unasked"
        if client is not None:
            upper, lower = (float(v) for v in mind.levels)
            told = client.act(
                "set_flow", {"flow": wanted, "upper": upper, "lower": lower}, lambda: None
            )
            reason = told.reason
            if told.allowed:
                done.append(hashlib.sha256(str(told.token).encode()).hexdigest())
            else:
                refused, flow = refused + 1, 0.0
        mind = aara.entered(mind, flow, choice, reason)
        outlet = RATES[1] * (CLOGGED if t >= change else 1.0)
        levels = _step(levels, flow, outlet)
        breaches += bool(levels.sum() > BRIM + 1e-9)
        excess = max(excess, float(levels.sum()) - BRIM)
        errors.append(float(levels[1] - wishes[t]))
    settled = np.arange(ticks) % HELD >= HELD // 2
    error, early = np.array(errors), np.arange(ticks) < change
    told_before = error[settled & early & (np.arange(ticks) >= HELD)]
    told_after = error[settled & (np.arange(ticks) >= change + 20)]
    return (
        Looped(
            way,
            seed,
            float(np.sqrt(np.mean(told_before**2))),
            float(np.sqrt(np.mean(told_after**2))),
            delay,
            false,
            asked,
            refused,
            0,
            breaches,
            excess,
            mind.chain,
        ),
        done,
    )


def _step(levels: np.ndarray, flow: float, outlet: float) -> np.ndarray:
    down = min(RATES[0] * np.sqrt(max(levels[0], 0.0)), levels[0])
    out = min(outlet * np.sqrt(max(levels[1], 0.0)), levels[1])
    return np.array([levels[0] + aara.FILLING * flow - down, levels[1] + down - out])
