"""The server of a federation: an average, GGRS, or the direction of one with the step of the other.

GGRS remembers a direction, as server momentum does, and shortens updates, as clipping and smaller
steps do. To tell these apart, both rules see the same updates in every round; `Server` takes the
direction of one and the length of either. *Step-matched* means: an average's direction with the
length that GGRS would have taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from quire.aggregation._compiling import program
from quire.aggregation.errors import require_range
from quire.aggregation.server.averaging import Averaging, Number, settings_tree
from quire.aggregation.server.ggrs import GGRS
from quire.aggregation.server.proxies import Graphs
from quire.aggregation.server.updates import (
    TINY,
    Tree,
    admit,
    check_same_structure,
    norm,
    scale,
)
from quire.signatures import checked

OFF = GGRS(tau=-1.0, rank=1, gamma=1.0, kappa=float("inf"))
"""GGRS with its three steps switched off: federated averaging."""


@settings_tree
@dataclass(frozen=True)
class Server:
    """What a server does with a round's updates, and what it asks of its clients.

    Attributes
    ----------
    averaging, ggrs
        The two rules. Both see every round's updates and keep their own state.
    direction, length
        0 for the average's, 1 for GGRS's.
    proximal
        FedProx's mu, which clients are told. Source: Li et al. (2020).
    alone
        1 where clients keep what they have trained and never take up the server's parameters.

    A number out of its range is refused with a `SettingError`.
    """

    averaging: Averaging = field(default_factory=Averaging)
    ggrs: GGRS = OFF
    direction: Number = 0.0
    length: Number = 0.0
    proximal: Number = 0.0
    alone: Number = 0.0

    def __post_init__(self) -> None:
        for name in ("direction", "length", "alone"):
            require_range(name, getattr(self, name), 0, 1)
        require_range("proximal", self.proximal, 0, float("inf"))

    def init(self, params: Tree) -> Any:
        """Return both rules' states before the first round."""
        return self.averaging.init(params), self.ggrs.init(params)

    def apply(
        self,
        state: Any,
        params: Tree,
        updates: Tree,
        weights: Float[Array, " K"],
        graphs: Graphs | None = None,
    ) -> tuple[Tree, Any]:
        """Return the step to add to ``params``, and the next state; ``graphs`` as in `GGRS`."""
        plain, velocity = self.averaging.apply(state[0], params, updates, weights)
        regulated, reference = self.ggrs.apply(state[1], params, updates, weights, graphs)
        step = jax.tree.map(lambda a, b: jnp.where(self.direction > 0, b, a), plain, regulated)
        wanted = jnp.where(self.length > 0, norm(regulated), norm(plain))
        factor = wanted / jnp.maximum(norm(step), TINY)
        # Exactly the rule's own step where both come from one rule.
        factor = jnp.where((self.direction > 0) == (self.length > 0), 1, factor)
        return scale(step, factor), (velocity, reference)


def fedavg(rate: Number = 1.0) -> Server:
    """Return federated averaging. Source: McMahan et al. (2017)."""
    return Server(Averaging(rate=rate))


@checked
def regulated(ggrs: GGRS) -> Server:
    """Return the server that GGRS is."""
    return Server(ggrs=ggrs, direction=1.0, length=1.0)


@checked
def step_matched(averaging: Averaging, ggrs: GGRS) -> Server:
    """Return an average's direction with the length of GGRS's step on the same updates."""
    return Server(averaging, ggrs, direction=0.0, length=1.0)


def isolated() -> Server:
    """Return what leaves every client alone with its own training."""
    return Server(alone=1.0)


@checked
def aggregate(
    server: Server, state: Any, params: Tree, updates: Tree, weights: Float[Array, " K"]
) -> tuple[Tree, Any, Int[Array, ""]]:
    """Admit clients' updates and apply one server step.

    Parameters
    ----------
    server, state
        Which step, and its state.
    params
        The global parameters that clients were sent.
    updates
        What each client added to them, leaves stacked over clients.
    weights
        Shares of the clients; they sum to 1.

    Returns
    -------
    The step to add to ``params``, the next state, and how many updates were rejected because they
    were not finite. Updates that differ from the parameters in structure or shape are refused with
    a `LeafMismatch` that names the leaf.
    """
    check_same_structure(params, updates)
    return _aggregate(server, state, params, updates, weights)


@program
def _aggregate(
    server: Server, state: Any, params: Tree, updates: Tree, weights: Float[Array, " K"]
) -> tuple[Tree, Any, Int[Array, ""]]:
    admitted, shares, rejected = admit(updates, weights)
    step, state = server.apply(state, params, admitted, shares)
    return step, state, rejected
