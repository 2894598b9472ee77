"""Bound and scheme side by side: what remains between them for any graph and any collusion."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Int

from quire.secure_sums.converse.proofs import ConverseProof, prove_converse
from quire.secure_sums.linear.graph_schemes import best_scheme
from quire.secure_sums.problems import AggregationProblem
from quire.signatures import checked


@dataclass(frozen=True)
class KeyGap:
    """What is known of a problem's least total key, in symbols per input symbol.

    Attributes
    ----------
    bound
        The converse's optimum, which ``proof`` proves exactly.
    scheme
        The key matrix of the best scalar-linear scheme found, or ``None``.
    """

    bound: Fraction
    proof: ConverseProof
    scheme: Int[np.ndarray, "K r"] | None

    @property
    def achieved(self) -> int | None:
        """Total key symbols of the best scheme found."""
        return None if self.scheme is None else self.scheme.shape[1]

    @property
    def gap(self) -> Fraction | None:
        """What remains between the scheme and the bound."""
        return None if self.achieved is None else self.achieved - self.bound


@checked
def key_gap(problem: AggregationProblem, q: int, seed: int = 0) -> KeyGap:
    """Return bound, best scheme found and gap for the total key of a problem.

    The search does not know the bound: it starts from what counting alone demands.

    Raises
    ------
    ValueError
        When q is not prime, or a user wants an input that it neither holds nor hears.
    """
    scheme = best_scheme(problem, q, seed=seed)
    proof = prove_converse(problem, "total key")
    return KeyGap(proof.bound, proof, scheme)
