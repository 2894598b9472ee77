"""The protocol that tries to explain GGRS away, written before any of its runs.

GGRS remembers a direction, as server momentum does, and shortens updates, as clipping and smaller
steps do. So it is put against aggregators that have one of these and nothing geometric, with
GGRS's own step length, on the same seeds. What survives is not momentum, clipping or step size.
Source: ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from quire.aggregation.clients.networks import Network
from quire.aggregation.errors import SettingError
from quire.aggregation.graphs.graph import Federation
from quire.aggregation.intervals import Interval, holm, paired_interval, paired_p_value
from quire.aggregation.rounds import History, Training, train
from quire.aggregation.server.averaging import (
    Aggregator,
    Clipped,
    FedAvg,
    FedAvgM,
    OneOf,
    StepMatched,
)
from quire.aggregation.server.ggrs import GGRS, ablations


class Comparison(NamedTuple):
    """GGRS against one rival over shared seeds; differences are GGRS minus rival."""

    rival: str
    difference: Interval
    p_value: float  # of the paired t test, adjusted after Holm for all rivals of the contest

    @property
    def verdict(self) -> str:
        """``ahead``, ``behind``, or ``undecided`` where the adjusted p-value exceeds 1 - level."""
        if not self.difference.decided or self.p_value > 1 - self.difference.level:
            return "undecided"
        return "ahead" if self.difference.low > 0 else "behind"


def rivals(ggrs: GGRS, momentum: float = 0.9) -> dict[str, Aggregator]:
    """Return what GGRS must beat: plain, step-matched and clipped averages, and its own parts."""
    plain = (FedAvg(), FedAvgM(momentum), Clipped(ggrs.kappa))
    matched = [StepMatched(OneOf(plain, jnp.asarray(i)), ggrs) for i in range(len(plain))]
    return {
        "FedAvg": plain[0],
        "FedAvg, step-matched": matched[0],
        "FedAvgM, step-matched": matched[1],
        "clipped FedAvg": plain[2],
        "clipped, step-matched": matched[2],
        **ablations(ggrs),
    }


def contest(
    federation: Federation,
    network: Network,
    contenders: Mapping[str, Aggregator],
    training: Training,
    *,
    only: tuple[str, ...] = (),
) -> dict[str, History]:
    """Train once per contender on the same seeds, compiling one program for all of them.

    Contenders that differ in numbers only share a branch of that program.

    Parameters
    ----------
    federation, network, training
        As for `train`.
    contenders
        Aggregators by name.
    only
        Train these alone, with the program of all of them; empty for every one.

    Raises
    ------
    SettingError
        For no contenders, a name in ``only`` that is none, and whatever `train` refuses.
    """
    if not contenders:
        raise SettingError("contenders is empty; name at least one aggregator")
    strangers = sorted(set(only) - set(contenders))
    if strangers:
        raise SettingError(f"only names {', '.join(strangers)}, which is not among the contenders")
    kinds = [jax.tree.structure(contender) for contender in contenders.values()]
    branches = dict(zip(kinds, contenders.values(), strict=True))
    return {
        name: train(
            federation,
            network,
            OneOf(
                tuple({**branches, kind: contender}.values()),
                jnp.asarray(list(branches).index(kind)),
            ),
            training,
        )
        for (name, contender), kind in zip(contenders.items(), kinds, strict=True)
        if not only or name in only
    }


def compare(
    ours: Float[np.ndarray, " S"],
    others: Mapping[str, Float[np.ndarray, " S"]],
    level: float = 0.95,
) -> tuple[Comparison, ...]:
    """Compare one score per seed with every rival's on the same seeds.

    Intervals are paired t intervals at ``level``, one by one; p-values are adjusted for all rivals.
    """
    p_values = holm(np.array([paired_p_value(ours, other) for other in others.values()]))
    return tuple(
        Comparison(name, paired_interval(ours, other, level), float(p))
        for (name, other), p in zip(others.items(), p_values, strict=True)
    )
