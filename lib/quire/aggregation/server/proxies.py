"""Data-free stand-ins for what an update does to a client's message passing.

The server holds no graph. Each proxy is a *linear* map from an update to a vector that the server
can compute; cosines between such vectors stand in for cosines between operator perturbations.

``weights``  the update itself, layer by layer;
``product``  dW1 W2 + W1 dW2, the first-order change of the linearised network's end-to-end kernel;
``probe``    the first-order change of the logits on graphs that the server drew itself.

Source: the choice of the three is ours. That the kernel is a faithful proxy of the layer's
operator - the norm of A' (x) dW is the norm of dW, since A' has norm 1, and the sign of inner
products is that of the kernels' - is derived; the probe follows the idea of functional embeddings
on random graphs in FED-PUB (Baek et al., 2023).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from quire.aggregation.clients.networks import Network, logits
from quire.aggregation.errors import SettingError
from quire.aggregation.graphs.block_models import block_federation
from quire.aggregation.graphs.graph import Federation
from quire.aggregation.server.updates import Tree

Proxy = Literal["weights", "product", "probe"]


def weights_proxy(update: Tree) -> Float[Array, " p"]:
    """Return the update as one vector."""
    return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(update)])


def product_proxy(params: Tree, update: Tree) -> Float[Array, " p"]:
    """Return dW1 W2 + W1 dW2 as a vector.

    Two clients may agree in each layer and conflict here: that is why the proxy exists. GraphSAGE's
    second kernel reads two stacked halves; their sum is what a constant graph signal meets.
    """
    first, second = params["layer1"]["kernel"], params["layer2"]["kernel"]
    change1, change2 = update["layer1"]["kernel"], update["layer2"]["kernel"]
    if second.shape[0] == 2 * first.shape[1]:
        hidden = first.shape[1]
        second = second[:hidden] + second[hidden:]
        change2 = change2[:hidden] + change2[hidden:]
    return (change1 @ second + first @ change2).ravel()


@lru_cache
def probe_graphs(width: int, seed: int = 0) -> Federation:
    """Draw the server's own graphs: four block models from heterophilous to homophilous."""
    with jax.ensure_compile_time_eval():  # kept for later calls, so values, whoever traces this one
        return block_federation(
            clients=4, nodes=40, classes=4, width=width, homophily=0.9, spread=0.8, seed=seed
        )


def probe_proxy(
    network: Network, params: Tree, update: Tree, probes: Federation
) -> Float[Array, " p"]:
    """Return the exact first-order change of the logits on the probe graphs, as a vector."""
    operators = network.operator(probes.adjacency, probes.real)
    inputs = network.inputs(operators, probes.features)

    def scores(values: Tree) -> Float[Array, "K n c"]:
        return jax.vmap(lambda a, x: logits(network, values, a, x))(operators, inputs)

    return jax.jvp(scores, (params,), (update,))[1].ravel()


def proxy_vector(
    proxy: Proxy, network: Network | None, params: Tree, update: Tree, width: int = 0
) -> Float[Array, " p"]:
    """Return the named proxy of an update at ``params``.

    Parameters
    ----------
    proxy
        ``weights``, ``product`` or ``probe``.
    params, update
        Where, and the direction in which, the change is taken: trees of the same structure.
    network, width
        Needed by ``probe`` alone: the network, and the number of feature columns of a node.

    Raises
    ------
    SettingError
        For an unknown proxy, or ``probe`` without a network.
    """
    if proxy == "weights":
        return weights_proxy(update)
    if proxy == "product":
        return product_proxy(params, update)
    if proxy == "probe" and network is not None and width > 0:
        return probe_proxy(network, params, update, probe_graphs(width))
    raise SettingError(f"proxy = {proxy!r}: weights, product, or probe with a network and a width")
