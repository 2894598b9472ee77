"""A one-shot linear protocol: every variable is a linear image of one uniform vector over F_q.

The vector is v = (W_1, …, W_K, N): the inputs and the dealer's source symbols. Inputs, keys and
messages are rows of coefficients, so entropies in q-ary symbols are ranks.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Int, Integer

from quire.checks import integer
from quire.secure_sums.checks import whole_numbers, yes_or_no
from quire.secure_sums.linear.fields import FiniteField
from quire.secure_sums.linear.ranks import prefix_ranks, rank


@dataclass(frozen=True)
class LinearProtocol:
    """Who holds, sends, hears and wants what, as rows of coefficients over F_q.

    Attributes
    ----------
    q
        Field size, a prime power.
    inputs, keys, messages
        Rows of W_k, Z_k and X_k; a row of zeros is a symbol that is not there.
    hears
        ``hears[u, j]``: user u receives the message of user j. Zeros and ones are taken as well.
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
    hears: Bool[np.ndarray, "K K"] | Integer[np.ndarray, "K K"]
    wanted: Int[np.ndarray, "K L n"]

    def __post_init__(self) -> None:
        field = FiniteField(self.q)
        object.__setattr__(self, "q", field.q)
        for name in ("inputs", "keys", "messages", "wanted"):
            part = np.asarray(getattr(self, name))
            if part.ndim != 3 or part.shape[::2] != np.shape(self.inputs)[::2]:
                raise ValueError(f"{name} has shape {part.shape}: (K, symbols, n) is needed")
            object.__setattr__(self, name, field.elements(name, part))
        if self.wanted.shape[1] != self.symbols:
            raise ValueError(f"wanted has {self.wanted.shape[1]} rows: {self.symbols} are needed")
        # counts instead of yes and no would be combined bit by bit, and hide messages
        hears = yes_or_no("hears", self.hears, (self.users, self.users))
        object.__setattr__(self, "hears", hears)

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
        held = self.inputs.shape[1] + self.keys.shape[1]
        stacked = np.concatenate([self.inputs, self.keys, self.messages], axis=1)
        ranks = prefix_ranks(stacked, self.q)
        return bool((ranks[:, -1] == ranks[:, held - 1]).all())

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
    """Return who hears whom when everyone hears everyone else.

    Raises
    ------
    ValueError
        When there is no user.
    """
    return ~np.eye(integer("users", users, 1), dtype=bool)


def input_rows(users: int, symbols: int, sources: int) -> Int[np.ndarray, "K L n"]:
    """Return the coefficient rows of the inputs; columns are W_1 … W_K, then the source symbols."""
    n = users * symbols + sources
    return np.eye(users * symbols, n, dtype=np.int64).reshape(users, symbols, n)


def one_pad_protocol(
    key_matrix: Int[np.ndarray, "KL r"],
    q: int,
    hears: Bool[np.ndarray, "K K"] | None = None,
    symbols: int = 1,
) -> LinearProtocol:
    """Return the protocol X_k = W_k + Z_k with keys Z = M·N, everyone wanting ΣW.

    Parameters
    ----------
    key_matrix
        M: row k·L + i combines the r source symbols into the i-th key symbol of user k.
    q
        Field size.
    hears
        Who hears whom; everyone everyone else by default.
    symbols
        L, the input symbols of each user; more than one makes a block code.

    Raises
    ------
    ValueError
        When M has no whole number of users, or an entry is no element of F_q.
    """
    field = FiniteField(q)
    matrix = field.elements("key_matrix", whole_numbers("key_matrix", key_matrix))
    length = integer("symbols", symbols, 1)
    if matrix.ndim != 2 or len(matrix) == 0 or len(matrix) % length:
        raise ValueError(f"key_matrix has shape {matrix.shape}: {length} rows a user are needed")
    users, sources = len(matrix) // length, matrix.shape[1]
    inputs = input_rows(users, length, sources)
    keys = np.zeros((users, length, users * length + sources), dtype=np.int64)
    keys[:, :, users * length :] = matrix.reshape(users, length, sources)
    return LinearProtocol(
        q=q,
        inputs=inputs,
        keys=keys,
        messages=inputs + keys,
        hears=complete_graph(users) if hears is None else hears,
        wanted=np.repeat(inputs.sum(axis=0)[None], users, axis=0),
    )
