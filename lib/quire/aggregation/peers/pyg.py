"""The same training in PyTorch Geometric: one client after the other, as practitioners run it.

For timing and for comparing accuracy; needs ``torch`` and ``torch_geometric``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quire.aggregation.graphs.graph import Federation


class PygRun(NamedTuple):
    """What a run in PyTorch Geometric gives."""

    accuracy: float  # over all test nodes, with the parameters of the last round
    seconds: float  # of the rounds alone


def pyg_federated_averaging(
    federation: Federation,
    *,
    rounds: int,
    epochs: int = 3,
    hidden: int = 64,
    seed: int = 0,
    learning_rate: float = 0.01,
    weight_decay: float = 5e-4,
) -> PygRun:
    """Run federated averaging of a two-layer GCN with AdamW in PyTorch Geometric.

    Parameters
    ----------
    federation
        The clients; padding is stripped, so every client is trained at its own size.
    rounds, epochs, hidden, seed, learning_rate, weight_decay
        As in `train` with `FedAvg`, its default `LocalTraining` and a `GCN` with dropout 0.5.
    """
    import time

    import torch
    from torch import nn
    from torch.nn import functional
    from torch_geometric.nn import GCNConv  # type: ignore[import-not-found]

    torch.manual_seed(seed)
    classes = int(np.asarray(federation.labels).max()) + 1

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = GCNConv(federation.features.shape[-1], hidden, cached=True)
            self.second = GCNConv(hidden, classes, cached=True)

        def forward(self, x: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
            hidden_values = torch.relu(self.first(x, edges))
            dropped = functional.dropout(hidden_values, 0.5, training=self.training)
            return self.second(dropped, edges)

    data = []
    for k in range(federation.clients):
        real = np.asarray(federation.real[k])
        edges = np.argwhere(np.asarray(federation.adjacency[k])[np.ix_(real, real)])
        data.append(
            tuple(
                torch.tensor(array)
                for array in (
                    np.asarray(federation.features[k])[real],
                    edges.T.copy(),
                    np.asarray(federation.labels[k])[real].astype(np.int64),
                    np.asarray(federation.train[k])[real],
                    np.asarray(federation.test[k])[real],
                )
            )
        )
    server = Net()
    workers = [Net() for _ in data]  # one each, so that every graph's normalisation is cached once
    weights = [float(w) for w in np.asarray(federation.weights)]
    started = time.perf_counter()
    for _ in range(rounds):
        total = {name: torch.zeros_like(value) for name, value in server.state_dict().items()}
        for worker, (x, edges, labels, train, _), weight in zip(
            workers, data, weights, strict=True
        ):
            worker.load_state_dict(server.state_dict())
            worker.train()
            optimiser = torch.optim.AdamW(
                worker.parameters(), learning_rate, weight_decay=weight_decay
            )
            for _ in range(epochs):
                optimiser.zero_grad()
                loss = functional.cross_entropy(worker(x, edges)[train], labels[train])
                loss.backward()
                optimiser.step()
            for name, value in worker.state_dict().items():
                total[name] += weight * value
        server.load_state_dict(total)
    seconds = time.perf_counter() - started
    right = count = 0
    with torch.no_grad():
        for worker, (x, edges, labels, _, test) in zip(workers, data, strict=True):
            worker.load_state_dict(server.state_dict())
            worker.eval()
            right += int((worker(x, edges).argmax(dim=1) == labels)[test].sum())
            count += int(test.sum())
    return PygRun(right / count, seconds)
