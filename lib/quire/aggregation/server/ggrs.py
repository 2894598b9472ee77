"""GGRS: a global reference structure that regulates clients' updates before they are averaged.

The paper names three criteria - directional alignment, subspace compatibility and sensitivity
control - and that they act at the server on a data-free proxy. Its equations were not available;
every formula below is **our construction** from these names.

Per kernel (biases are plainly averaged) the server remembers a direction g, a second moment S and a
sensitivity s, each an exponential mean over rounds. From the second round on, each update D passes

1. `align`: if cos(D, g) < tau, add (tau - cos) |D| g/|g|;
2. `confine`: D U U^T + gamma (D - D U U^T), with U the leading eigenvectors of S;
3. `cap`: D min(1, kappa s / |D|_2), |D|_2 the spectral norm;

and the results are averaged. tau = -1, gamma = 1 and kappa = infinity switch the steps off, and the
whole is FedAvg, bit for bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from quire.aggregation.clients.networks import GCN
from quire.aggregation.errors import SettingError, require, require_range
from quire.aggregation.server.averaging import Number, settings_tree
from quire.aggregation.server.proxies import (
    PROXIES,
    Graphs,
    Proxy,
    graph_image,
    probe_graphs,
    product_image,
)
from quire.aggregation.server.updates import TINY, Tree, is_matrix, spectral_norm, weighted_sum
from quire.signatures import checked


def align(
    update: Float[Array, "i o"], direction: Float[Array, "i o"], tau: Number
) -> Float[Array, "i o"]:
    """Turn an update that opposes a direction until its component along it is tau |update|.

    With tau = 0 the result is orthogonal to ``direction``; any other update comes back unchanged.
    """
    return (update + push(update, direction, tau) * direction).astype(update.dtype)


def push(image: Float[Array, "..."], target: Float[Array, "..."], tau: Number) -> Float[Array, ""]:
    """Return the multiple of a target that lifts an image's component along it to tau |image|."""
    size, length = jnp.linalg.norm(image), jnp.linalg.norm(target)
    cosine = jnp.clip(jnp.sum(image * target) / jnp.maximum(size * length, TINY), -1, 1)
    lift = jnp.maximum(tau - cosine, 0) * size / jnp.maximum(length, TINY)
    return jnp.where(length > 0, lift, 0).astype(image.dtype)


def subspace(moment: Float[Array, "o o"], rank: Number) -> Float[Array, "o o"]:
    """Return U U^T for the leading eigenvectors of a second moment.

    ``rank`` of them (all, if the matrix has fewer); below 1 it is a share, and the least number of
    eigenvectors is taken, 2 at least, that holds this share of the trace. Projectors, unlike
    eigenvectors, have no sign.
    """
    values, vectors = jnp.linalg.eigh(moment)
    place = jnp.arange(len(values))[::-1]  # eigh is ascending: place 0 is the largest
    descending = jnp.maximum(values[::-1], 0)
    before = jnp.cumsum(descending) - descending
    holding = jnp.maximum(jnp.sum(before < rank * jnp.sum(descending)), 2)
    keep = place < jnp.where(jnp.asarray(rank) < 1, holding, rank)
    kept = vectors * keep.astype(vectors.dtype)
    return kept @ kept.T


def confine(
    update: Float[Array, "i o"], projector: Float[Array, "o o"], gamma: Number
) -> Float[Array, "i o"]:
    """Shrink by gamma what an update has outside a subspace of propagation directions."""
    outside = update - update @ projector
    return (update - (1 - gamma) * outside).astype(update.dtype)


def cap(
    update: Float[Array, "i o"], sensitivity: Float[Array, ""], kappa: Number
) -> Float[Array, "i o"]:
    """Scale an update down until its spectral norm is at most kappa times the reference's."""
    size = spectral_norm(update)
    limit = kappa * sensitivity
    # With kappa infinite and no sensitivity yet the limit is nan, the test false: no cap.
    factor = jnp.where(size > limit, limit / jnp.maximum(size, TINY), 1)
    return (factor * update).astype(update.dtype)


class Reference(NamedTuple):
    """What the server remembers of one kernel."""

    direction: Float[Array, "i o"]
    moment: Float[Array, "o o"]
    sensitivity: Float[Array, ""]


class ReferenceState(NamedTuple):
    """The reference of each kernel by its place among the leaves, and what was seen so far."""

    kernels: dict[int, Reference]
    rounds: Int[Array, ""]
    acted: Float[Array, "3"]  # sums over rounds of the shares in which each step acted

    @property
    def activity(self) -> Float[Array, "3"]:
        """The shares of clients and kernels in which each step acted, mean over rounds 2 to R."""
        return self.acted / jnp.maximum(self.rounds - 1, 1)


