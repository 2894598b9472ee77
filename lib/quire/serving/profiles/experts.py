"""Mixture of experts: what a block of experts costs under a balanced gate."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from quire.checks import integer, real_array
from quire.serving.profiles.csvfiles import same_length, time_column, times_ns
from quire.serving.profiles.curves import Curve, increasing, interpolated


@dataclass(frozen=True)
class ExpertTable:
    """Nanoseconds of a block of experts, against tokens, for several counts of active experts.

    Attributes
    ----------
    active
        Counts of experts that got a token, increasing.
    curves
        One for each: nanoseconds against the tokens on this device.
    """

    active: Float[np.ndarray, " e"]
    curves: tuple[Curve, ...]

    def at(self, tokens: Float[np.ndarray, " n"], active: Float[np.ndarray, " n"]) -> np.ndarray:
        """Return nanoseconds, linear in both axes; fewer experts than the least are clamped."""
        table = np.array([interpolated(c.keys, c.values, tokens) for c in self.curves])
        if len(self.curves) == 1:
            return table[0]
        low = np.clip(np.searchsorted(self.active, active, side="right") - 1, 0, len(table) - 2)
        share = (active - self.active[low]) / (self.active[low + 1] - self.active[low])
        share = np.maximum(share, 0.0)
        each = np.arange(len(tokens))
        return table[low, each] + share * (table[low + 1, each] - table[low, each])


def experts_from_rows(rows: Mapping[str, Any]) -> ExpertTable:
    """Return the table of a bundle's ``moe.csv``: ``tokens``, ``activated_experts``, ``time_us``.

    Raises
    ------
    ValueError
        When a column is missing, or columns differ in length.
    """
    time = time_column(rows, "time_us")
    for name in ("tokens", "activated_experts", time):
        if name not in rows:
            raise ValueError(f"rows has no column {name!r}: a moe.csv is needed")
    same_length("rows", rows, ("tokens", "activated_experts", time))
    tokens = real_array("tokens", rows["tokens"], 1, least=0.0)
    active = real_array("activated_experts", rows["activated_experts"], 1, least=0.0)
    ns = np.maximum(np.rint(times_ns("rows", rows, time)), 1)
    counts = increasing("activated_experts", np.unique(active))
    curves = []
    for count in counts:
        mine = active == count
        keys, first = np.unique(tokens[mine], return_index=True)
        curves.append(Curve(keys, ns[mine][first]))
    return ExpertTable(counts, tuple(curves))


def balanced_load(
    tokens: Float[np.ndarray, " n"], experts: int, per_token: int, ranks: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the tokens and the active experts on each of ``ranks`` devices under a balanced gate.

    A token reaches a device with probability 1 - (1 - 1/ranks)^per_token, and the
    ``tokens * per_token / ranks`` pairs of a device wake an expert each while any sleeps.

    Parameters
    ----------
    tokens
        Of the whole batch.
    experts, per_token
        All experts, and how many a token takes.
    ranks
        Devices that share the experts.
    """
    experts, per_token = integer("experts", experts), integer("per_token", per_token)
    ranks = integer("ranks", ranks)
    tokens = real_array("tokens", tokens, 1, least=0.0)
    own = max(1, experts // ranks)
    active = np.minimum(np.rint(tokens * per_token / ranks), own)
    reached = 1.0 if ranks == 1 else 1.0 - (1.0 - 1.0 / ranks) ** per_token
    return np.rint(tokens * reached), active
