"""What is proved about one layer and about each step of GGRS, held against numbers."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from quire.aggregation.graphs.graph import Federation
from quire.aggregation.rounds import clients_of
from quire.aggregation.server.ggrs import align, cap


@dataclass(frozen=True)
class Identities:
    """Largest deviations; see `identities`."""

    norm: float
    factors: float
    outside: int
    excess: float


def identities(federation: Federation, tau: float, kappa: float, seed: int) -> Identities:
    """Check the theorem on a federation's operators, and the steps where they have to act.

    Returns
    -------
    ``norm``, the largest distance of an operator's spectral norm from 1; ``factors``, the largest
    relative error of the factorised inner product of two layer perturbations; ``outside``, how many
    of 64 random updates, half of which oppose the reference, have a cosine below ``tau`` after
    alignment, in parts of the update's old length; ``excess``, the largest spectral norm over its
    cap, for random updates that all exceed it.
    """
    operators = np.asarray(clients_of(federation).operator, float)
    norms = np.linalg.norm(operators, 2, axis=(1, 2))
    rng = np.random.default_rng(seed)
    changes: Float[np.ndarray, "2 3 4"] = rng.standard_normal((2, 3, 4))
    errors, scale = [], np.linalg.norm(changes[0]) * np.linalg.norm(changes[1])
    for j in range(federation.clients):
        for k in range(j, federation.clients):
            left, right = operators[j][:12, :12], operators[k][:12, :12]
            whole = np.sum(np.kron(left, changes[0].T) * np.kron(right, changes[1].T))
            apart = np.sum(left * right) * np.sum(changes[0] * changes[1])
            errors.append(abs(whole - apart) / scale)
    reference = jnp.asarray(rng.standard_normal((16, 8)))
    signs = np.where(np.arange(64) % 2, 1.0, -1.0)[:, None, None]
    updates = jnp.asarray(signs * np.asarray(reference) + rng.standard_normal((64, 16, 8)))
    turned = np.asarray(jax.vmap(lambda one: align(one, reference, tau))(updates), float)
    along = np.einsum("kio,io->k", turned, np.asarray(reference, float))
    sizes = np.linalg.norm(updates, axis=(1, 2)) * float(jnp.linalg.norm(reference))
    limit = 0.5 * float(np.linalg.norm(np.asarray(updates), 2, axis=(1, 2)).min()) / kappa
    capped = np.asarray(jax.vmap(lambda one: cap(one, jnp.asarray(limit), kappa))(updates), float)
    return Identities(
        float(np.abs(norms - 1).max()),
        max(errors),
        int(np.sum(along < (tau - 1e-5) * sizes)),
        float(np.linalg.norm(capped, 2, axis=(1, 2)).max() / (kappa * limit)),
    )
