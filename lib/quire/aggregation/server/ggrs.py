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

from quire.aggregation._compiling import program
from quire.aggregation.clients.networks import Network
from quire.aggregation.errors import SettingError, require, require_range
from quire.aggregation.server.averaging import Number, aggregator
from quire.aggregation.server.proxies import Proxy, proxy_vector
from quire.aggregation.server.updates import (
    TINY,
    Tree,
    is_matrix,
    scale,
    spectral_norm,
    weighted_sum,
)


def align(
    update: Float[Array, "i o"], direction: Float[Array, "i o"], tau: Number
) -> Float[Array, "i o"]:
    """Turn an update that opposes a direction until its component along it is tau |update|.

    With tau = 0 the result is orthogonal to ``direction``; any other update comes back unchanged.
    """
    size, length = jnp.linalg.norm(update), jnp.linalg.norm(direction)
    return update + _push(jnp.sum(update * direction), size, length, tau) * direction


def subspace(
    moment: Float[Array, "o o"], rank: int | None, energy: float = 0.95
) -> Float[Array, "o o"]:
    """Return U U^T for the leading eigenvectors of a second moment.

    ``rank`` of them (all, if the matrix has fewer), or with None the least number, 2 at least,
    that holds the share ``energy`` of the trace. Projectors, unlike eigenvectors, have no sign.
    """
    values, vectors = jnp.linalg.eigh(moment)
    width = len(values)
    place = jnp.arange(width)[::-1]  # eigh is ascending: place 0 is the largest
    if rank is None:
        descending = jnp.maximum(values[::-1], 0)
        before = jnp.cumsum(descending) - descending
        wanted = jnp.sum(before < energy * jnp.sum(descending))
        keep = place < jnp.maximum(wanted, 2)
    else:
        keep = place < rank
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
    """The reference of each kernel by its place among the leaves, and the number of rounds seen."""

    kernels: dict[int, Reference]
    rounds: Int[Array, ""]


@aggregator
@dataclass(frozen=True)
class GGRS:
    """The regulated average. Each step can be switched off; defaults are ours.

    Attributes
    ----------
    tau
        Least cosine with the reference direction, in [-1, 1); -1 switches alignment off.
    rank
        Dimension of the reference subspace, or None for 95 % of the energy.
    gamma
        Factor on what lies outside the subspace, in [0, 1]; 1 switches the step off.
    kappa
        Cap on the spectral norm in units of the reference sensitivity; infinity switches it off.
    beta
        Memory of the exponential means, in [0, 1).
    proxy, network, width
        In which image of an update alignment takes its cosines; see `proxies`. The reference
        direction stays a step in parameters: every proxy is linear, so adding a multiple of it
        moves the image along the image of the direction.
    centre
        ``median`` of the clients' spectral norms as the round's sensitivity, or their weighted
        ``mean``, which a secure sum can carry.

    Raises
    ------
    SettingError
        For a setting out of its range.
    """

    tau: Number = 0.0
    gamma: Number = 0.5
    kappa: Number = 2.0
    beta: Number = 0.9
    rank: int | None = field(default=8, metadata={"static": True})
    proxy: Proxy = field(default="weights", metadata={"static": True})
    network: Network | None = field(default=None, metadata={"static": True})
    width: int = field(default=0, metadata={"static": True})
    centre: Literal["median", "mean"] = field(default="median", metadata={"static": True})

    def __post_init__(self) -> None:
        require_range("tau", self.tau, -1, 1, high_open=True)
        require_range("gamma", self.gamma, 0, 1)
        require_range("kappa", self.kappa, 0, math.inf, low_open=True)
        require_range("beta", self.beta, 0, 1, high_open=True)
        require(self.rank is None or self.rank >= 1, f"rank = {self.rank}: give 1 or more, or None")

    def init(self, params: Tree) -> ReferenceState:
        """Return an empty reference.

        Raises
        ------
        SettingError
            When ``rank`` exceeds every kernel's width.
        """
        leaves = jax.tree.leaves(params)
        widest = max(leaf.shape[1] for leaf in leaves if is_matrix(leaf))
        if self.rank is not None and self.rank > widest:
            raise SettingError(
                f"rank = {self.rank}, but the widest kernel has {widest} output channels"
            )
        kernels = {
            place: Reference(
                jnp.zeros_like(leaf),
                jnp.zeros((leaf.shape[1], leaf.shape[1]), leaf.dtype),
                jnp.zeros((), leaf.dtype),
            )
            for place, leaf in enumerate(leaves)
            if is_matrix(leaf)
        }
        return ReferenceState(kernels, jnp.zeros((), jnp.int32))

    def apply(
        self, state: ReferenceState, params: Tree, updates: Tree, weights: Float[Array, " K"]
    ) -> tuple[Tree, ReferenceState]:
        """Return the mean of the regulated updates, and the reference that has seen this round."""
        projectors = self.projectors(state)
        regulated = jax.vmap(lambda one: self.regulate(state, projectors, params, one))(updates)
        step = weighted_sum(regulated, weights)
        moments, sizes = jax.vmap(self.statistics)(updates)
        return step, self.remember(
            state, step, weighted_sum(moments, weights), self.centred(sizes, weights)
        )

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
        aligned = jax.tree.leaves(self.aligned(state, params, update))
        leaves, tree = jax.tree.flatten(update)
        for place, ref in state.kernels.items():
            inside = confine(aligned[place], projectors[place], self.gamma)
            capped = cap(inside, ref.sensitivity, self.kappa)
            leaves[place] = jnp.where(state.rounds == 0, leaves[place], capped)
        return jax.tree.unflatten(tree, leaves)

    def aligned(self, state: ReferenceState, params: Tree, update: Tree) -> Tree:
        """Return one client's update after the first step alone."""
        leaves, tree = jax.tree.flatten(update)
        if self.proxy == "weights":
            for place, ref in state.kernels.items():
                leaves[place] = align(leaves[place], ref.direction, self.tau).astype(
                    leaves[place].dtype
                )
            return jax.tree.unflatten(tree, leaves)
        steps = [
            state.kernels[place].direction if place in state.kernels else jnp.zeros_like(leaf)
            for place, leaf in enumerate(leaves)
        ]
        direction = jax.tree.unflatten(tree, steps)
        image = proxy_vector(self.proxy, self.network, params, update, self.width)
        target = proxy_vector(self.proxy, self.network, params, direction, self.width)
        push = _push(
            jnp.sum(image * target), jnp.linalg.norm(image), jnp.linalg.norm(target), self.tau
        )
        return jax.tree.map(lambda d, g: (d + push * g).astype(d.dtype), update, direction)

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
        return ReferenceState(kernels, state.rounds + 1)


