"""Checks of the chapter's exercises: each computes what is right and compares the answer with it.

A check returns ``False`` for ``None``, for what is of a wrong kind or shape and for what is not
right; it never raises, and it shows nobody what would have been right.
"""

from __future__ import annotations

import copy
import json
import re
from fractions import Fraction
from functools import cache
from numbers import Rational
from typing import Any

import numpy as np

from quire.secure_sums import check_certificate
from quire.secure_sums.certificates import Wire, as_data, certify, with_wire
from quire.secure_sums.linear._leakage import correct, leakage
from quire.secure_sums.linear.block_codes import block_coded_keys
from quire.secure_sums.linear.graph_schemes import problem_leakage, problem_protocol
from quire.secure_sums.linear.graphs import ring
from quire.secure_sums.linear.protocols import one_pad_protocol
from quire.secure_sums.linear.ranks import rank
from quire.secure_sums.problems import neighbourhood_sums

OWN_INPUT, OWN_PAD = (7, 0, 2), (5, 9, 1)
HEARD = ((3, 3, 8), (9, 1, 0), (4, 6, 6))
"""What the first user of the first exercise holds and hears, in decimal digits without carries."""

SHARED = ((1, 0), (0, 1), (1, 0), (0, 1), (3, 3))
"""Keys of five users over F_5: N_1, N_2, N_1, N_2 and -2·N_1 - 2·N_2."""

DIGIT = 9  # the largest magnitude of an entry of a matrix

SUBSTANCE = (
    "a coalition learns",
    "do not add up to zero",
    "2 is not among the fields",
    "a proof does not add up",
    "a step is no inequality",
    "a step is not elemental",
    "an equality is of another",
    "an equality is not of",
    "the rates are not",
    "the payload",
)
"""Words of the checker's refusals of false statements; its other refusals are of a form."""

LEAST = {"users": 3, "keys": -(2**31), "fields": 2, "wire": 1}
MOST = {"users": check_certificate.MOST_USERS}
"""Ranges of the whole numbers of a certificate, by its parts; 0 and 2^31 elsewhere."""

PRINTED: tuple[tuple[tuple[str | int, ...], Any], ...] = (
    (("keys",), [[1, 0], [1, 0], [-2, 0]]),
    (("fields",), [3]),
    (("fields",), [2, 4]),
    (("bounds", 2, "bound"), "3"),
    (("bounds", 2, "bound"), "4"),
    (("bounds", 0, "inequalities", 0, 3), "-1"),
    (("colluders",), 2),
    (("wire", "payload_bytes", 0), 9),
    (("wire", "rounds"), 2),
)
"""What the page itself forges, for three users, as far as it is of the old type and range."""


def decoded_sum(answer: Any) -> bool:
    """Return whether the answer is the sum that the user with `OWN_PAD` computes, by digits."""
    values = _integers(answer, (3,))
    if values is None:
        return False
    total = (np.array(OWN_INPUT) + np.array(OWN_PAD) + np.array(HEARD).sum(axis=0)) % 10
    return values.tolist() == total.tolist()


def shared_keys(answer: Any) -> bool:
    """Return whether the answer is what user 1 of `SHARED` learns alone, and with user 3."""
    values = _integers(answer, (2,))
    if values is None:
        return False
    protocol = one_pad_protocol(np.array(SHARED), 5)
    alone, pairs = leakage(protocol, [0]), leakage(protocol, [1])
    third = (pairs.users == 0) & pairs.colluders[:, 2]
    return values.tolist() == [int(alone.symbols[0]), int(pairs.symbols[third][0])]


def ring_keys(answer: Any, users: int = 6) -> bool:
    """Return whether the answer is a matrix of keys over F_2 for a ring, with no column to spare.

    Correct for every user, no leak to any user alone, and as few independent source symbols as the
    size of a neighbourhood.
    """
    keys = _matrix(answer, users)
    if keys is None or keys.shape[1] == 0 or not np.isin(keys, (0, 1)).all():
        return False
    problem = neighbourhood_sums(ring(users))
    protocol = problem_protocol(problem, keys, 2)
    if not correct(protocol).all() or problem_leakage(problem, protocol).symbols.any():
        return False
    return keys.shape[1] == rank(keys, 2) == len(problem.wants[0])


