"""What is measured once and stored: the sweep, the map and the published numbers, as plain data.

These take minutes. `measure_sweep`, `measure_map` and `measure_published` make them anew, and every
run of the chapter measures a part of the first two again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from quire.aggregation.clients.networks import GCN
from quire.aggregation.experiments.atlas import RANKS, SPREADS, Place, survey
from quire.aggregation.experiments.citations import HEADS, Published, domains
from quire.aggregation.experiments.tasks import HELPFUL, MIXED, TUNING, Setting, draws
from quire.aggregation.experiments.tuning import Tried, sweep
from quire.aggregation.graphs.graph import Federation, Graph
from quire.aggregation.rounds import Training

DOMAINS = "cross-domain"
SEED = 2602
SWEEP_DRAWS, DOMAIN_DRAWS, MAP_DRAWS = 6, 3, 40


@dataclass(frozen=True)
class Trial:
    """What a task's settings are tried on."""

    federations: dict[int, Federation]
    network: GCN
    training: Training


def trial(task: str, how: Setting, graphs: Sequence[Graph] = ()) -> Trial:
    """Return the tuning draws of a task by name; the cross-domain one needs Cora and CiteSeer."""
    if task == DOMAINS:
        federations = domains(graphs, DOMAIN_DRAWS, SEED + TUNING)
        classes = max(federation.classes for federation in federations.values())
        return Trial(federations, how.network(classes), how.training(personal=HEADS))
    made = {one.name: one for one in (MIXED, HELPFUL)}[task]
    numbers = draws(TUNING, SWEEP_DRAWS, SEED)
    return Trial({d: made.federation(d) for d in numbers}, how.network(), how.training())


def measure_sweep(how: Setting, graphs: Sequence[Graph] = ()) -> dict[str, Any]:
    """Try every setting of every method on every task that can be made here."""
    names = [MIXED.name, HELPFUL.name, *([DOMAINS] if graphs else [])]
    rows: list[Tried] = []
    for name in names:
        on = trial(name, how, graphs)
        rows += sweep(name, on.federations, on.network, on.training)
    return {"setting": asdict(how), "rows": [[*asdict(row).values()] for row in rows]}


def measure_map(how: Setting, count: int = MAP_DRAWS) -> dict[str, Any]:
    """Measure the whole map."""
    places = survey(SPREADS, RANKS, count, SEED, how)
    return {"setting": asdict(how), "rows": [[*asdict(place).values()] for place in places]}


def measure_published(rows: Sequence[Published]) -> dict[str, Any]:
    """Return measurements beside published numbers as plain data."""
    return {"rows": [[*asdict(row).values()] for row in rows]}


def sweep_of(stored: Mapping[str, Any]) -> tuple[Tried, ...]:
    """Return a stored sweep's rows."""
    return tuple(Tried(*row) for row in stored["rows"])


def map_of(stored: Mapping[str, Any]) -> tuple[Place, ...]:
    """Return a stored map's places."""
    return tuple(Place(*row) for row in stored["rows"])


def published_of(stored: Mapping[str, Any]) -> dict[str, Published]:
    """Return stored measurements beside published numbers, by name."""
    return {row[0]: Published(*row) for row in stored["rows"]}


def fits(stored: Mapping[str, Any], how: Setting) -> bool:
    """Return whether something stored was measured with these settings of training."""
    return bool(stored["setting"] == asdict(how))
