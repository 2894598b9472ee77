"""What PyTorch and PyTorch Geometric are asked for; add a call where a chapter needs one.

The file is called like the package it calls: its folder leaves the path before torch is imported.
"""

import sys
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


if __name__ == "__main__":
    serve()
