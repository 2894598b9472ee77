"""Keys shared by groups: every G users hold one key that is independent of all others.

X_k = W_k + Σ_{𝒢∋k} H_{𝒢,k} S_𝒢 with Σ_{k∈𝒢} H_{𝒢,k} = 0 and otherwise random coefficients: a scheme
of ours for the theorem of arXiv 2511.14444 (infeasible if G = 1 or G >= K-T, else each group key
needs (K-T-2)/C(K-T-1, G) symbols per input symbol and every message one).
"""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np

from quire.checks import integer
from quire.secure_sums.errors import InfeasibleError
from quire.secure_sums.linear._leakage import check_collusion
from quire.secure_sums.linear.fields import prime
from quire.secure_sums.linear.protocols import LinearProtocol, complete_graph, input_rows


def groupwise_key_rate(users: int, colluders: int, group: int) -> Fraction:
    """Return the least group-key rate (K-T-2)/C(K-T-1, G) of arXiv 2511.14444.

    Raises
    ------
    ValueError
        When K < 3 or T is outside 0 … K-3.
    InfeasibleError
        When G = 1 or G >= K-T: no key length suffices.
    """
    check_collusion(users, colluders)
    if integer("group", group, 0) <= 1 or group >= users - colluders:
        raise InfeasibleError(
            f"groups of G = {group} with K = {users}, T = {colluders}: infeasible, "
            f"take 2 <= G <= {users - colluders - 1}"
        )
    return Fraction(users - colluders - 2, comb(users - colluders - 1, group))


def groupwise_protocol(
    users: int, group: int, symbols: int, key_symbols: int, q: int, seed: int
) -> LinearProtocol:
    """Return the random groupwise scheme with L input symbols and L_S symbols per group key.

    The formula's rate is met with L = C(K-T-1, G) and L_S = K-T-2; `leakage` says whether the drawn
    coefficients are generic enough (they fail with probability about n/q). With G = 1 the zero sum
    leaves a group of one no coefficient but zero.

    Raises
    ------
    ValueError
        When q is not prime, G is outside 1 … K, L < 1 or L_S < 0.
    """
    q = prime(q)
    users = integer("users", users, 3)
    group = integer("group", group, 1, users)
    symbols = integer("symbols", symbols, 1)
    key_symbols = integer("key_symbols", key_symbols, 0)
    rng = np.random.default_rng(integer("seed", seed, 0))
    groups = list(combinations(range(users), group))
    sources = len(groups) * key_symbols
    inputs = input_rows(users, symbols, sources)
    n = inputs.shape[2]
    own = comb(users - 1, group - 1) * key_symbols
    keys = np.zeros((users, own, n), dtype=np.int64)
    messages = inputs.copy()
    filled = np.zeros(users, dtype=np.int64)
    for g, members in enumerate(groups):
        columns = slice(users * symbols + g * key_symbols, users * symbols + (g + 1) * key_symbols)
        mixing = rng.integers(0, q, (group, symbols, key_symbols))
        mixing[-1] = -mixing[:-1].sum(axis=0) % q
        for k, coefficients in zip(members, mixing, strict=True):
            messages[k, :, columns] += coefficients
            keys[k, filled[k] : filled[k] + key_symbols, columns] = np.eye(key_symbols, dtype=int)
            filled[k] += key_symbols
    return LinearProtocol(
        q=q,
        inputs=inputs,
        keys=keys,
        messages=messages % q,
        hears=complete_graph(users),
        wanted=np.repeat(inputs.sum(axis=0)[None], users, axis=0),
    )
