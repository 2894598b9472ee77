"""GGRS against what could explain it away, on draws that no setting was chosen on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quire.aggregation.experiments.outcomes import Outcome, against, measured
from quire.aggregation.intervals import mean_interval
from quire.aggregation.server.ggrs import ablations
from quire.aggregation.server.servers import Server, fedavg, regulated, step_matched

STEP_MATCHED = "FedAvg, step-matched"


def field(chosen: Mapping[str, Server]) -> dict[str, Server]:
    """Return all servers of the contest, from every method's chosen setting.

    Besides the tuned methods: plain FedAvg; averages with GGRS's own step length (step-matched);
    GGRS's direction with FedAvg's step length; and GGRS with one of its three steps at a time.
    """
    ggrs = chosen["GGRS"].ggrs
    named = {"GGRS": chosen["GGRS"], "FedAvg": fedavg()}
    named |= {f"{name}, tuned": one for name, one in chosen.items() if name != "GGRS"}
    for name in ("FedAvg", "FedAvgM", "clipped"):
        averaging = fedavg().averaging if name == "FedAvg" else chosen[name].averaging
        named[f"{name}, step-matched"] = step_matched(averaging, ggrs)
    named["GGRS's direction, FedAvg's step"] = Server(ggrs=ggrs, direction=1.0, length=0.0)
    named |= {name: regulated(one) for name, one in ablations(ggrs).items()}
    return named


@dataclass(frozen=True)
class Duel:
    """GGRS minus one rival in one measure: paired over draws, p-values after Holm."""

    rival: str
    difference: float
    low: float
    high: float
    p: float
    ggrs_is: str


def duels(rows: Sequence[Outcome], measure: str, factor: float = 1.0) -> tuple[Duel, ...]:
    """Return GGRS minus every rival in a measure, times a factor."""
    return tuple(
        Duel(
            found.rival,
            factor * found.difference.mean,
            factor * found.difference.low,
            factor * found.difference.high,
            found.p_value,
            found.verdict,
        )
        for found in against(rows, "GGRS", measure).values()
    )


@dataclass(frozen=True)
class Acted:
    """In which share of clients' kernels, after the first round, each step of GGRS acted."""

    server: str
    aligned: float
    confined: float
    capped: float


def activity(rows: Sequence[Outcome]) -> tuple[Acted, ...]:
    """Return the activation rates of GGRS and of its parts, means over draws."""
    names = ("aligned", "confined", "capped")
    table = {name: measured(rows, name) for name in names}
    wanted = ("GGRS", "direction only", "subspace only", "sensitivity only")
    return tuple(
        Acted(server, *(float(table[name][server].mean()) for name in names))
        for server in wanted
        if server in table["aligned"]
    )


def best_part(rows: Sequence[Outcome], measure: str) -> str:
    """Return which of GGRS's parts alone has the largest mean of a measure."""
    values = measured(rows, measure)
    parts = ("direction only", "subspace only", "sensitivity only")
    return max(parts, key=lambda name: values[name].mean())


def gap(
    rows: Sequence[Outcome], one: str, other: str, measure: str
) -> tuple[float, tuple[float, float]]:
    """Return the mean difference of two servers in a measure, and its 95 % interval."""
    values = measured(rows, measure)
    found = mean_interval(values[one] - values[other])
    return found.mean, (found.low, found.high)
