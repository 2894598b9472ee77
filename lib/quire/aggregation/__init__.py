"""Aggregation geometry in federated graph neural networks.

What the weighted mean of clients' updates does to the message-passing operators they came from,
and a server that regulates updates before it averages them (GGRS). Read in this order:

1. `errors`       what can be wrong
2. `graphs`       graphs, federations, cuts into clients, generated ones, Planetoid's files
3. `clients`      two-layer GCN and GraphSAGE; a client's round
4. `server`       arithmetic on updates; FedAvg and its rivals; data-free proxies; GGRS
5. `measures`     interference of updates; a round's effect on message passing; sensitivity
6. `rounds`       all rounds, clients and seeds in one program
7. `intervals`    paired intervals over seeds
8. `comparisons`  the rivals that try to explain GGRS away
9. `peers`        the same in PyTorch Geometric; `_client_loop`, the same as a loop over clients
"""

from quire.aggregation._client_loop import client_loop
from quire.aggregation.clients.local_training import Client, LocalTraining, train_client
from quire.aggregation.clients.networks import GCN, GraphSAGE, accuracy, initial, logits
from quire.aggregation.comparisons import Comparison, compare, contest, rivals
from quire.aggregation.errors import GraphError, LeafMismatch, SettingError
from quire.aggregation.graphs.block_models import block_federation, block_model
from quire.aggregation.graphs.graph import (
    Federation,
    Graph,
    Split,
    edge_homophily,
    federate,
    graph_from_adjacency,
    mean_adjacency,
    normalised_adjacency,
    stack,
)
from quire.aggregation.graphs.planetoid import (
    PARTS,
    parse_openfgl_split,
    parse_planetoid,
    parse_split_json,
)
from quire.aggregation.graphs.splits import (
    louvain_communities,
    random_communities,
    rewire,
    spectral_features,
    split_nodes,
    splits_of,
)
from quire.aggregation.intervals import (
    Interval,
    holm,
    mean_interval,
    paired_interval,
    paired_p_value,
)
from quire.aggregation.measures._sensitivity import Sensitivity, drop_edges, sensitivity
from quire.aggregation.measures.audit import RoundAudit, agreement, audit_round, first_order_effect
from quire.aggregation.measures.interference import (
    conflicts,
    cosines,
    destructive_interference,
    energy_ratio,
)
from quire.aggregation.peers.pyg import pyg_federated_averaging
from quire.aggregation.rounds import History, Round, Training, client_updates, clients_of, train
from quire.aggregation.server.averaging import (
    Aggregator,
    Clipped,
    CoordinateMedian,
    FedAvg,
    FedAvgM,
    FedNova,
    OneOf,
    PCGrad,
    StepMatched,
    aggregate,
)
from quire.aggregation.server.ggrs import (
    GGRS,
    Reference,
    ReferenceState,
    ablations,
    align,
    cap,
    confine,
    parts,
    subspace,
)
from quire.aggregation.server.proxies import (
    probe_graphs,
    probe_proxy,
    product_proxy,
    proxy_vector,
    weights_proxy,
)
from quire.aggregation.server.updates import (
    admit,
    check_same_structure,
    gram,
    norm,
    spectral_norm,
    weighted_sum,
)

__all__ = [
    "GCN",
    "GGRS",
    "PARTS",
    "Aggregator",
    "Client",
    "Clipped",
    "Comparison",
    "CoordinateMedian",
    "FedAvg",
    "FedAvgM",
    "FedNova",
    "Federation",
    "Graph",
    "GraphError",
    "GraphSAGE",
    "History",
    "Interval",
    "LeafMismatch",
    "LocalTraining",
    "OneOf",
    "PCGrad",
    "Reference",
    "ReferenceState",
    "Round",
    "RoundAudit",
    "Sensitivity",
    "SettingError",
    "Split",
    "StepMatched",
    "Training",
    "ablations",
    "accuracy",
    "admit",
    "aggregate",
    "agreement",
    "align",
    "audit_round",
    "block_federation",
    "block_model",
    "cap",
    "check_same_structure",
    "client_loop",
    "client_updates",
    "clients_of",
    "compare",
    "confine",
    "conflicts",
    "contest",
    "cosines",
    "destructive_interference",
    "drop_edges",
    "edge_homophily",
    "energy_ratio",
    "federate",
    "first_order_effect",
    "gram",
    "graph_from_adjacency",
    "holm",
    "initial",
    "logits",
    "louvain_communities",
    "mean_adjacency",
    "mean_interval",
    "norm",
    "normalised_adjacency",
    "paired_interval",
    "paired_p_value",
    "parse_openfgl_split",
    "parse_planetoid",
    "parse_split_json",
    "parts",
    "probe_graphs",
    "probe_proxy",
    "product_proxy",
    "proxy_vector",
    "pyg_federated_averaging",
    "random_communities",
    "rewire",
    "rivals",
    "sensitivity",
    "spectral_features",
    "spectral_norm",
    "split_nodes",
    "splits_of",
    "stack",
    "subspace",
    "train",
    "train_client",
    "weighted_sum",
    "weights_proxy",
]
