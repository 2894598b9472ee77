"""What any decoder can recover of a field from what it sees: Bayes, Fano, and witnesses.

A joint law is an array p(f, z): rows are values of the field, columns what the observer sees.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import xlogy

from quire.checks import integer, non_negative, real_array


def bayes_accuracy(joint: Any) -> float:
    """Return the accuracy of the best decoder: the sum over z of max_f p(f, z)."""
    return float(_law(joint).max(axis=0).sum())


def entropy_bits(p: Any) -> float:
    """Return the entropy of a law, bits; 0 log 0 is 0."""
    q = _sums_to_one(real_array("p", p, 1, least=0.0), "p")
    return float(-xlogy(q, q).sum() / np.log(2) + 0.0)


def information_bits(joint: Any) -> float:
    """Return the mutual information I(F; Z), bits."""
    p = _law(joint)
    return max(
        0.0,
        entropy_bits(p.sum(axis=1)) + entropy_bits(p.sum(axis=0)) - entropy_bits(p.ravel()),
    )


def recovered_share(joint: Any) -> float:
    """Return I(F; Z) / H(F): 1 when the field is determined, 0 when nothing tells it.

    A field that has one value only is determined: 1.
    """
    p = _law(joint)
    whole = entropy_bits(p.sum(axis=1))
    return 1.0 if whole == 0 else min(1.0, information_bits(p) / whole)


def fano_error_bound(conditional_bits: float, values: int) -> float:
    """Return the least error of any decoder with H(F|Z) bits left, for a field of that many values.

    Solves ``H(F|Z) = h(e) + e log2(values - 1)`` on the rising branch (Fano's inequality).

    Raises
    ------
    ValueError
        When more bits are left than the field can hold.
    """
    bits, values = non_negative("conditional_bits", conditional_bits), integer("values", values)
    most = float(np.log2(values))
    if bits > most + 1e-9:
        raise ValueError(f"conditional_bits = {bits:g}: a field of {values} values holds {most:g}")
    if bits <= 1e-15 or values == 1:
        return 0.0
    top = 1 - 1 / values
    if bits >= most:
        return top

    def left(e: float) -> float:
        spread = -(xlogy(e, e) + xlogy(1 - e, 1 - e)) / np.log(2)
        return float(spread + e * np.log2(max(values - 1, 1)) - bits)

    return float(brentq(left, 0.0, top, xtol=1e-14))


def fano_accuracy_bound(joint: Any) -> float:
    """Return the accuracy that no decoder exceeds, by Fano; at least `bayes_accuracy`."""
    p = _law(joint)
    left = max(0.0, entropy_bits(p.sum(axis=1)) - information_bits(p))
    return 1.0 - fano_error_bound(min(left, float(np.log2(len(p)))), len(p))


def witness(fields: Any, seen: Any) -> tuple[int, int] | None:
    """Return two rows that look the same and differ in the field, or None: whoever decodes errs.

    Parameters
    ----------
    fields
        One code per row.
    seen
        One row of integers (or one integer) per row: all that the observer sees.

    Raises
    ------
    ValueError
        When there are not equally many of both, or none.
    """
    f, z = np.asarray(fields), np.asarray(seen)
    z = z.reshape(len(z), -1)
    if f.ndim != 1 or len(f) != len(z) or not len(f):
        raise ValueError(f"fields = {f.shape}, seen = {z.shape}: must have equally many rows")
    order = np.lexsort((f, *z.T))
    same = (z[order[1:]] == z[order[:-1]]).all(axis=1) & (f[order[1:]] != f[order[:-1]])
    if not same.any():
        return None
    k = int(np.flatnonzero(same)[0])
    return int(order[k]), int(order[k + 1])


def pair_error(first: float, second: float) -> float:
    """Return the least error on a witness pair of these probabilities: the lesser over their sum.

    Raises
    ------
    ValueError
        When both are zero.
    """
    p, q = non_negative("first", first), non_negative("second", second)
    if p + q == 0:
        raise ValueError("first = 0, second = 0: one of the runs must be possible")
    return min(p, q) / (p + q)


def krippendorff_alpha(codings: Any) -> float:
    """Return the agreement of coders on nominal codes: 1 is perfect, 0 chance.

    Parameters
    ----------
    codings
        (coders, units), -1 where a coder is silent. Units with fewer than two codes do not count.

    Raises
    ------
    ValueError
        When no unit has two codes.
    """
    x = np.asarray(codings)
    if x.ndim != 2 or x.dtype.kind not in "iu" or not x.size:
        raise ValueError(f"codings = {x.shape} of {x.dtype}: must be integers (coders, units)")
    values = np.unique(x[x >= 0])
    counts = np.stack([(x == v).sum(axis=0) for v in values]) if len(values) else np.zeros((0, 1))
    per_unit = counts.sum(axis=0)
    use = per_unit >= 2
    if not use.any():
        raise ValueError("codings: no unit has two codes")
    c, m = counts[:, use].astype(float), per_unit[use].astype(float)
    total = m.sum()
    observed = ((m**2 - (c**2).sum(axis=0)) / (m - 1)).sum() / total
    margin = c.sum(axis=1)
    expected = (total**2 - (margin**2).sum()) / (total * (total - 1))
    return 1.0 if expected == 0 else float(1 - observed / expected)


def _law(joint: Any) -> Float[np.ndarray, "values seen"]:
    return _sums_to_one(real_array("joint", joint, 2, least=0.0), "joint")


def _sums_to_one(p: np.ndarray, name: str) -> np.ndarray:
    total = float(p.sum())
    if abs(total - 1) > 1e-9:
        raise ValueError(f"{name} sums to {total:g}: must sum to one")
    return p / total
