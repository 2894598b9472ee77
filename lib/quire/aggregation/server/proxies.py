"""Data-free stand-ins for what an update does to a client's message passing.

The server holds no graph. Each proxy is a *linear* map from an update to a vector, its image;
cosines between images stand in for cosines between operator perturbations.

``weights``   the update itself, kernel by kernel;
``product``   dW1 W2 + W1 dW2, the first-order change of the linearised network's end-to-end kernel;
``probe``     the first-order change of the logits on graphs that the server drew itself;
``jacobian``  the first-order change of the logits on the client's own graph: what the others stand
              in for. A simulator can do this, a server can not.

Source: the choice is ours. That the kernel is a faithful proxy of the layer's operator - the norm
of A' (x) dW is the norm of dW, since A' has norm 1, and the sign of inner products is that of the
kernels' - is derived; the probe follows the idea of functional embeddings on random graphs in
FED-PUB (Baek et al., 2023).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from quire.aggregation.clients.networks import GCN, logits
from quire.aggregation.graphs.block_models import block_federation
from quire.aggregation.graphs.graph import normalised_adjacency
from quire.aggregation.server.updates import Tree
from quire.signatures import checked

Proxy = Literal["weights", "product", "probe", "jacobian"]
PROXIES: tuple[Proxy, ...] = ("weights", "product", "probe", "jacobian")


class Graphs(NamedTuple):
    """Graphs as a network reads them: operators, and features propagated once."""

    operator: Float[Array, "*K n n"]
    inputs: Float[Array, "*K n p"]


def product_image(params: Tree, update: Tree) -> Float[Array, " p"]:
    """Return dW1 W2 + W1 dW2 as a vector.

    Two clients may agree in each layer and conflict here: that is why the proxy exists.
    """
    first, second = params["layer1"]["kernel"], params["layer2"]["kernel"]
    change1, change2 = update["layer1"]["kernel"], update["layer2"]["kernel"]
    return (change1 @ second + first @ change2).ravel()


@checked
def graph_image(network: GCN, params: Tree, update: Tree, graphs: Graphs) -> Float[Array, " p"]:
    """Return the exact first-order change of the logits on graphs, as a vector.

    The graphs may be stacked or one alone; padded nodes, which have no self loop, count for 0.
    """

    def scores(values: Tree) -> Float[Array, "*K n c"]:
        if graphs.operator.ndim == 2:
            return logits(network, values, graphs.operator, graphs.inputs)
        return jax.vmap(lambda a, x: logits(network, values, a, x))(graphs.operator, graphs.inputs)

    real = jnp.diagonal(graphs.operator, axis1=-2, axis2=-1) > 0
    return (jax.jvp(scores, (params,), (update,))[1] * real[..., None]).ravel()


@lru_cache
def probe_graphs(width: int, seed: int = 0) -> Graphs:
    """Draw the server's own graphs: four block models from heterophilous to homophilous."""
    with jax.ensure_compile_time_eval():  # kept for later calls, so values, whoever traces this one
        drawn = block_federation(
            clients=4, nodes=40, classes=4, width=width, mean=0.5, spread=0.8, seed=seed
        )
        operator = normalised_adjacency(drawn.adjacency, drawn.real)
        return Graphs(operator, operator @ drawn.features)
