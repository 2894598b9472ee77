"""Fits on timings: latency and bandwidth of a collective, machine rates, and where curves cross."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy  # scipy.optimize is loaded at its first use, and not by every MPI process
from jaxtyping import Float

from quire.checks import real_array
from quire.signatures import checked
from quire.sketching.bounds.processor_grids import Rates
from quire.sketching.timings.published import SketchTiming


@dataclass(frozen=True)
class MessageTime:
    """Seconds of a collective: constant + alpha messages + beta words."""

    constant: float
    alpha: float
    beta: float

    def seconds(
        self, messages: Float[np.ndarray, " m"], words: Float[np.ndarray, " m"]
    ) -> Float[np.ndarray, " m"]:
        """Return the predicted seconds."""
        return self.constant + self.alpha * messages + self.beta * words


def fit_message_time(
    messages: Float[np.ndarray, " m"],
    words: Float[np.ndarray, " m"],
    seconds: Float[np.ndarray, " m"],
) -> MessageTime:
    """Return the non-negative least squares fit of the relative residuals.

    Raises
    ------
    ValueError
        For fewer than three times, a time that is not positive, or columns of different lengths.
    """
    columns = {"messages": messages, "words": words, "seconds": seconds}
    x, w, t = (real_array(name, column, 1) for name, column in columns.items())
    if not len(x) == len(w) == len(t) >= 3 or not np.all(t > 0):
        raise ValueError(
            f"seconds = {t.tolist()}: 3 or more positive times are allowed, one per message count"
        )
    design = np.stack([np.ones_like(w), x, w], axis=1) / t[:, None]
    scale = np.maximum(design.max(axis=0), 1e-300)
    solution, _ = scipy.optimize.nnls(design / scale, np.ones_like(t))
    constant, alpha, beta = solution / scale
    return MessageTime(float(constant), float(alpha), float(beta))


def flip(
    ranks: Float[np.ndarray, " m"],
    noredist: Float[np.ndarray, " m"],
    redist: Float[np.ndarray, " m"],
) -> tuple[float, float]:
    """Return the neighbouring P between which redist becomes faster for good.

    (0, first P) when it always is; (last P, inf) when it is not at the end.

    Raises
    ------
    ValueError
        When the three columns differ in length, are empty, or are not finite.
    """
    columns = {"ranks": ranks, "noredist": noredist, "redist": redist}
    p, kept, turned = (real_array(name, column, 1) for name, column in columns.items())
    if not len(p) == len(kept) == len(turned):
        raise ValueError(f"redist = {len(turned)} times: as many as ranks, {len(p)}, are allowed")
    order = np.argsort(p)
    slower = np.flatnonzero(turned[order] >= kept[order])
    in_order = p[order]
    if slower.size == 0:
        return 0.0, float(in_order[0])
    last = int(slower[-1])
    after = float(in_order[last + 1]) if last + 1 < len(in_order) else float("inf")
    return float(in_order[last]), after


@checked
def fit_rates(
    regenerated: Iterable[SketchTiming], gathered: Iterable[SketchTiming] | None = None
) -> Rates:
    """Return seconds per word, random number and flop: medians over configurations.

    Random numbers (n2 r per rank) and flops come from the regenerating rows of ``regenerated``;
    words, (1 - 1/P) n2 r, from the gathering rows of ``gathered``, which is the same by default.

    Raises
    ------
    ValueError
        When either kind of row is missing.
    """
    first = tuple(regenerated)
    second = first if gathered is None else tuple(gathered)
    regenerate = [row for row in first if row.variant == "regenerate"]
    gather = [row for row in second if row.variant == "gather" and row.gather > 0]
    if not regenerate or not gather:
        raise ValueError(
            f"regenerated = {len(regenerate)} regenerating rows, gathered = {len(gather)} "
            "gathering ones: at least one of each is needed"
        )
    return Rates(
        word=_median(row.gather / ((1 - 1 / row.ranks) * row.n2 * row.r) for row in gather),
        random_number=_median(row.generate / (row.n2 * row.r) for row in regenerate),
        flop=_median(
            row.multiply * row.ranks / (2.0 * row.n1 * row.n2 * row.r) for row in regenerate
        ),
    )


def _median(values: Iterable[float]) -> float:
    return float(np.median(np.fromiter(values, float)))
