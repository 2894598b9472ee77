"""The same tuning budget for every method, and one rule to choose by.

Each method gets `BUDGET` settings on the same tuning draws. Chosen is the setting with the largest
structural sensitivity among those whose validation accuracy, in the mean over draws, is at most a
point below plain FedAvg's: structure is what the paper promises, accuracy the constraint.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from quire.aggregation.clients.networks import GCN
from quire.aggregation.errors import SettingError
from quire.aggregation.experiments.outcomes import measured, outcomes
from quire.aggregation.graphs.graph import Federation
from quire.aggregation.rounds import Training
from quire.aggregation.server.averaging import Averaging
from quire.aggregation.server.ggrs import GGRS
from quire.aggregation.server.servers import Server, fedavg, regulated

BUDGET = 63
ALLOWED = 0.01  # accuracy that a setting may cost, against plain FedAvg


@dataclass(frozen=True)
class Tried:
    """One setting of one method: means over the tuning draws."""

    task: str
    method: str
    place: int  # among the method's settings
    validation: float
    change: float
    centred: float


def candidates() -> dict[str, tuple[Server, ...]]:
    """Return `BUDGET` settings of every method."""
    rates = tuple(float(x) for x in np.geomspace(0.125, 8, BUDGET))
    coarse = tuple(float(x) for x in np.geomspace(0.125, 8, 7))
    nine = tuple(float(x) for x in np.linspace(0, 0.8, 9))
    clips = tuple(float(x) for x in np.geomspace(0.125, 2, 9))
    pulls = tuple(float(x) for x in np.geomspace(0.001, 10, 9))
    spaces = ((16, 1.0), *product((2, 3, 8), (0.5, 0.0)))
    return {
        "GGRS": tuple(
            regulated(GGRS(tau, rank, gamma, kappa))
            for tau, (rank, gamma), kappa in product((-1.0, 0.0, 0.3), spaces, (math.inf, 1.0, 0.5))
        ),
        "FedAvg": tuple(fedavg(rate) for rate in rates),
        "FedAvgM": tuple(
            Server(Averaging(rate, momentum)) for momentum, rate in product(nine, coarse)
        ),
        "clipped": tuple(
            Server(Averaging(rate, clip=clip)) for clip, rate in product(clips, coarse)
        ),
        "FedProx": tuple(
            Server(Averaging(rate), proximal=mu) for mu, rate in product(pulls, coarse)
        ),
        "PCGrad": tuple(Server(Averaging(rate, surgery=1.0)) for rate in rates),
    }


def sweep(
    task: str,
    federations: Mapping[int, Federation],
    network: GCN,
    training: Training,
    places: Sequence[tuple[str, int]] | None = None,
) -> tuple[Tried, ...]:
    """Try settings on tuning draws: all of them, or those named by method and place."""
    known = candidates()
    wanted = places or [(method, place) for method, of in known.items() for place in range(len(of))]
    servers = {f"{method}/{place}": known[method][place] for method, place in wanted}
    every = {**servers, "plain": fedavg()}
    rows = outcomes(federations, every, network, training, alone=False)
    table = {name: measured(rows, name) for name in ("validation", "change", "centred")}
    return tuple(
        Tried(task, server.split("/")[0], int(server.split("/")[1]),
              *(round(float(table[name][server].mean()), 5) for name in table))
        for server in servers
    )  # fmt: skip


def chosen(rows: Iterable[Tried], task: str, measure: str = "change") -> dict[str, Tried]:
    """Return every method's chosen setting for a task.

    The largest ``measure`` (``change`` or ``centred``) among settings whose validation accuracy is
    at most a point below FedAvg's at rate 1. A method none of whose settings keeps it gets its most
    accurate one.

    Raises
    ------
    SettingError
        When the rows hold nothing about the task.
    """
    mine = [row for row in rows if row.task == task]
    if not mine:
        raise SettingError(f"task = {task!r}: the sweep has no such task")
    plain = next(row for row in mine if (row.method, row.place) == ("FedAvg", BUDGET // 2))
    least = plain.validation - ALLOWED
    found = {}
    for method in dict.fromkeys(row.method for row in mine):
        of = [row for row in mine if row.method == method]
        able = [row for row in of if row.validation >= least]
        found[method] = (
            max(able, key=lambda row: getattr(row, measure))
            if able
            else max(of, key=lambda row: row.validation)
        )
    return found


def servers_of(found: Mapping[str, Tried]) -> dict[str, Server]:
    """Return the servers with the chosen settings."""
    known = candidates()
    return {method: known[method][row.place] for method, row in found.items()}


def in_words(server: Server) -> str:
    """Return the numbers of a server that are not its defaults, as a reader would write them."""
    ggrs, mean = server.ggrs, server.averaging
    if server.direction:
        cap = "no cap" if math.isinf(ggrs.kappa) else f"κ = {ggrs.kappa:g}"
        turn = "no alignment" if ggrs.tau == -1 else f"τ = {ggrs.tau:g}"
        space = "no subspace" if ggrs.gamma == 1 else f"r = {ggrs.rank:g}, γ = {ggrs.gamma:g}"
        return f"{turn}; {space}; {cap}"
    told = {
        "rate": mean.rate,
        "momentum": mean.momentum or None,
        "clip": None if math.isinf(mean.clip) else mean.clip,
        "μ": server.proximal or None,
    }
    return ", ".join(f"{name} {value:.3g}" for name, value in told.items() if value is not None)


def disagreement(stored: Iterable[Tried], anew: Iterable[Tried]) -> float:
    """Return the largest difference between stored and newly tried settings, in any number."""
    before = {(row.task, row.method, row.place): row for row in stored}
    gaps = [
        abs(getattr(row, name) - getattr(before[row.task, row.method, row.place], name))
        for row in anew
        for name in ("validation", "change", "centred")
    ]
    return max(gaps)
