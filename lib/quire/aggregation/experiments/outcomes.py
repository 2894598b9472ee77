"""What every run is asked when its last round is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import jax
import numpy as np
from jaxtyping import Float

from quire.aggregation.clients.networks import GCN
from quire.aggregation.errors import SettingError
from quire.aggregation.graphs.graph import Federation
from quire.aggregation.intervals import Comparison, compare, mean_interval
from quire.aggregation.measures.edges import centred, fidelity, relative_change
from quire.aggregation.rounds import History, Run, Training, train
from quire.aggregation.server.servers import Server, isolated

ALONE = "clients alone"
CHUNK = 20  # runs that one program trains side by side; one number, so that it compiles once


@dataclass(frozen=True)
class Outcome:
    """One run: a server on one draw; means over clients unless said otherwise.

    Attributes
    ----------
    server, draw
        Which.
    accuracy, validation
        On test and validation nodes, after the last round.
    change
        Structural sensitivity: the relative change of the logits when all edges go.
    centred
        The same of logits less their mean over classes, which is all that predictions depend on.
    fidelity
        Cosine of the (centred) response to edges with that of the clients' own networks.
    reliance
        Accuracy with edges minus accuracy without; negative where edges mislead.
    coherence
        MPC, mean over rounds; NaN where it was not audited or nobody follows the server.
    interference, conflict
        DI and NEG, means over rounds.
    aligned, confined, capped
        Shares in which GGRS's steps acted.
    """

    server: str
    draw: int
    accuracy: float
    validation: float
    change: float
    centred: float
    fidelity: float
    reliance: float
    coherence: float
    interference: float
    conflict: float
    aligned: float
    confined: float
    capped: float


def outcomes(
    federations: Mapping[int, Federation],
    servers: Mapping[str, Server],
    network: GCN,
    training: Training,
    chunk: int = CHUNK,
    *,
    alone: bool = True,
) -> tuple[Outcome, ...]:
    """Train every server on every draw, and clients alone beside them, with one program.

    Parameters
    ----------
    federations
        By draw, all of one shape.
    servers
        By name, of one structure.
    network, training
        What is trained, and how.
    chunk
        Runs side by side.
    alone
        Whether clients train alone, too; without them there is no fidelity (NaN).
    """
    template = next(iter(servers.values()))
    named = {ALONE: _like(template, isolated()), **servers} if alone else dict(servers)
    runs = [
        Run(federation, server, draw)
        for draw, federation in federations.items()
        for server in named.values()
    ]
    return outcomes_of(runs, [*named], network, training, chunk)


def outcomes_of(
    runs: Sequence[Run],
    names: Sequence[str],
    network: GCN,
    training: Training,
    chunk: int = CHUNK,
) -> tuple[Outcome, ...]:
    """Train runs with one program; ``names`` are those of their servers, over and over."""
    history = train(runs, network, training, chunk=chunk)
    real = np.stack([np.asarray(run.federation.real) for run in runs])
    return tuple(_read(history, real, runs, names))


def measured(rows: Iterable[Outcome], name: str) -> dict[str, Float[np.ndarray, " S"]]:
    """Return one measure of every server as an array over draws.

    Raises
    ------
    SettingError
        For a measure that outcomes do not have.
    """
    known = [field.name for field in fields(Outcome)][2:]
    if name not in known:
        raise SettingError(f"name = {name!r}: give one of {', '.join(known)}")
    found: dict[str, list[float]] = {}
    for row in rows:
        found.setdefault(row.server, []).append(getattr(row, name))
    return {server: np.array(values) for server, values in found.items()}


@dataclass(frozen=True)
class Standing:
    """One server's means over draws, each with the half width of its 95 % interval."""

    server: str
    accuracy: str
    change: str
    centred: str
    fidelity: str
    coherence: str
    interference: str
    conflict: str


def standings(rows: Sequence[Outcome]) -> tuple[Standing, ...]:
    """Return every server's means with intervals, as text, in the servers' order."""
    columns = [field.name for field in fields(Standing)][1:]
    table = {name: measured(rows, name) for name in columns}

    def told(values: Float[np.ndarray, " S"], digits: int, factor: float) -> str:
        if np.isnan(values).any():
            return ""
        found = mean_interval(factor * values)
        return f"{found.mean:.{digits}f} ± {found.high - found.mean:.{digits}f}"

    return tuple(
        Standing(
            server,
            *(
                told(table[name][server], 1 if name == "accuracy" else 3,
                     100.0 if name == "accuracy" else 1.0)
                for name in columns
            ),
        )
        for server in table["accuracy"]
    )  # fmt: skip


def against(rows: Sequence[Outcome], ours: str, name: str) -> dict[str, Comparison]:
    """Compare one server with all others in one measure, p-values after Holm."""
    values = measured(rows, name)
    others = {
        server: theirs
        for server, theirs in values.items()
        if server not in (ours, ALONE) and not np.isnan(theirs).any()
    }
    return {found.rival: found for found in compare(values[ours], others)}


def _read(
    history: History, real: np.ndarray, runs: Sequence[Run], names: Sequence[str]
) -> Iterable[Outcome]:
    history = jax.tree.map(np.asarray, history)
    end = history.ending
    change = relative_change(end.scores, end.bare, real).mean(axis=-1)
    scores, bare = centred(end.scores), centred(end.bare)
    visible = relative_change(scores, bare, real).mean(axis=-1)
    response = scores - bare
    alike = np.full(len(runs), np.nan)
    if names[0] == ALONE:  # the first server is nobody
        own = np.repeat(response[:: len(names)], len(names), axis=0)
        alike = np.asarray(fidelity(response, own, real)).mean(axis=-1)
    audit = history.rounds.audit
    for place, run in enumerate(runs):
        weights = np.asarray(run.federation.test).sum(axis=-1)
        name = names[place % len(names)]
        coherent = audit is not None and name != ALONE
        aligned, confined, capped = (float(x) for x in history.activity[place])
        yield Outcome(
            name,
            run.seed,
            float(np.average(end.accuracy[place], weights=weights)),
            float(np.mean(end.validation[place])),
            float(change[place]),
            float(visible[place]),
            float(alike[place]),
            float(np.average(end.accuracy[place] - end.bare_accuracy[place], weights=weights)),
            float(np.mean(audit.coherence[place])) if coherent and audit else float("nan"),
            float(np.mean(history.rounds.interference[place])),
            float(np.mean(history.rounds.conflict[place])),
            aligned,
            confined,
            capped,
        )


def _like(template: Server, server: Server) -> Server:
    """Return a server with the template's static settings, so that both stack."""
    static = {name: getattr(template.ggrs, name) for name in ("proxies", "network", "centre")}
    return replace(server, ggrs=replace(server.ggrs, **static))
