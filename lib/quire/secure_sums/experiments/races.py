"""Sums against the clock: with dealt pads, with none, with pairwise masks, and by MPyC.

Kinds of masks take turns between the same processes, on the same connections, in an order that is
shuffled anew for every repetition; all users start a round at one instant.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from quire.checks import integer
from quire.secure_sums.experiments.sessions import words_of
from quire.secure_sums.linear.zero_sum import draw_pads
from quire.secure_sums.peers.mpyc import mpyc_inputs, mpyc_sum
from quire.secure_sums.wire.mesh import run_mesh
from quire.secure_sums.wire.node import Masks

KINDS: tuple[Masks, ...] = ("dealt", "none", "pairwise")


def median_interval(values: Iterable[float]) -> tuple[float, float]:
    """Return an interval for the median that ranks give, of at least 95 % where there are six.

    With fewer values it is from the smallest to the largest (94 % for five).

    Raises
    ------
    ValueError
        When there is no value.
    """
    ranked = sorted(values)
    if not ranked:
        raise ValueError("values has no entry: at least one is needed")
    outside = max(0, int(binom.ppf(0.025, len(ranked), 0.5)) - 1)
    return ranked[outside], ranked[-1 - outside]


@dataclass(frozen=True)
class Pace:
    """Seconds of a round, repetition by repetition.

    Attributes
    ----------
    seconds
        One number per repetition, by kind of masks.
    """

    seconds: Mapping[str, tuple[float, ...]]

    def ratio(self, mine: str, other: str) -> tuple[float, tuple[float, float]]:
        """Return the median over the repetitions of the ratio of two kinds, and its interval."""
        pairs = zip(self.seconds[mine], self.seconds[other], strict=True)
        found = [a / b for a, b in pairs]
        return float(np.median(found)), median_interval(found)

    def milliseconds(self) -> list[dict[str, object]]:
        """Return one row per kind: median, smallest and largest."""
        return [
            {
                "masks": kind,
                "median": 1e3 * float(np.median(times)),
                "least": 1e3 * min(times),
                "most": 1e3 * max(times),
            }
            for kind, times in self.seconds.items()
        ]


def paces(users: int, length: int, seed: int, repetitions: int = 15) -> Pace:
    """Time sums with dealt pads, with none, and with pairwise seeds, in turn.

    One session makes all rounds. In each repetition every kind has one round, in an order drawn
    anew; a first repetition, in which memory is touched, is left out.

    Raises
    ------
    ArithmeticError
        When a user's sum is wrong, whatever the masks.
    ValueError
        When a number is out of its range.
    """
    repetitions = integer("repetitions", repetitions, 1)
    rng = np.random.default_rng(seed)
    order = [KINDS[i] for _ in range(repetitions + 1) for i in rng.permutation(len(KINDS))]
    words = words_of(users, length, seed)
    run = run_mesh(words, rounds=len(order), masks=order, timeout=60.0)
    right = bool((run.totals == words.sum(axis=0, dtype=np.uint32)).all())
    if not (run.agreed and right and len(set(run.reports[0].digests)) == 1):
        raise ArithmeticError("a sum of the race is wrong")
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in range(len(KINDS), len(run.seconds)):
        seconds[order[number]].append(run.seconds[number])
    return Pace({kind: tuple(times) for kind, times in seconds.items()})


@dataclass(frozen=True)
class MpycRace:
    """Seconds of the same sum by MPyC and by ours, one pair per repetition.

    Attributes
    ----------
    bytes_per_word
        That MPyC's first party sent for each word and peer; ours sends 4.
    theirs
        Seconds of MPyC's sums.
    ours
        Seconds of ours, those of drawing the pads included.
    """

    bytes_per_word: float
    theirs: tuple[float, ...]
    ours: tuple[float, ...]

    @property
    def times_faster(self) -> tuple[float, tuple[float, float]]:
        """Median ratio, and its interval."""
        found = [t / o for t, o in zip(self.theirs, self.ours, strict=True)]
        return float(np.median(found)), median_interval(found)


def mpyc_race(users: int, length: int, seed: int, repetitions: int = 15) -> MpycRace:
    """Time sums of the same vectors by MPyC's processes and by ours, one after the other in each.

    The first sum of each, in which memory is touched, is left out. To ours is added what it takes
    to draw the pads of one sum, since MPyC draws its shares within its time.

    Raises
    ------
    RuntimeError
        When MPyC is not installed or a party fails.
    ArithmeticError
        When a sum is wrong, of MPyC or ours.
    ValueError
        When a number is out of its range.
    """
    repetitions = integer("repetitions", repetitions, 1)
    peer = mpyc_sum(users, length, seed, repetitions + 1)
    words = mpyc_inputs(users, length, seed)
    run = run_mesh(words, rounds=repetitions + 1, timeout=60.0)
    drawing = []
    for _ in range(repetitions):
        started = time.perf_counter()
        draw_pads(users, length)
        drawing.append(time.perf_counter() - started)
    right = bool((run.totals == words.sum(axis=0, dtype=np.uint32)).all())
    if not (peer.right and run.agreed and right):
        raise ArithmeticError("a sum of the race is wrong")
    return MpycRace(
        bytes_per_word=peer.sent_bytes / length / (users - 1),
        theirs=peer.seconds[1:],
        ours=tuple(a + b for a, b in zip(run.seconds[1:], drawing, strict=True)),
    )
