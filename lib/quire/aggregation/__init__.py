"""Aggregation geometry in federated graph neural networks.

What the weighted mean of clients' updates does to the message-passing operators they came from,
and a server that regulates updates before it averages them (GGRS). Read in this order:

1. `errors`               what can be wrong
2. `graphs`               graphs, federations, the propagation operator and its norm
3. `splits`               cuts into clients; rewiring; per-client projections
4. `block_models`         generated federations with heterogeneity as a knob
5. `planetoid`            Planetoid's files and OpenFGL's split, from bytes
6. `networks`             two-layer GCN and GraphSAGE
7. `updates`              arithmetic on clients' updates; which are admitted
8. `averaging`            FedAvg, FedAvgM, FedNova, clipping, median, PCGrad; step matching
9. `proxies`              data-free images of an update
10. `reference_structure` GGRS: alignment, subspace, sensitivity
11. `local_training`      a client's round; FedProx and SCAFFOLD
12. `interference`        how much updates get in one another's way
13. `audit`               a round's exact first-order effect on each client's message passing
14. `rounds`              all rounds, clients and seeds in one program
15. `sensitivity`         how much answers hang on edges
16. `intervals`           paired intervals over seeds
17. `falsification`       the protocol that tries to explain GGRS away
18. `client_loop`         the same training as a loop over clients
19. `pyg_peer`            the same in PyTorch Geometric
"""

from quire.aggregation.audit import RoundAudit, agreement, audit_round, first_order_effect
from quire.aggregation.averaging import (
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
from quire.aggregation.block_models import block_federation, block_model
from quire.aggregation.client_loop import client_loop
from quire.aggregation.errors import GraphError, LeafMismatch, SettingError
from quire.aggregation.falsification import Comparison, compare, contest, rivals
from quire.aggregation.graphs import (
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
from quire.aggregation.interference import (
    conflicts,
    cosines,
    destructive_interference,
    dirichlet_energy,
    effective_rank,
    energy_ratio,
    lipschitz_bound,
)
from quire.aggregation.intervals import (
    Interval,
    holm,
    mean_interval,
    paired_interval,
    paired_p_value,
)
from quire.aggregation.local_training import Client, LocalTraining, train_client
from quire.aggregation.networks import GCN, GraphSAGE, accuracy, initial, logits
from quire.aggregation.planetoid import (
    PARTS,
    parse_openfgl_split,
    parse_planetoid,
    parse_split_json,
)
from quire.aggregation.proxies import (
    probe_graphs,
    probe_proxy,
    product_proxy,
    proxy_vector,
    weights_proxy,
)
from quire.aggregation.pyg_peer import pyg_federated_averaging
from quire.aggregation.reference_structure import (
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
from quire.aggregation.rounds import History, Round, client_updates, clients_of, train
from quire.aggregation.sensitivity import Sensitivity, drop_edges, influence, sensitivity
from quire.aggregation.splits import (
    louvain_communities,
    random_communities,
    rewire,
    spectral_features,
    split_nodes,
    splits_of,
)
from quire.aggregation.updates import (
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
    "dirichlet_energy",
    "drop_edges",
    "edge_homophily",
    "effective_rank",
    "energy_ratio",
    "federate",
    "first_order_effect",
    "gram",
    "graph_from_adjacency",
    "holm",
    "influence",
    "initial",
    "lipschitz_bound",
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
