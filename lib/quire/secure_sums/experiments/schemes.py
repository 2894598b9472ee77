"""What schemes leak: the optimal one, spoilt ones, and all of them by enumeration."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import log2

import numpy as np

from quire.checks import integer
from quire.secure_sums.closed_forms import optimal_region
from quire.secure_sums.linear._leakage import correct, leakage, mutual_information
from quire.secure_sums.linear.brute_force import brute_force_information
from quire.secure_sums.linear.enumeration import count_schemes, general_linear_order
from quire.secure_sums.linear.protocols import one_pad_protocol
from quire.secure_sums.linear.zero_sum import (
    reused_pad_protocol,
    zero_sum_matrix,
    zero_sum_protocol,
)


@dataclass(frozen=True)
class WorkedUser:
    """One user of the worked example in decimal digits: input, pad and message, digit by digit."""

    user: str
    place: int
    input: int
    pad: int
    message: int


def worked_example(users: int = 4, digits: int = 4, seed: int = 0) -> list[WorkedUser]:
    """Return a secure sum in decimal digits without carries, small enough for a pencil.

    The last rows, of user "all", hold the sums of the columns: the pads add up to zero, so the
    messages add up to the same as the inputs.

    Raises
    ------
    ValueError
        When K < 3, or there are no digits.
    """
    users = integer("users", users, 3)
    digits = integer("digits", digits, 1)
    rng = np.random.default_rng(seed)
    inputs = rng.integers(0, 10, (users, digits))
    pads = rng.integers(0, 10, (users, digits))
    pads[-1] = -pads[:-1].sum(axis=0) % 10
    messages = (inputs + pads) % 10
    names = [str(k + 1) for k in range(users)] + ["all"]
    tables = [np.vstack([part, part.sum(axis=0) % 10]) for part in (inputs, pads, messages)]
    return [
        WorkedUser(name, place, *(int(table[row, place]) for table in tables))
        for row, name in enumerate(names)
        for place in range(digits)
    ]


@dataclass(frozen=True)
class SchemeRow:
    """The zero-sum scheme for one K and q.

    Attributes
    ----------
    users, q
        K, and the size of the field.
    coalitions
        Observers with colluders that were tried, for all T <= K-3.
    correct
        Whether every user obtains the sum.
    leak
        The largest leak to any coalition, in symbols.
    message, key, total_key
        The rates.
    """

    users: int
    q: int
    coalitions: int
    correct: bool
    leak: int
    message: Fraction
    key: Fraction
    total_key: Fraction

    @property
    def over_theorem(self) -> tuple[Fraction, Fraction, Fraction]:
        """Each rate over the theorem's."""
        least = optimal_region(self.users)
        return (
            self.message / least.message,
            self.key / least.key,
            self.total_key / least.total_key,
        )


def leaks_of_the_scheme(users: Iterable[int], fields: Iterable[int]) -> list[SchemeRow]:
    """Return correctness, leakage and rates of the zero-sum scheme for each K and q."""
    rows = []
    for count in users:
        for q in fields:
            protocol = zero_sum_protocol(count, q)
            report = leakage(protocol, range(count - 2))
            rates = protocol.rates()
            rows.append(
                SchemeRow(
                    users=count,
                    q=q,
                    coalitions=len(report.symbols),
                    correct=bool(correct(protocol).all()),
                    leak=int(report.symbols.max()),
                    message=rates.message,
                    key=rates.key,
                    total_key=rates.total_key,
                )
            )
    return rows


@dataclass(frozen=True)
class TwinRow:
    """How many coalitions that hold so many of the twins learn so much.

    Attributes
    ----------
    twins
        Members of the coalition among the two users that share a pad.
    leak
        What the coalition learns beyond the sum, in symbols.
    coalitions
        How many such coalitions there are.
    correct
        Whether every user still obtains the sum.
    """

    twins: int
    leak: int
    coalitions: int
    correct: bool


