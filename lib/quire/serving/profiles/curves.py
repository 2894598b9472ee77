"""Measured curves: linear between points, clamped below the first, extended above the last."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from quire.checks import real_array
from quire.serving.profiles.layers import parts_of


@dataclass(frozen=True)
class Curve:
    """Nanoseconds of one layer against a count (tokens or sequences).

    Attributes
    ----------
    keys
        Strictly increasing, zero or more.
    values
        Nanoseconds, positive, one for each key.
    """

    keys: np.ndarray
    values: np.ndarray

    def __post_init__(self) -> None:
        keys = increasing("keys", self.keys)
        values = real_array("values", self.values, 1, above=0.0)
        if keys.shape != values.shape:
            raise ValueError(
                f"values = {values.size} numbers: must be as many as keys, {keys.size}"
            )
        object.__setattr__(self, "keys", keys)
        object.__setattr__(self, "values", values)

    def at(self, counts: Any) -> Float[np.ndarray, " n"]:
        """Return the nanoseconds at some counts."""
        return interpolated(self.keys, self.values, real_array("counts", counts, 1, least=0.0))


def layer_curve(
    layer: str, names: Any, keys: np.ndarray, ns: np.ndarray, floor: float | int = 0.0
) -> "Curve":
    """Return one layer's curve from the rows of a table; the first of two rows for a count counts.

    Parameters
    ----------
    layer
        Its name, or the name of parts that the table has in its place (`layers.parts_of`).
    names, keys, ns
        Of each row: the layer, the count and the nanoseconds.
    floor
        Least nanoseconds of a row.

    Raises
    ------
    ValueError
        When the table has neither; lists what it has.
    """
    rows = np.asarray(names)
    present = set(rows.tolist())
    parts = []
    for part in parts_of(layer, present):
        mine = rows == part
        if not mine.any():
            known = ", ".join(sorted(str(each) for each in present))
            raise ValueError(f"layer = {layer!r}: is not in the table, which has {known}")
        at, first = np.unique(keys[mine], return_index=True)
        parts.append(Curve(at, np.maximum(ns[mine][first], floor)))
    if len(parts) == 1:
        return parts[0]
    counts = np.unique(np.concatenate([part.keys for part in parts]))
    return Curve(counts, np.sum([part.at(counts) for part in parts], axis=0))


def interpolated(
    keys: Float[np.ndarray, " points"],
    values: Float[np.ndarray, " points"],
    queries: Float[np.ndarray, " n"],
) -> Float[np.ndarray, " n"]:
    """Return the piecewise linear curve at ``queries``; extended above, clamped below."""
    if len(keys) == 1:
        return np.full(len(queries), values[0])
    low = np.clip(np.searchsorted(keys, queries, side="right") - 1, 0, len(keys) - 2)
    share = (queries - keys[low]) / (keys[low + 1] - keys[low])
    share = np.maximum(share, 0.0)
    return values[low] + share * (values[low + 1] - values[low])


def increasing(name: str, keys: Any) -> Float[np.ndarray, " points"]:
    """Return an axis of a table, checked.

    Raises
    ------
    ValueError
        Unless it is finite, zero or more, and strictly increasing.
    """
    axis = real_array(name, keys, 1, least=0.0)
    steps = np.diff(axis)
    if (steps <= 0).any():
        k = int(np.argmax(steps <= 0))
        raise ValueError(
            f"{name} = ... {axis[k]:g}, {axis[k + 1]:g} ...: an axis must strictly increase"
        )
    return axis
