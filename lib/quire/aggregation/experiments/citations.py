"""Citation graphs: Cora in OpenFGL's clients, Cora beside CiteSeer, and published numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax  # type: ignore[import-untyped]

from quire.aggregation.clients.local_training import LocalTraining, transformation
from quire.aggregation.clients.networks import GCN, initial
from quire.aggregation.experiments.outcomes import Outcome, outcomes
from quire.aggregation.experiments.tasks import Setting, cut_domains, draws, random_split
from quire.aggregation.graphs.graph import Federation, Graph, Split, federate, stack
from quire.aggregation.intervals import Interval, mean_interval
from quire.aggregation.rounds import Run, Training, train
from quire.aggregation.server.averaging import Averaging
from quire.aggregation.server.ggrs import GGRS
from quire.aggregation.server.servers import Server, fedavg, isolated, regulated, step_matched

HEADS = ("layer2", "bias2")
DOMAIN_CLIENTS, DOMAIN_WIDTH = 5, 32


def domains(graphs: Sequence[Graph], count: int, seed: int) -> dict[int, Federation]:
    """Return draws of the cross-domain task: the same clients, with node splits drawn anew."""
    cut = cut_domains(graphs, DOMAIN_CLIENTS, DOMAIN_WIDTH)
    return {draw: cut.federation(draw) for draw in draws(0, count, seed)}


def across_domains(
    federations: Mapping[int, Federation], servers: Mapping[str, Server], how: Setting
) -> tuple[Outcome, ...]:
    """Train servers on the cross-domain task; the output layer stays with each client."""
    classes = max(f.classes for f in federations.values())
    return outcomes(
        federations, servers, how.network(classes), how.training(personal=HEADS), chunk=10
    )


def on_cora(
    cora: Graph, splits: Sequence[Split], ggrs: GGRS, count: int, seed: int, how: Setting
) -> tuple[Outcome, ...]:
    """Train FedAvg, GGRS and step-matched FedAvg on Cora in the clients that OpenFGL ships.

    Rounds are not audited: with 1,433 words that would be half of the time.
    """
    cut = federate(cora, splits)
    servers = {
        "FedAvg": fedavg(),
        "GGRS": regulated(ggrs),
        "FedAvg, step-matched": step_matched(Averaging(), ggrs),
    }
    federations = dict.fromkeys(draws(0, count, seed), cut)
    return outcomes(
        federations,
        servers,
        how.network(cora.classes),
        how.training(at_once=1, audit=False),
        chunk=1,
    )


def orthogonal(splits: Sequence[Split]) -> float:
    """Return the DI of orthogonal updates, equally long, with these clients' weights."""
    sizes = np.array([len(split.train) for split in splits], float)
    return 1 - float(np.sqrt(np.sum((sizes / sizes.sum()) ** 2)))


def coupled_accuracy(
    cora: Graph, splits: Sequence[Split], count: int, seed: int, how: Setting
) -> np.ndarray:
    """Return FedAvg's accuracy with weight decay coupled into Adam (`adam_l2`), per draw."""
    cut = federate(cora, splits)
    runs = [Run(cut, fedavg(), draw) for draw in draws(0, count, seed)]
    training = how.training(at_once=1, optimiser="adam_l2", audit=False)
    end = train(runs, how.network(cora.classes), training, chunk=1).ending
    return np.average(end.accuracy, axis=-1, weights=np.asarray(cut.test).sum(axis=-1))


def unseen_rows(width: int, how: Setting, seed: int) -> dict[str, float]:
    """Return what training leaves of kernel rows of words that a lone client never sees.

    Such rows get no gradient from data, so their course is the optimiser's alone: it is computed
    exactly, without a graph. The mean norm over rows, by optimiser; its state starts afresh every
    round, as a client's does.
    """
    params = initial(GCN(2, how.hidden), width, jax.random.key(seed))["layer1"]["kernel"]
    found = {}
    for optimiser in ("adamw", "adam_l2"):
        local = how.training(optimiser=optimiser).local
        rows = params
        step = transformation(local)
        for _ in range(how.rounds):
            state = step.init(rows)
            for _ in range(how.epochs):
                change, state = step.update(jnp.zeros_like(rows), state, rows)
                rows = optax.apply_updates(rows, change)
        found[optimiser] = float(jnp.mean(jnp.linalg.norm(rows, axis=1)))
    return found


@dataclass(frozen=True)
class Published:
    """Our accuracy beside one that others published."""

    name: str
    ours: float
    low: float
    high: float
    published: float


def centralised(graph: Graph, public: Split, count: int, published: float) -> Published:
    """Train one GCN on a whole graph and its public split, as Kipf and Welling (2017) do.

    200 steps of Adam with L2 decay, 16 hidden channels, rows of features that sum to one.
    """
    total = np.maximum(graph.features.sum(axis=1, keepdims=True), 1)
    whole = stack(
        [Graph(graph.edges, graph.features / total, graph.labels, graph.classes)], [public]
    )
    local = LocalTraining(1, "adam_l2", 0.01, 5e-4, keep_optimiser=True)
    runs = [Run(whole, fedavg(), draw) for draw in range(count)]
    history = train(runs, GCN(graph.classes, 16), Training(local, 200), chunk=1)
    interval = mean_interval(np.asarray(history.ending.accuracy)[:, 0])
    return Published("whole graph, public split", *interval[:3], published)


def federated_scope(
    graph: Graph, count: int, seed: int, published: Mapping[str, float]
) -> tuple[Published, ...]:
    """Train FedAvg and clients alone as FederatedScope's table does.

    Five Louvain clients, 60/20/20 splits, SGD at rate 0.25, decay 5e-4, 400 rounds of four steps,
    64 hidden channels. Evaluated on the clients' own test nodes, where they use the whole graph.
    """
    local = LocalTraining(4, "sgd", 0.25, 5e-4)
    found = []
    for name, server in (("FedAvg", fedavg()), ("clients alone", isolated())):
        values = []
        for draw in draws(0, count, seed):
            cut = federate(graph, random_split(graph, 5, draw))
            how = Training(local, 400, at_once=1)
            end = train([Run(cut, server, draw)], GCN(graph.classes, 64), how).ending
            values.append(
                float(np.average(end.accuracy[0], weights=np.asarray(cut.test).sum(axis=-1)))
            )
        interval: Interval = mean_interval(np.array(values))
        found.append(Published(name, *interval[:3], published[name]))
    return tuple(found)