NOTICED = 0.01
"""The subspace step counts as acting on an update of which it takes a hundredth, in norm."""


@settings_tree
@dataclass(frozen=True)
class GGRS:
    """The regulated average. Each step can be switched off; defaults are ours.

    Attributes
    ----------
    tau
        Least cosine with the reference direction, in [-1, 1); -1 switches alignment off.
    rank
        Dimension of the reference subspace; below 1, the share of energy that it must hold.
    gamma
        Factor on what lies outside the subspace, in [0, 1]; 1 switches the step off.
    kappa
        Cap on the spectral norm in units of the reference sensitivity; infinity switches it off.
    beta
        Memory of the exponential means, in [0, 1).
    proxies, which, network
        In which image of an update alignment takes its cosines: the one at place ``which`` of
        ``proxies``; see `quire.aggregation.server.proxies`. ``probe`` and ``jacobian`` need the
        network. The reference direction stays a step in parameters: every proxy is linear, so
        adding a multiple of it moves the image along the image of the direction.
    centre
        ``median`` of the clients' spectral norms as the round's sensitivity, or their weighted
        ``mean``, which a secure sum can carry.

    A setting out of its range is refused with a `SettingError`.
    """

    tau: Number = 0.0
    rank: Number = 8
    gamma: Number = 0.5
    kappa: Number = 2.0
    beta: Number = 0.9
    which: Number = 0
    proxies: tuple[Proxy, ...] = field(default=("weights",), metadata={"static": True})
    network: GCN | None = field(default=None, metadata={"static": True})
    centre: Literal["median", "mean"] = field(default="median", metadata={"static": True})

    def __post_init__(self) -> None:
        require_range("tau", self.tau, -1, 1, high_open=True)
        require_range("rank", self.rank, 0, math.inf, low_open=True)
        require_range("gamma", self.gamma, 0, 1)
        require_range("kappa", self.kappa, 0, math.inf, low_open=True)
        require_range("beta", self.beta, 0, 1, high_open=True)
        require_range("which", self.which, 0, len(self.proxies), high_open=True)
        strangers = [proxy for proxy in self.proxies if proxy not in PROXIES]
        require(not strangers, f"proxies = {self.proxies}: give some of {', '.join(PROXIES)}")
        require(
            self.network is not None or set(self.proxies) <= {"weights", "product"},
            f"proxies = {self.proxies}: probe and jacobian need a network",
        )

    def init(self, params: Tree) -> ReferenceState:
        """Return an empty reference."""
        kernels = {
            place: Reference(
                jnp.zeros_like(leaf),
                jnp.zeros((leaf.shape[1], leaf.shape[1]), leaf.dtype),
                jnp.zeros((), leaf.dtype),
            )
            for place, leaf in enumerate(jax.tree.leaves(params))
            if is_matrix(leaf)
        }
        return ReferenceState(kernels, jnp.zeros((), jnp.int32), jnp.zeros(3, jnp.float32))

    def apply(
        self,
        state: ReferenceState,
        params: Tree,
        updates: Tree,
        weights: Float[Array, " K"],
        graphs: Graphs | None = None,
    ) -> tuple[Tree, ReferenceState]:
        """Return the mean of the regulated updates, and the reference that has seen this round.

        ``graphs`` stacks the clients' own graphs, which the proxy ``jacobian`` alone looks at.
        """
        projectors = self.projectors(state)
        each = jax.vmap(lambda one, graph: self.steps(state, projectors, params, one, graph))
        tidied, acted = each(updates, graphs)
        step = weighted_sum(tidied, weights)
        moments, sizes = jax.vmap(self.statistics)(updates)
        new = self.remember(
            state, step, weighted_sum(moments, weights), self.centred(sizes, weights)
        )
        seen = jnp.where(state.rounds == 0, 0, jnp.mean(acted, axis=0))
        return step, new._replace(acted=state.acted + seen.astype(state.acted.dtype))

    def projectors(self, state: ReferenceState) -> dict[int, Float[Array, "o o"]]:
        """Return U U^T of every kernel: the server computes them once a round, for all clients."""
        return {place: subspace(ref.moment, self.rank) for place, ref in state.kernels.items()}

    def regulate(
        self,
        state: ReferenceState,
        projectors: dict[int, Float[Array, "o o"]],
        params: Tree,
        update: Tree,
    ) -> Tree:
        """Return one client's update after the three steps; in the first round, as it came.

        It reads that client's update and what the server may publish, and nothing of other clients:
        a client can apply it to itself before a secure sum.
        """
        return self.steps(state, projectors, params, update)[0]

    def steps(
        self,
        state: ReferenceState,
        projectors: dict[int, Float[Array, "o o"]],
        params: Tree,
        update: Tree,
        graph: Graphs | None = None,
    ) -> tuple[Tree, Float[Array, "3"]]:
        """Return one client's regulated update, and the share of its kernels each step acted on."""
        pushes = self.pushes(state, params, update, graph)
        leaves, tree = jax.tree.flatten(update)
        acted = []
        for place, ref in state.kernels.items():
            aligned = (leaves[place] + pushes[place] * ref.direction).astype(leaves[place].dtype)
            inside = confine(aligned, projectors[place], self.gamma)
            capped = cap(inside, ref.sensitivity, self.kappa)
            taken = jnp.linalg.norm(aligned - inside) > NOTICED * jnp.linalg.norm(aligned)
            acted.append(jnp.stack([pushes[place] > 0, taken, jnp.any(capped != inside)]))
            leaves[place] = jnp.where(state.rounds == 0, leaves[place], capped)
        return jax.tree.unflatten(tree, leaves), jnp.mean(jnp.stack(acted) * 1.0, axis=0)

    def pushes(
        self, state: ReferenceState, params: Tree, update: Tree, graph: Graphs | None = None
    ) -> dict[int, Float[Array, ""]]:
        """Return the multiple of the reference direction that alignment adds to each kernel.

        ``weights`` aligns each kernel by itself, the other proxies all kernels by one multiple.
        """
        leaves, tree = jax.tree.flatten(update)
        direction = jax.tree.unflatten(
            tree,
            [
                state.kernels[place].direction if place in state.kernels else jnp.zeros_like(leaf)
                for place, leaf in enumerate(leaves)
            ],
        )
        found = []
        for proxy in self.proxies:
            if proxy == "weights":
                found.append(
                    {
                        place: push(leaves[place], ref.direction, self.tau)
                        for place, ref in state.kernels.items()
                    }
                )
                continue
            image, target = (
                self.image(proxy, params, tree_, graph) for tree_ in (update, direction)
            )
            found.append(dict.fromkeys(state.kernels, push(image, target, self.tau)))
        return {
            place: jnp.stack([each[place] for each in found])[jnp.asarray(self.which, int)]
            for place in state.kernels
        }

    def image(
        self, proxy: Proxy, params: Tree, update: Tree, graph: Graphs | None
    ) -> Float[Array, " p"]:
        """Return the image of an update under a proxy other than ``weights``.

        Raises
        ------
        SettingError
            For ``jacobian`` without a graph.
        """
        if proxy == "product" or self.network is None:
            return product_image(params, update)
        if proxy == "probe":
            graph = probe_graphs(params["layer1"]["kernel"].shape[0])
        if graph is None:
            raise SettingError("proxy = jacobian: give the clients' graphs")
        return graph_image(self.network, params, update, graph)

    def statistics(
        self, update: Tree
    ) -> tuple[dict[int, Float[Array, "o o"]], dict[int, Float[Array, ""]]]:
        """Return one client's contribution to the reference: D^T D and |D|_2 of every kernel."""
        kernels = {p: leaf for p, leaf in enumerate(jax.tree.leaves(update)) if is_matrix(leaf)}
        return (
            {place: leaf.T @ leaf for place, leaf in kernels.items()},
            {place: spectral_norm(leaf) for place, leaf in kernels.items()},
        )

    def centred(
        self, sizes: dict[int, Float[Array, " K"]], weights: Float[Array, " K"]
    ) -> dict[int, Float[Array, ""]]:
        """Return the round's sensitivity of every kernel from the clients' spectral norms."""
        if self.centre == "mean":
            return {place: size @ weights for place, size in sizes.items()}
        return {place: jnp.median(size) for place, size in sizes.items()}

    def remember(
        self,
        state: ReferenceState,
        step: Tree,
        moments: dict[int, Float[Array, "o o"]],
        sensitivities: dict[int, Float[Array, ""]],
    ) -> ReferenceState:
        """Return the reference after a round: exponential means, started by the first round."""
        memory = jnp.where(state.rounds == 0, 0, self.beta)
        leaves = jax.tree.leaves(step)
        kernels = {
            place: jax.tree.map(
                lambda old, new: (memory * old + (1 - memory) * new).astype(old.dtype),
                ref,
                Reference(leaves[place], moments[place], sensitivities[place]),
            )
            for place, ref in state.kernels.items()
        }
        return ReferenceState(kernels, state.rounds + 1, state.acted)


@checked
def ablations(ggrs: GGRS) -> dict[str, GGRS]:
    """Return GGRS with one step switched on at a time, by the name of the step."""
    return {
        "direction only": replace(ggrs, gamma=1.0, kappa=math.inf),
        "subspace only": replace(ggrs, tau=-1.0, kappa=math.inf),
        "sensitivity only": replace(ggrs, tau=-1.0, gamma=1.0),
    }
