"""A one-shot linear protocol: every variable is a linear image of one uniform vector over F_q.

The vector is v = (W_1, …, W_K, N): the inputs and the dealer's source symbols. Inputs, keys and
messages are rows of coefficients, so entropies in q-ary symbols are ranks.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Int

from quire.secure_sums.fields import FiniteField
from quire.secure_sums.ranks import rank


@dataclass(frozen=True)
class LinearProtocol:
    """Who holds, sends, hears and wants what, as rows of coefficients over F_q.

    Parameters
    ----------
    q
        Field size, a prime power.
    inputs, keys, messages
        Rows of W_k, Z_k and X_k; a row of zeros is a symbol that is not there.
    hears
        ``hears[u, j]``: user u receives the message of user j.
    wanted
        Rows of the sum that user u is to learn.

    Raises
    ------
    ValueError
        When the shapes disagree, an entry is no field element, or q is no prime power.
    """

    q: int
    inputs: Int[np.ndarray, "K L n"]
    keys: Int[np.ndarray, "K Lz n"]
    messages: Int[np.ndarray, "K Lx n"]
    hears: Bool[np.ndarray, "K K"]
    wanted: Int[np.ndarray, "K L n"]

    def __post_init__(self) -> None:
        FiniteField(self.q)
        parts = {"inputs": self.inputs, "keys": self.keys, "messages": self.messages}
        for name, part in (parts | {"wanted": self.wanted}).items():
            if part.shape[0] != self.users or part.shape[2] != self.inputs.shape[2]:
                raise ValueError(f"{name} has shape {part.shape}; expected (K, symbols, n)")
            if part.size and (part.min() < 0 or part.max() >= self.q):
                raise ValueError(f"{name} has entries outside F_{self.q}; reduce them first")

    @property
    def users(self) -> int:
        """K, the number of users."""
        return self.inputs.shape[0]

    @property
    def symbols(self) -> int:
        """L, the number of input symbols of each user."""
        return self.inputs.shape[1]

    def encodable(self) -> bool:
        """Return whether every message is a function of its sender's input and key."""
        return all(
            rank(np.concatenate([w, z]), self.q) == rank(np.concatenate([w, z, x]), self.q)
            for w, z, x in zip(self.inputs, self.keys, self.messages, strict=True)
        )

    def rates(self) -> Rates:
        """Return (R_X, R_Z, R_ZΣ): the largest message and key, and all keys, per input symbol."""
        pooled = self.keys.reshape(-1, self.keys.shape[2])
        return Rates(
            Fraction(max(rank(x, self.q) for x in self.messages), self.symbols),
            Fraction(max(rank(z, self.q) for z in self.keys), self.symbols),
            Fraction(rank(pooled, self.q), self.symbols),
        )


@dataclass(frozen=True)
class Rates:
    """Symbols per input symbol: sent by a user, held as key by a user, and all keys together."""

    message: Fraction
    key: Fraction
    total_key: Fraction


def complete_graph(users: int) -> Bool[np.ndarray, "K K"]:
    """Return who hears whom when everyone hears everyone else."""
    return ~np.eye(users, dtype=bool)


def input_rows(users: int, symbols: int, sources: int) -> Int[np.ndarray, "K L n"]:
    """Return the coefficient rows of the inputs; columns are W_1 … W_K, then the source symbols."""
    n = users * symbols + sources
    return np.eye(users * symbols, n, dtype=np.int64).reshape(users, symbols, n)


def one_pad_protocol(
    key_matrix: Int[np.ndarray, "K r"], q: int, hears: Bool[np.ndarray, "K K"] | None = None
) -> LinearProtocol:
    """Return the protocol X_k = W_k + Z_k with one-symbol keys Z = M·N, everyone wanting ΣW.

    Parameters
    ----------
    key_matrix
        M: row k combines the r source symbols into the key of user k.
    q
        Field size.
    hears
        Who hears whom; everyone everyone else by default.
    """
    key_matrix = np.asarray(key_matrix, dtype=np.int64)
    users, sources = key_matrix.shape
    inputs = input_rows(users, 1, sources)
    keys = np.zeros((users, 1, users + sources), dtype=np.int64)
    keys[:, 0, users:] = key_matrix
    return LinearProtocol(
        q=q,
        inputs=inputs,
        keys=keys,
        messages=inputs + keys,
        hears=complete_graph(users) if hears is None else hears,
        wanted=np.repeat(inputs.sum(axis=0)[None], users, axis=0),
    )
