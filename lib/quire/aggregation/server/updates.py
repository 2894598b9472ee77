"""Arithmetic on clients' updates: trees of arrays whose leaves are stacked over K clients.

An *update* of client k is what it added to the global parameters in a round. Matrix leaves are the
kernels of message-passing operators; vector leaves are biases.
"""

from __future__ import annotations

from typing import TypeAlias

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]
from jax.tree_util import keystr, tree_flatten_with_path
from jaxtyping import Array, Bool, Float, Int, PyTree

from quire.aggregation.errors import LeafMismatch

Tree: TypeAlias = PyTree[Array]

TINY = 1e-30
"""Keeps quotients of norms finite; far below any float32 update's squared norm that matters."""


def check_same_structure(reference: Tree, updates: Tree) -> None:
    """Check that ``updates`` stacks ``reference``'s leaves.

    Raises
    ------
    LeafMismatch
        Names the leaf that is missing or of another shape.
    """
    expected = {keystr(path): leaf for path, leaf in tree_flatten_with_path(reference)[0]}
    given = {keystr(path): leaf for path, leaf in tree_flatten_with_path(updates)[0]}
    for path in sorted(expected.keys() ^ given.keys()):
        where = "the updates lack" if path in expected else "the parameters lack"
        raise LeafMismatch(f"{where} leaf {path}; clients must train the parameters they were sent")
    for path, leaf in expected.items():
        if given[path].shape[1:] != leaf.shape:
            raise LeafMismatch(
                f"leaf {path}: an update has shape {given[path].shape[1:]}, not {leaf.shape}"
            )


def norm(tree: Tree) -> Float[Array, ""]:
    """Return the Euclidean norm of a tree."""
    return optax.tree.norm(tree)


def weighted_sum(updates: Tree, weights: Float[Array, " K"]) -> Tree:
    """Return sum_k w_k Delta_k, leaf by leaf."""
    return jax.tree.map(lambda leaf: jnp.tensordot(weights, leaf, axes=1), updates)


def scale(tree: Tree, factor: Float[Array, ""] | float) -> Tree:
    """Return a tree with every leaf multiplied."""
    return jax.tree.map(lambda leaf: (factor * leaf).astype(leaf.dtype), tree)


def gram(updates: Tree) -> Float[Array, "K K"]:
    """Return all inner products of clients' updates."""
    flat = [leaf.reshape(len(leaf), -1) for leaf in jax.tree.leaves(updates)]
    return sum((rows @ rows.T for rows in flat[1:]), flat[0] @ flat[0].T)


def finite(updates: Tree) -> Bool[Array, " K"]:
    """Return which clients' updates have no infinity and no nan anywhere."""
    leaves = [
        jnp.all(jnp.isfinite(leaf), axis=tuple(range(1, leaf.ndim)))
        for leaf in jax.tree.leaves(updates)
    ]
    return jnp.all(jnp.stack(leaves), axis=0)


def admit(
    updates: Tree, weights: Float[Array, " K"]
) -> tuple[Tree, Float[Array, " K"], Int[Array, ""]]:
    """Reject updates that are not finite: zero them, give their weight to the others, count them.

    Returns
    -------
    The updates, the weights (all zero if nobody is left) and the number rejected.
    """
    good = finite(updates)

    def clean(leaf: Array) -> Array:
        return jnp.where(good.reshape(-1, *[1] * (leaf.ndim - 1)), leaf, 0)

    kept = jnp.where(good, weights, 0)
    # Exactly the given weights when nobody is rejected: FedAvg's limits hold bit for bit.
    total = jnp.where(jnp.all(good), 1, jnp.maximum(jnp.sum(kept), TINY)).astype(weights.dtype)
    return jax.tree.map(clean, updates), kept / total, jnp.sum(~good)


def spectral_norm(matrix: Float[Array, "m n"], doublings: int = 12) -> Float[Array, ""]:
    """Return the largest singular value from below, by 2^doublings steps of power iteration.

    The iteration squares the smaller Gram matrix, so a tall kernel is read once, and starts from a
    fixed seeded Gaussian vector, which no structured matrix is orthogonal to. The result never
    exceeds the true value beyond rounding, and falls short of it by less than a thousandth even
    where singular values lie close together. Zero matrices give 0. Source: power iteration as in
    Halko, Martinsson and Tropp (2011), section 4; the squaring: folklore.
    """
    tall = matrix.shape[0] >= matrix.shape[1]
    square = matrix.T @ matrix if tall else matrix @ matrix.T

    def double(_: int | Array, power: Array) -> Array:
        power = power / jnp.maximum(jnp.linalg.norm(power), TINY)
        return power @ power

    power = jax.lax.fori_loop(0, doublings, double, square)
    vector = power @ jax.random.normal(jax.random.key(0), (len(square),), matrix.dtype)
    vector = vector / jnp.maximum(jnp.linalg.norm(vector), TINY)
    return jnp.sqrt(jnp.maximum(vector @ square @ vector, 0))


def is_matrix(leaf: Array) -> bool:
    """Return whether a leaf, unstacked, is the kernel of an operator rather than a bias."""
    return leaf.ndim == 2
