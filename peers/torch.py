"""What PyTorch and PyTorch Geometric are asked for; add a call where a chapter needs one.

The file is called like the package it calls: its folder leaves the path before torch is imported.
"""

import importlib
import json
import multiprocessing
import os
import runpy
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from calls import Arrays, call, serve

sys.path = [entry for entry in sys.path if entry != sys.path[0]]
import torch  # noqa: E402


@call
def versions(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Tell the versions of torch and PyTorch Geometric, and the threads that torch uses."""
    import torch_geometric

    return {
        "torch": torch.__version__,
        "torch_geometric": torch_geometric.__version__,
        "threads": torch.get_num_threads(),
    }, {}


@call
def gcn_layer(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Apply PyTorch Geometric's GCNConv in double precision, with its gradient.

    Arrays ``features`` (nodes, inputs), ``edges`` (2, edges), ``weight`` (inputs, outputs) and
    ``bias`` (outputs,) give ``output`` (nodes, outputs) and ``gradient``, that of the output's sum
    by the weight.
    """
    from torch_geometric.nn import GCNConv

    features = torch.from_numpy(arrays["features"].astype(np.float64))
    edges = torch.from_numpy(arrays["edges"].astype(np.int64))
    layer = GCNConv(features.shape[1], arrays["bias"].shape[0]).double()
    with torch.no_grad():
        layer.lin.weight.copy_(torch.from_numpy(arrays["weight"].T.copy()))
        layer.bias.copy_(torch.from_numpy(arrays["bias"]))
    output = layer(features, edges)
    output.sum().backward()
    return {}, {
        "output": output.detach().numpy(),
        "gradient": layer.lin.weight.grad.numpy().T.copy(),
    }


@call
def federated_averaging(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Train a two-layer GCN by FedAvg with AdamW, one client after the other, once per seed.

    Arrays ``adjacency`` (clients, nodes, nodes), ``features``, ``labels``, the masks ``train``,
    ``test`` and ``real``, and ``weights``; padding is stripped. ``rounds``, ``epochs``, ``hidden``,
    ``classes`` and ``seeds`` say how. Answers with ``accuracy`` over all test nodes after the last
    round, and ``seconds`` of the rounds alone, for every seed.
    """
    from torch_geometric.nn import GCNConv

    rounds, epochs, hidden = (int(request[name]) for name in ("rounds", "epochs", "hidden"))
    width, classes = arrays["features"].shape[2], int(request["classes"])
    functional = torch.nn.functional

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = GCNConv(width, hidden, cached=True)
            self.second = GCNConv(hidden, classes, cached=True)

        def forward(self, x: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
            values = torch.relu(self.first(x, edges))
            return self.second(functional.dropout(values, 0.5, training=self.training), edges)

    data = []
    for k, real in enumerate(arrays["real"]):
        edges = np.argwhere(arrays["adjacency"][k][np.ix_(real, real)]).T.astype(np.int64)
        labels = arrays["labels"][k][real].astype(np.int64)
        parts = (arrays["features"][k][real], edges, labels)
        masks = (arrays["train"][k][real], arrays["test"][k][real])
        data.append(tuple(torch.tensor(part) for part in (*parts, *masks)))
    weights = [float(weight) for weight in arrays["weights"]]
    accuracies, seconds = [], []
    for seed in request["seeds"]:
        torch.manual_seed(int(seed))
        server, workers = Net(), [Net() for _ in data]  # one each: a graph is normalised once
        started = time.perf_counter()
        for _ in range(rounds):
            total = {name: torch.zeros_like(value) for name, value in server.state_dict().items()}
            for worker, weight, (x, edges, labels, train, _) in zip(
                workers, weights, data, strict=True
            ):
                worker.load_state_dict(server.state_dict())
                worker.train()
                optimiser = torch.optim.AdamW(worker.parameters(), 0.01, weight_decay=5e-4)
                for _ in range(epochs):
                    optimiser.zero_grad()
                    functional.cross_entropy(worker(x, edges)[train], labels[train]).backward()
                    optimiser.step()
                for name, value in worker.state_dict().items():
                    total[name] += weight * value
            server.load_state_dict(total)
        seconds.append(time.perf_counter() - started)
        right = count = 0
        with torch.no_grad():
            for worker, (x, edges, labels, _, test) in zip(workers, data, strict=True):
                worker.load_state_dict(server.state_dict())
                worker.eval()
                right += int((worker(x, edges).argmax(dim=1) == labels)[test].sum())
                count += int(test.sum())
        accuracies.append(right / count)
    return {"accuracy": accuracies, "seconds": seconds}, {}


@call
def pipelined_gradients(request: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Execute a table of actions with PyTorch's pipelining runtime, one process per rank.

    ``table`` is the text of the table, ``seed`` that of tiny layers, one per stage. Answers with
    the largest absolute ``difference`` from the gradients of the same layers in one process, the
    largest ``gradient``, and the difference that a microbatch ``left_out`` would make.

    Raises
    ------
    RuntimeError
        If a rank fails, with its last words, or the ranks take more than ``seconds`` (120).
    """
    importlib.import_module("torch.distributed.pipelining")  # so that forked ranks have it
    table, seed = str(request["table"]), int(request["seed"])
    ranks = len(table.strip().splitlines())
    context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "actions.csv").write_text(table)
        processes = []
        try:
            for rank in range(ranks):
                words = [folder, *map(str, (ranks, seed, rank))]
                process = context.Process(target=_rank, args=words, daemon=True)
                process.start()
                processes.append(process)
            # one that fails leaves the others waiting for it, and so does a table that deadlocks
            until = time.monotonic() + float(request.get("seconds", 120.0))
            while any(process.is_alive() for process in processes):
                if any(process.exitcode for process in processes) or time.monotonic() > until:
                    break
                time.sleep(0.05)
        finally:
            for process in processes:
                process.kill()
                process.join()
        failed = [r for r, process in enumerate(processes) if process.exitcode > 0]
        if not failed and any(process.exitcode for process in processes):
            raise RuntimeError("the ranks wait for each other: the table can not be run in time")
        if failed:
            words = (place / f"{failed[0]}.log").read_text(errors="replace").strip()[-300:]
            raise RuntimeError(f"rank {failed[0]} did not run its row: {words}")
        found = [json.loads((place / f"{rank}.json").read_text()) for rank in range(ranks)]
    worst = {name: max(row[name] for row in found) for name in found[0]}
    return {"ranks": ranks, "torch": torch.__version__.split("+")[0], **worst}, {}


def _rank(folder: str, ranks: str, seed: str, rank: str) -> None:
    """Be one rank: run ``pipelined_rank.py``, whose words go to ``FOLDER/RANK.log``."""
    with (Path(folder) / f"{rank}.log").open("w") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
    script = str(Path(__file__).with_name("pipelined_rank.py"))
    sys.argv = [script, folder, ranks, seed, rank]
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    serve()