def fooling_keys(answer: Any, users: int = 4) -> bool:
    """Return whether the answer is a key matrix that a checker of F_3 alone would let pass.

    K rows and K-1 columns of single digits that add up to zero; over F_3 nothing leaks to anybody
    with any colluders; over F_2, and so from the low bits of machine words, something does.
    """
    keys = _matrix(answer, users)
    if keys is None or keys.shape[1] != users - 1 or np.abs(keys).max() > DIGIT:
        return False
    if keys.sum(axis=0).any():
        return False
    hidden, shown = (one_pad_protocol(keys % q, q) for q in (3, 2))
    sizes = range(users - 2)
    return not leakage(hidden, sizes).symbols.any() and bool(leakage(shown, sizes).symbols.any())


def three_refusals(answer: Any) -> bool:
    """Return whether the answer is three changes that the checker refuses for different reasons.

    A change is a pair: the way into the certificate (a tuple of names and positions), and the value
    to put there. The value is of the type and in the range of what was there. None is a kind of
    forgery that the page prints: in the same place, positions aside, and refused for the same
    reason as one of `PRINTED`. One of the refusals at most may be of a form (`SUBSTANCE`).
    """
    if not isinstance(answer, list | tuple) or len(answer) != 3:
        return False
    reasons = set()
    for change in answer:
        if not isinstance(change, list | tuple) or len(change) != 2:
            return False
        reason = _refusal(*change)
        if reason is None:
            return False
        reasons.add(reason)
    forms = [reason for reason in reasons if not any(said in reason for said in SUBSTANCE)]
    return len(reasons) == 3 and len(forms) <= 1


def block_rate(answer: Any, users: int = 5) -> bool:
    """Return whether the answer is the block code's total key rate for five users, exactly."""
    if isinstance(answer, bool) or not isinstance(answer, Rational):
        return False
    protocol = one_pad_protocol(block_coded_keys(users, 3), 3, symbols=users - 2)
    return Fraction(answer) == protocol.rates().total_key


@cache
def _genuine() -> dict[str, Any]:
    """Return a certificate of three users that the checker accepts."""
    wire = Wire(1, 1, payload_bytes=(8,) * 3, heard_bytes=(8,) * 3, framing_bytes=(64,) * 3)
    data: dict[str, Any] = json.loads(json.dumps(as_data(with_wire(certify(3, 0), wire))))
    return data


def _refusal(way: Any, value: Any) -> str | None:
    """Return why the checker refuses a changed certificate, unless the page prints the like."""
    if isinstance(way, str):
        way = (way,)
    reason = _reason(way, value)
    return None if reason is None or (_kind(way), reason) in _printed() else reason


def _reason(way: Any, value: Any) -> str | None:
    """Return why the checker refuses a changed certificate, numbers left out; or nothing."""
    data: Any = copy.deepcopy(_genuine())
    try:
        *steps, last = way
        place = data
        for step in steps:
            place = place[step]
        least, most = LEAST.get(way[0], 0), MOST.get(way[0], 2**31)
        if not _alike(value, place[last], least, most):
            return None
        place[last] = value
        check_certificate.check(data)
    except SystemExit as refusal:
        said = str(refusal.code)
        return said if "2 is not among" in said else re.sub(r"[-\d.]+", "#", said)
    except Exception:
        return None
    return None


def _alike(new: Any, old: Any, least: int, most: int) -> bool:
    """Return whether a value is of the old one's type, and its numbers are in their range."""
    if type(new) is not type(old):
        return False
    if isinstance(new, dict):
        return set(new) == set(old) and all(_alike(new[n], old[n], least, most) for n in old)
    if isinstance(new, list):
        models = old or [0]
        return bool(new) and all(any(_alike(n, o, least, most) for o in models) for n in new)
    if isinstance(new, str):
        fraction = check_certificate.FRACTION.fullmatch
        return bool(new) and (fraction(old) is None) == (fraction(new) is None)
    return type(new) is int and least <= new <= most


def _kind(way: Any) -> tuple[str, ...]:
    """Return the names on the way into a certificate, positions left out."""
    return tuple(step for step in way if isinstance(step, str))


@cache
def _printed() -> frozenset[tuple[tuple[str, ...], str | None]]:
    """Return the places of `PRINTED`, each with the reason for which it is refused."""
    return frozenset((_kind(way), _reason(way, value)) for way, value in PRINTED)


def _integers(answer: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return an array of whole numbers of this shape, or nothing."""
    try:
        values = np.asarray(answer)
    except (ValueError, TypeError):
        return None
    if values.dtype.kind not in "iu" or values.shape != shape or values.size > 1000:
        return None
    return values.astype(np.int64)


def _matrix(answer: Any, rows: int) -> np.ndarray | None:
    """Return a matrix of whole numbers with so many rows, or nothing."""
    try:
        columns = np.asarray(answer).shape[1]
    except (ValueError, TypeError, IndexError):
        return None
    return _integers(answer, (rows, columns))
