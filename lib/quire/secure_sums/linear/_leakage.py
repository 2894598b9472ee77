"""The exact leakage of a linear protocol, for every observer and every set of colluders.

For linear variables, I(A; B | C) = rank(A∪C) + rank(B∪C) - rank(A∪B∪C) - rank(C) in q-ary symbols:
an integer, with no sampling and no tolerance.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from jaxtyping import Bool, Int

from quire.checks import integer
from quire.secure_sums.checks import whole_numbers, yes_or_no
from quire.secure_sums.linear.fields import FiniteField
from quire.secure_sums.linear.protocols import LinearProtocol
from quire.secure_sums.linear.ranks import pack_rows, packed_prefix_ranks, prefix_ranks
from quire.signatures import checked

BATCH = 4096  # coalitions eliminated together: bounds the memory, not the result


@dataclass(frozen=True)
class Leak:
    """What one coalition learns beyond its due, in q-ary symbols."""

    user: int
    colluders: tuple[int, ...]
    symbols: int


@dataclass(frozen=True)
class LeakageReport:
    """Leakage of a protocol over all observers u and colluder sets 𝒯.

    Attributes
    ----------
    users, colluders
        The observer and the membership row of 𝒯, one entry per coalition.
    symbols
        I({X_j heard}; W_[K] | the sums due, own and pooled inputs and keys), q-ary symbols.
    """

    users: Int[np.ndarray, " c"]
    colluders: Bool[np.ndarray, "c K"]
    symbols: Int[np.ndarray, " c"]

    @property
    def worst(self) -> Leak:
        """The largest leak; among equals the fewest colluders, then the lowest numbers."""
        i = int(np.argmax(self.symbols))
        members = tuple(int(j) for j in np.flatnonzero(self.colluders[i]))
        return Leak(int(self.users[i]), members, int(self.symbols[i]))


def check_collusion(users: int, colluders: int) -> None:
    """Refuse a number of users or colluders for which there is nothing to protect.

    Raises
    ------
    ValueError
        When K < 3, T < 0 or T > K-3, or a number is not whole.
    """
    if (users := integer("users", users, 1)) < 3:
        raise ValueError(f"users = {users}: K = {users} have nothing to protect (K>=3)")
    if not 0 <= integer("colluders", colluders, -(2**31)) <= users - 3:
        raise ValueError(
            f"colluders = {colluders}: T is outside 0 … {users - 3}: with K = {users} and "
            f"T >= {users - 2} the last input follows from the sum and security is vacuous; lower T"
        )


def coalitions(
    users: int, sizes: Iterable[int]
) -> tuple[Int[np.ndarray, " c"], Bool[np.ndarray, "c K"]]:
    """Return every observer u with every 𝒯 ⊂ [K]∖{u} of the given sizes, small ones first.

    Raises
    ------
    ValueError
        When no size is given, or one is outside 0 … K-1.
    """
    observers, members = [], []
    for size in sorted(integer("sizes", size, 0, users - 1) for size in sizes):
        for u in range(users):
            others = [j for j in range(users) if j != u]
            chosen = np.array(list(combinations(others, size)), dtype=np.int64)
            chosen = chosen.reshape(comb(len(others), size), size)
            rows = np.zeros((len(chosen), users), dtype=bool)
            np.put_along_axis(rows, chosen, True, axis=1)
            observers.append(np.full(len(rows), u))
            members.append(rows)
    if not observers:
        raise ValueError("sizes is empty: at least one number of colluders is needed")
    return np.concatenate(observers), np.concatenate(members)


@checked
def leakage(protocol: LinearProtocol, sizes: Iterable[int]) -> LeakageReport:
    """Return the leakage to every coalition whose number of colluders is in ``sizes``.

    Security of the paper's definition with threshold T is ``sizes=range(T + 1)`` and a report of
    zeros. A coalition pools what its members hold and hear, and is due the sums that they want.

    Raises
    ------
    ValueError
        When no size is given, or one is outside 0 … K-1.
    """
    return leakage_to(protocol, *coalitions(protocol.users, sizes))


@checked
def leakage_to(
    protocol: LinearProtocol,
    observers: Int[np.ndarray, " c"],
    members: Bool[np.ndarray, "c K"],
    protected: Bool[np.ndarray, "c K"] | None = None,
) -> LeakageReport:
    """Return the leakage to these observers with these colluders: any collusion structure.

    Parameters
    ----------
    protocol
        The protocol.
    observers, members
        u, and the users that it pools with, of each coalition.
    protected
        Whose inputs the coalition must not learn of; all of them by default.

    Raises
    ------
    ValueError
        When an observer is no user, or the shapes disagree.
    """
    observers = whole_numbers("observers", observers)
    users, count = protocol.users, len(observers)
    if count and not (observers.min() >= 0 and observers.max() < users):
        raise ValueError(f"observers has entries outside 0 … {users - 1}")
    members = yes_or_no("members", members, (count, users))
    hidden = np.ones((count, users), dtype=bool)
    if protected is not None:
        hidden = yes_or_no("protected", protected, (count, users))
    together = members.copy()
    together[np.arange(count), observers] = True
    symbols = np.empty(count, dtype=np.int64)
    table = _RowTable(protocol)
    for start in range(0, count, BATCH):
        batch = slice(start, start + BATCH)
        symbols[batch] = _batch_leakage(protocol, table, together[batch], hidden[batch])
    return LeakageReport(observers, members, symbols)


def mutual_information(
    left: Int[np.ndarray, "a n"],
    right: Int[np.ndarray, "b n"],
    given: Int[np.ndarray, "c n"],
    q: int,
) -> int:
    """Return I(left; right | given) in q-ary symbols for rows of coefficients over F_q.

    Raises
    ------
    ValueError
        When q is not a prime power, or an entry is not an element of F_q.
    """
    field = FiniteField(q)
    a_rows, b_rows, c_rows = (
        field.elements(name, rows)
        for name, rows in (("left", left), ("right", right), ("given", given))
    )
    first = np.concatenate([c_rows, a_rows, b_rows])
    second = np.concatenate([c_rows, b_rows])
    ranks = [0, *prefix_ranks(first[None], q)[0]]
    both = [0, *prefix_ranks(second[None], q)[0]]
    g, a = len(c_rows), len(a_rows)
    return int(ranks[g + a] + both[-1] - ranks[-1] - ranks[g])


@checked
def correct(protocol: LinearProtocol) -> Bool[np.ndarray, " K"]:
    """Return, for each user, whether its sum follows from its own data and what it hears."""
    result = np.zeros(protocol.users, dtype=bool)
    for u in range(protocol.users):
        heard = protocol.messages[protocol.hears[u]].reshape(-1, protocol.messages.shape[2])
        base = np.concatenate([protocol.inputs[u], protocol.keys[u], heard])
        ranks = prefix_ranks(np.concatenate([base, protocol.wanted[u]])[None], protocol.q)[0]
        result[u] = ranks[-1] == ranks[len(base) - 1]
    return result


class _RowTable:
    """All rows of a protocol, packed once if q = 2, with a last row of zeros for padding."""

    def __init__(self, protocol: LinearProtocol) -> None:
        n = protocol.inputs.shape[2]
        parts = [protocol.inputs, protocol.keys, protocol.messages, protocol.wanted]
        flat = [part.reshape(-1, n) for part in parts]
        rows = np.concatenate([*flat, np.zeros((1, n), dtype=np.int64)])
        starts = np.cumsum([0, *(len(part) for part in flat)])
        self.index = [
            start + np.arange(len(part)).reshape(protocol.users, -1)
            for start, part in zip(starts, flat, strict=False)
        ]
        self.zero = len(rows) - 1
        self.q = protocol.q
        self.packed = protocol.q == 2 and n <= 64
        self.rows = pack_rows(rows) if self.packed else rows
        self.encodable = protocol.encodable()
        self.one_sum = bool((protocol.wanted == protocol.wanted[0]).all())

    def ranks(self, index: Int[np.ndarray, "b r"]) -> Int[np.ndarray, "b r"]:
        """Return the prefix ranks of the chosen rows of each coalition."""
        chosen = self.rows[index]
        return packed_prefix_ranks(chosen) if self.packed else prefix_ranks(chosen, self.q)

    def choose(self, part: int, present: Bool[np.ndarray, "b K"]) -> Int[np.ndarray, "b r"]:
        """Return the row numbers of the present users' part, padded with zero rows."""
        width = int(present.sum(axis=1).max(initial=0))
        order = np.argsort(~present, axis=1, kind="stable")[:, :width]
        kept = np.take_along_axis(present, order, axis=1)
        rows = np.where(kept[:, :, None], self.index[part][order], self.zero)
        return rows.reshape(len(present), -1)


def _batch_leakage(
    protocol: LinearProtocol,
    table: _RowTable,
    together: Bool[np.ndarray, "b K"],
    hidden: Bool[np.ndarray, "b K"],
) -> Int[np.ndarray, " b"]:
    """Leakage to a batch of coalitions: two eliminations for all of them."""
    heard = together @ protocol.hears
    if table.encodable:
        heard &= ~together  # members' own messages follow from what they hold
    due = together
    if table.one_sum:
        due = np.zeros_like(together)
        due[:, 0] = True  # one sum for all: one row is enough
    given = np.concatenate(
        [table.choose(3, due), table.choose(0, together), table.choose(1, together)], axis=1
    )
    messages, inputs = table.choose(2, heard), table.choose(0, hidden & ~together)
    first = table.ranks(np.concatenate([given, messages, inputs], axis=1))
    second = table.ranks(np.concatenate([given, inputs], axis=1))
    g, a = given.shape[1], messages.shape[1]
    return first[:, g + a - 1] + second[:, -1] - first[:, -1] - first[:, g - 1]
