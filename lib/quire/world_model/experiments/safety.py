"""The safety kernel under attack, killed, and asked about changes of code and rules."""

from __future__ import annotations

import hashlib
import json
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from quire.checks import integer
from quire.world_model.kernel.client import Kernel
from quire.world_model.kernel.gauntlet import classes
from quire.world_model.kernel.gauntlet.arena import WEAKER, Arena
from quire.world_model.kernel.obligations import Rules, rules, weakening
from quire.world_model.kernel.policy import Policy
from quire.world_model.kernel.proposals import DOMAIN, Outcome, hidden, judge, proposals

TANK = Policy(
    allow_subjects=("worker",),
    allow_actions=("set_flow",),
    levels={"set_flow": 2},
    envelope={"set_flow": {"flow": (0.0, 10.0)}},
)


def attacked(count: int, seed: int) -> list[classes.Tally]:
    """Return the gauntlet's tallies: ``count`` attempts in the paper's classes, and ours beside."""
    fixed = sum(classes.TIER_ONE.values()) + classes.AMBIGUOUS + classes.TIER_TWO
    with tempfile.TemporaryDirectory() as folder:
        rows = classes.run(Path(folder), seed, max(1, integer("count", count, 1) - fixed))
    with tempfile.TemporaryDirectory() as folder:
        three = classes.ambiguous(Path(folder))
    unclear = classes.Tally("floor evasion, ambiguous", len(three), 0, 0, sum(g for _, g in three))
    return [*rows[:2], unclear, *rows[2:]]


@dataclass(frozen=True)
class Weaker:
    """A weaker policy and how many attempts got through."""

    weakness: str
    attempts: int
    escaped: int


def weaker(seed: int, fuzzed: int = 150) -> list[Weaker]:
    """Return what the gauntlet lets through when the policy lacks one thing."""
    rows = []
    for name in WEAKER:
        with tempfile.TemporaryDirectory() as folder:
            told = classes.run(Path(folder), seed, fuzzed, weakened=name)
        rows.append(Weaker(name, sum(r.attempts for r in told), sum(r.escaped for r in told)))
    return rows


def changes(hostile: int, benign: int, killed: int, seed: int) -> list[Outcome]:
    """Return what became of self-modifications: four stages, then the kernel's own grant.

    A proposal that passes the stages is put to a running kernel as ``modify_code``; the last ones
    are put to a kernel whose kill switch was thrown.
    """
    rows = judge(proposals(hostile, benign, seed))
    passed = sum(r.passed for r in rows if not r.hostile)
    with tempfile.TemporaryDirectory() as folder, Arena(Path(folder)) as arena:
        good = dict.fromkeys(("static", "obligations", "sandbox", "regression"), True)
        params = {"module": "tank", "by": "sio", "verification": good}
        granted = sum(arena.granted("modify_code", params, run_id=f"m{k}") for k in range(passed))
        arena.send({"op": "kill"})
        after = sum(arena.granted("modify_code", params, run_id=f"k{k}") for k in range(killed))
    found = [Outcome(r.kind, r.hostile, r.count, r.passed if r.hostile else granted) for r in rows]
    return [*found, Outcome("harmless, after the kill switch", True, killed, after)]


def hidden_changes(count: int, seed: int) -> Outcome:
    """Return what the four stages make of back doors that open between the regression's points."""
    return judge(hidden(integer("count", count, 1), seed))[0]


@dataclass(frozen=True)
class Killed:
    """Kernels killed: actions done, those without an entry, entries without an action."""

    kills: int
    actions: int
    unlogged: int
    entries_alone: int


def kills(count: int, seed: int, answer_first: bool = False) -> Killed:
    """Return what is left when kernels die at random instants, or, to show it, in the worst one.

    Parameters
    ----------
    count
        Kernels.
    seed
        Random seed of the instants.
    answer_first
        The broken order: the kernel then dies between its answer and its entry.
    """
    rng = np.random.default_rng(integer("seed", seed, 0))
    actions = unlogged = alone = 0
    for k in range(integer("count", count)):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "ledger"
            crash = int(rng.integers(2, 30)) if answer_first or k % 2 else 0
            done: list[str] = []
            with (
                Kernel(TANK, log, answer_first, crash) as kernel,
                kernel.client("worker", ("set_flow",), timeout_s=2.0) as client,
            ):
                timer = threading.Timer(float(rng.uniform(0.001, 0.05)), kernel.kill)
                if not crash:
                    timer.start()
                for n in range(2000):
                    told = client.act("set_flow", {"flow": float(n % 9)}, lambda: None)
                    if not told.allowed:
                        break
                    done.append(hashlib.sha256(str(told.token).encode()).hexdigest())
                if not crash:
                    timer.join()
            text = log.read_text().rsplit("\n", 1)[0]
            logged = {json.loads(line).get("token") for line in text.splitlines()}
        actions += len(done)
        unlogged += len(set(done) - logged)
        alone += len(logged - set(done))
    return Killed(count, actions, unlogged, alone)


def request_rate(requests: int, rounds: int) -> Float[np.ndarray, " rounds"]:
    """Return requests a second that one client has granted, signed and logged, for each round."""
    found = []
    with Kernel(TANK) as kernel, kernel.client("worker", ("set_flow",)) as client:
        for _ in range(integer("rounds", rounds)):
            started = time.perf_counter()
            for n in range(requests):
                assert client.authorize("set_flow", {"flow": float(n % 9)}).allowed
            found.append(requests / (time.perf_counter() - started))
    return np.array(found)


def rule_changes(count: int, seed: int) -> list[tuple[Rules, Rules, bool]]:
    """Return random changes: the core, the new rules, and whether we find them weaker."""
    rng = np.random.default_rng(integer("seed", seed, 0))

    def boxes(n: int) -> list[dict[str, tuple[int, int]]]:
        made = []
        for _ in range(n):
            box = {}
            for name, (low, high) in DOMAIN.items():
                if rng.random() < 0.7:
                    a, b = sorted(int(v) for v in rng.integers(low, high + 1, 2))
                    box[name] = (a, b)
            made.append(box)
        return made

    found = []
    for k in range(integer("count", count)):
        denied = boxes(int(rng.integers(1, 6)))
        core = rules(DOMAIN, denied)
        if k % 2:
            wider = [
                {n: (max(DOMAIN[n][0], a - int(rng.integers(3))), b) for n, (a, b) in box.items()}
                for box in denied
            ]
            new = rules(DOMAIN, wider + boxes(1))
        else:
            new = rules(DOMAIN, boxes(int(rng.integers(2, 8))))
        found.append((core, new, weakening(core, new) is not None))
    return found