def shared_pad(users: int, q: int = 3) -> list[TwinRow]:
    """Count the coalitions by what they learn when users 1 and 2 share a pad.

    Raises
    ------
    ValueError
        When K < 4.
    """
    users = integer("users", users, 4)
    matrix = zero_sum_matrix(users, q).copy()
    matrix[1] = matrix[0]
    matrix[-1] = -matrix[:-1].sum(axis=0) % q
    protocol = one_pad_protocol(matrix, q)
    right = bool(correct(protocol).all())
    report = leakage(protocol, range(users - 2))
    inside = report.colluders.copy()
    inside[np.arange(len(inside)), report.users] = True
    twins = inside[:, :2].sum(axis=1)
    pairs, counts = np.unique(np.stack([twins, report.symbols]), axis=1, return_counts=True)
    return [
        TwinRow(int(t), int(leak), int(n), right)
        for (t, leak), n in zip(pairs.T, counts, strict=True)
    ]


@dataclass(frozen=True)
class EnumerationRow:
    """All key matrices with K rows and r columns over F_q, and those that are optimal.

    Attributes
    ----------
    users, q, sources
        K, q and r.
    searched
        Matrices looked at: q^(K·r).
    schemes
        Those that are correct for every user and leak nothing for T = K-3.
    group_order
        |GL_(K-1)(F_q)|.
    """

    users: int
    q: int
    sources: int
    searched: int
    schemes: int
    group_order: int


def enumerate_schemes(largest: int) -> list[EnumerationRow]:
    """Return the count for every r < K, K = 3 (q = 2, 3, 5) and, if asked for, 4 (q = 2, 3).

    Raises
    ------
    ValueError
        When ``largest`` is neither 3 nor 4.
    """
    largest = integer("largest", largest, 3, 4)
    cases = [(3, 2), (3, 3), (3, 5)] + ([(4, 2), (4, 3)] if largest == 4 else [])
    rows = []
    for users, q in cases:
        for sources in range(users):
            found = count_schemes(users, q, sources, colluders=users - 3)
            order = general_linear_order(users - 1, q)
            rows.append(EnumerationRow(users, q, sources, found.searched, found.optimal, order))
    return rows


@dataclass(frozen=True)
class Agreement:
    """Ranks against enumeration.

    Attributes
    ----------
    compared, leaky
        Protocols compared, and those among them that leak.
    largest_difference
        In bits.
    """

    compared: int
    leaky: int
    largest_difference: float


def ranks_against_enumeration(seed: int, drawn: int = 4) -> Agreement:
    """Compare the leak to user 1 by ranks with that by enumerating every outcome.

    On the scheme and on ``drawn`` random key matrices, for K = 3, 4 and q = 2, 3.
    """
    rng = np.random.default_rng(seed)
    differences, leaky = [], 0
    for q, users in ((2, 3), (2, 4), (3, 3), (3, 4)):
        matrices = [zero_sum_matrix(users, q), *rng.integers(0, q, (drawn, users, users - 1))]
        for matrix in matrices:
            p = one_pad_protocol(matrix, q)
            given = np.concatenate([p.wanted[0], p.inputs[0], p.keys[0]])
            parts = (p.messages[1:, 0], p.inputs[:, 0], given)
            exact = mutual_information(*parts, q)
            leaky += exact > 0
            differences.append(abs(brute_force_information(*parts, q) - exact * log2(q)))
    return Agreement(len(differences), leaky, max(differences))


@dataclass(frozen=True)
class ReuseRow:
    """Two rounds under one pad: whether both sums come out, and what the worst coalition learns."""

    users: int
    correct: bool
    leak: int


def reuse_of_a_pad(users: Iterable[int], q: int = 3) -> list[ReuseRow]:
    """Return, for each K, what becomes of a pad that serves two rounds."""
    rows = []
    for count in users:
        protocol = reused_pad_protocol(count, q)
        leak = leakage(protocol, range(count - 2)).worst.symbols
        rows.append(ReuseRow(count, bool(correct(protocol).all()), leak))
    return rows


@dataclass(frozen=True)
class Timed:
    """Seconds of several rounds, and what was checked in each."""

    checked: int
    leak: int
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return float(np.median(self.seconds))


def timed_coalitions(users: int = 12, q: int = 2, rounds: int = 5) -> Timed:
    """Time the leakage of the scheme to all coalitions of many users, after one warm-up."""
    protocol = zero_sum_protocol(users, q)
    leakage(protocol, range(2))
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        report = leakage(protocol, range(users - 2))
        seconds.append(time.perf_counter() - started)
    return Timed(len(report.symbols), report.worst.symbols, tuple(seconds))
