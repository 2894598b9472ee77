"""Aggregation geometry in federated graph neural networks.

What the weighted mean of clients' updates does to the message-passing operators they came from,
and a server that regulates updates before it averages them (GGRS). Read in this order:

1. `errors`       what can be wrong
2. `graphs`       graphs, federations, cuts into clients, generated ones, Planetoid's files
3. `clients`      a two-layer GCN; a client's round
4. `server`       arithmetic on updates; averages; data-free proxies; GGRS; servers
5. `measures`     interference of updates; a round's effect on message passing; responses to edges
6. `rounds`       all rounds, clients and runs in one program
7. `intervals`    paired intervals over draws
8. `experiments`  the chapter's experiments; `exercises`, the checks of its exercises
9. `peers`        the same in PyTorch Geometric; `_client_loop`, the same as a loop over clients
"""

from quire.aggregation._client_loop import client_loop
from quire.aggregation.clients.local_training import Client, LocalTraining, train_client
from quire.aggregation.clients.networks import GCN, accuracy, initial, logits
from quire.aggregation.errors import GraphError, LeafMismatch, SettingError
from quire.aggregation.graphs.block_models import block_federation, block_model
from quire.aggregation.graphs.graph import (
    Federation,
    Graph,
    Split,
    edge_homophily,
    federate,
    graph_from_adjacency,
    normalised_adjacency,
    stack,
)
from quire.aggregation.graphs.planetoid import PARTS, parse_openfgl_split, parse_planetoid
from quire.aggregation.graphs.splits import (
    louvain_communities,
    spectral_features,
    split_nodes,
    splits_of,
)
from quire.aggregation.intervals import (
    Comparison,
    Interval,
    compare,
    holm,
    mean_interval,
    paired_interval,
    paired_p_value,
)
from quire.aggregation.measures.audit import RoundAudit, agreement, audit_round
from quire.aggregation.measures.edges import fidelity, relative_change
from quire.aggregation.measures.interference import conflicts, destructive_interference
from quire.aggregation.rounds import (
    LAYERS,
    Ending,
    History,
    Round,
    Run,
    Training,
    client_updates,
    clients_of,
    train,
)
from quire.aggregation.server.averaging import Averaging
from quire.aggregation.server.ggrs import (
    GGRS,
    Reference,
    ReferenceState,
    ablations,
    align,
    cap,
    confine,
    subspace,
)
from quire.aggregation.server.proxies import PROXIES, Graphs, graph_image, product_image
from quire.aggregation.server.servers import (
    OFF,
    Server,
    aggregate,
    fedavg,
    isolated,
    regulated,
    step_matched,
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
    "LAYERS",
    "OFF",
    "PARTS",
    "PROXIES",
    "Averaging",
    "Client",
    "Comparison",
    "Ending",
    "Federation",
    "Graph",
    "GraphError",
    "Graphs",
    "History",
    "Interval",
    "LeafMismatch",
    "LocalTraining",
    "Reference",
    "ReferenceState",
    "Round",
    "RoundAudit",
    "Run",
    "Server",
    "SettingError",
    "Split",
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
    "destructive_interference",
    "edge_homophily",
    "fedavg",
    "federate",
    "fidelity",
    "gram",
    "graph_from_adjacency",
    "graph_image",
    "holm",
    "initial",
    "isolated",
    "logits",
    "louvain_communities",
    "mean_interval",
    "norm",
    "normalised_adjacency",
    "paired_interval",
    "paired_p_value",
    "parse_openfgl_split",
    "parse_planetoid",
    "product_image",
    "regulated",
    "relative_change",
    "spectral_features",
    "spectral_norm",
    "split_nodes",
    "splits_of",
    "stack",
    "step_matched",
    "subspace",
    "train",
    "train_client",
    "weighted_sum",
]
