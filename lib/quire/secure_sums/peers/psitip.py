"""The converse for three users asked of psitip, another author's prover of Shannon inequalities."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any


def psitip_proves(least: float) -> bool:
    """Return whether psitip proves H(Z_1, Z_2, Z_3) >= least, in its own words for K = 3."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, about its own source
        package: Any = import_module("psitip")
        H, I, rv = package.H, package.I, package.rv  # noqa: E741
        W, Z, X = ([rv(f"{letter}{k}") for k in range(3)] for letter in "WZX")
        S, inputs, keys = rv("S"), W[0] + W[1] + W[2], Z[0] + Z[1] + Z[2]
        given = (H(inputs + keys) == 3 * H(S) + H(keys)) & (H(S | inputs) == 0)
        for u in range(3):
            a, b = (k for k in range(3) if k != u)
            given &= (H(W[u]) == H(S)) & (H(X[u] | W[u] + Z[u]) == 0)
            given &= (H(W[u] | S + W[a] + W[b]) == 0) & (H(S | X[a] + X[b] + W[u] + Z[u]) == 0)
            given &= I(X[a] + X[b] & inputs | S + W[u] + Z[u]) == 0
        return bool(given >> (H(keys) >= least * H(S)))
