"""How much clients' updates get in one another's way.

All definitions are ours; the paper's were not available.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from quire.aggregation.server.updates import TINY, Tree, gram, norm, weighted_sum


def destructive_interference(updates: Tree, weights: Float[Array, " K"]) -> Float[Array, ""]:
    """Return DI = 1 - |sum w_k D_k| / sum w_k |D_k|, in [0, 1].

    It is 0 exactly when all updates of positive weight are parallel, and 1 when they cancel; for no
    update at all it is 0. K equal orthogonal updates of equal weight give 1 - 1/sqrt(K).
    """
    mean = norm(weighted_sum(updates, weights))
    total = weights @ jax.vmap(norm)(updates)
    return jnp.where(total > 0, jnp.clip(1 - mean / jnp.maximum(total, TINY), 0, 1), 0)


def conflicts(updates: Tree) -> Float[Array, ""]:
    """Return NEG, the share of pairs of clients whose updates have a negative cosine."""
    products = gram(updates)
    clients = len(products)
    pairs = jnp.triu(products < 0, 1)
    return jnp.sum(pairs) / max(1, clients * (clients - 1) // 2)
