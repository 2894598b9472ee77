"""What decoupling can gain, and where an order that knows of loading can: closed forms.

A coupled engine is busy with a request for the sum of its stages, a decoupled one is limited by its
slowest stage. So the rates at which they saturate have the ratio::

    G = (E tau_N + E tau_P + E tau_C) / max(E tau_N, E tau_P, E tau_C),  between 1 and 3

whatever the policy. Two orders of service differ where two requests stand in the other order: for
scores with correlation rho (of a pair drawn at random, jointly normal) that is a share
``arccos(rho) / pi`` of all pairs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.checks import positive, real_array
from quire.serving.loading.costs import ComputeCost, LoadingCosts
from quire.serving.loading.requests import Requests


@dataclass(frozen=True)
class Capacity:
    """Mean seconds of the stages, and the rates that follow."""

    net_s: float
    copy_s: float
    compute_s: float

    @property
    def coupled(self) -> float:
        """Requests a second at which a coupled engine saturates."""
        return 1 / (self.net_s + self.copy_s + self.compute_s)

    @property
    def decoupled(self) -> float:
        """Requests a second at which a decoupled engine saturates."""
        return 1 / max(self.net_s, self.copy_s, self.compute_s)

    @property
    def gain(self) -> float:
        """Their ratio G."""
        return self.decoupled / self.coupled

    @property
    def bottleneck(self) -> str:
        """The slowest stage."""
        times = {"network": self.net_s, "copy": self.copy_s, "device": self.compute_s}
        return max(times, key=lambda name: times[name])


def capacity(requests: Requests, costs: LoadingCosts) -> Capacity:
    """Return the mean stages of some requests.

    Raises
    ------
    ValueError
        When none of the stages takes any time, so that nothing ever saturates.
    """
    found = requests.stage_s(costs).mean(axis=1)
    if not found.any():
        raise ValueError("costs: no stage takes any time, so that there is no capacity")
    return Capacity(*(float(each) for each in found))


def disagreement(one: Any, other: Any) -> float:
    """Return the share of pairs that two scores put in different orders; ties count half.

    Parameters
    ----------
    one, other
        A score of each request, the smaller served first.

    Raises
    ------
    ValueError
        When there are fewer than two, or not as many of the one as of the other.
    """
    a, b = real_array("one", one, 1), real_array("other", other, 1)
    if a.size != b.size or a.size < 2:
        raise ValueError(f"other = {b.size} numbers: must be as many as the one, and two at least")
    n = a.size
    product = 0
    for rows in np.array_split(np.arange(n), -(-n * n // 2_000_000)):  # memory for some rows only
        one_way = (a[rows, None] > a).astype(np.int8) - (a[rows, None] < a)
        other_way = (b[rows, None] > b).astype(np.int8) - (b[rows, None] < b)
        product += int((one_way * other_way).sum(dtype=np.int64))
    pairs = n * (n - 1) // 2
    return (pairs - product / 2) / 2 / pairs


def expected_disagreement(one: Any, other: Any) -> float:
    """Return ``arccos(rho) / pi`` for the correlation rho of two scores; 1/2 if one is constant.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    a, b = real_array("one", one, 1), real_array("other", other, 1)
    if a.size != b.size:
        raise ValueError(f"other = {b.size} numbers: must be as many as the one, {a.size}")
    if a.min() == a.max() or b.min() == b.max():
        return 0.5
    a, b = (x / np.abs(x).max() if np.abs(x).max() > 1e100 else x for x in (a, b))
    rho = float(np.clip(np.corrcoef(a, b)[0, 1], -1, 1))
    return float(np.arccos(rho) / np.pi)


def boundary_bytes_per_s(
    hit: Any, tokens: float | int, kv_bytes_per_token: float | int, compute: Any
) -> np.ndarray:
    """Return the bandwidth at which loading takes as long as computing: E tau_N = E tau_C.

    Below it the network is the slower of the two. Infinite for a device that takes no time.

    Parameters
    ----------
    hit
        Shares of a prompt that are cached, between 0 and 1; of the mean request.
    tokens
        Of the prompt.
    kv_bytes_per_token
        Of the model.
    compute
        A `ComputeCost`.

    Raises
    ------
    ValueError
        When a share is above 1, or ``compute`` is no `ComputeCost`.
    """
    share = real_array("hit", np.atleast_1d(hit), 1, least=0.0)
    if (share > 1).any():
        raise ValueError(f"hit = {share.max():g}: must be between 0 and 1")
    if not isinstance(compute, ComputeCost):
        raise ValueError(f"compute = {compute!r:.40}: must be of ComputeCost")
    x = positive("tokens", tokens)
    computing = compute.prefill_s(share * x, (1 - share) * x)
    total = positive("kv_bytes_per_token", kv_bytes_per_token) * share * x
    return np.divide(total, computing, out=np.full(share.size, np.inf), where=computing > 0)