@program
def parts(
    ggrs: GGRS, state: ReferenceState, params: Tree, updates: Tree, weights: Float[Array, " K"]
) -> dict[str, Tree]:
    """Split a regulated step into four trees that add up to it, by switching steps on one by one.

    ``mean`` is FedAvg's step; ``direction``, ``subspace`` and ``sensitivity`` are what each step of
    GGRS adds to it. Since the operator audit is linear in the step, it splits in the same way.
    """
    steps = [
        one.apply(state, params, updates, weights)[0]
        for one in (
            replace(ggrs, tau=-1.0, gamma=1.0, kappa=math.inf),
            replace(ggrs, gamma=1.0, kappa=math.inf),
            replace(ggrs, kappa=math.inf),
            ggrs,
        )
    ]
    before = [scale(steps[0], 0.0), *steps[:-1]]
    return {
        name: jax.tree.map(jnp.subtract, step, old)
        for name, step, old in zip(
            ("mean", "direction", "subspace", "sensitivity"), steps, before, strict=True
        )
    }


def ablations(ggrs: GGRS) -> dict[str, GGRS]:
    """Return GGRS with one step switched on at a time, by the name of the step."""
    return {
        "direction only": replace(ggrs, gamma=1.0, kappa=math.inf),
        "subspace only": replace(ggrs, tau=-1.0, kappa=math.inf),
        "sensitivity only": replace(ggrs, tau=-1.0, gamma=1.0),
    }


def _push(
    product: Float[Array, ""], size: Float[Array, ""], length: Float[Array, ""], tau: Number
) -> Float[Array, ""]:
    """Return the multiple of the direction that lifts the cosine's numerator to tau |D|."""
    cosine = jnp.clip(product / jnp.maximum(size * length, TINY), -1, 1)
    lift = jnp.maximum(tau - cosine, 0) * size / jnp.maximum(length, TINY)
    return jnp.where(length > 0, lift, 0).astype(product.dtype)
