"""Requests as the stages of loading see them: tokens far away, near, and to compute."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from quire.checks import between, integer, non_negative, positive, real_array
from quire.serving.loading.costs import LoadingCosts, Row
from quire.serving.workload.mooncake import PrefixTrace


@dataclass(frozen=True)
class Requests:
    """Requests in the order of their arrival; tokens are whole numbers.

    Attributes
    ----------
    arrival_s
        Seconds, never falling.
    remote
        Cached tokens beyond the network.
    uncached
        Tokens to compute, one or more.
    local
        Cached tokens in the host's memory, which the network need not bring.
    n_out
        Tokens of the answers, the first one included.
    deadline_s
        When the first token is due; infinite without one.
    """

    arrival_s: Any
    remote: Any
    uncached: Any
    local: Any = None
    n_out: Any = None
    deadline_s: Any = None

    def __post_init__(self) -> None:
        arrival = real_array("arrival_s", self.arrival_s, 1, least=0.0)
        if (np.diff(arrival) < 0).any():
            raise ValueError("arrival_s falls: requests must stand in the order of their arrival")
        n = arrival.size
        found = {
            "arrival_s": arrival,
            "remote": _tokens("remote", self.remote, 0.0, n),
            "uncached": _tokens("uncached", self.uncached, 1.0, n),
            "local": _tokens("local", np.zeros(n) if self.local is None else self.local, 0.0, n),
            "n_out": _tokens("n_out", np.ones(n) if self.n_out is None else self.n_out, 1.0, n),
        }
        due = np.full(n, np.inf) if self.deadline_s is None else np.asarray(self.deadline_s)
        if due.dtype.kind not in "iuf" or due.shape != (n,) or np.isnan(due.astype(float)).any():
            raise ValueError(f"deadline_s: must be {n} numbers, infinite where there is none")
        if (due <= arrival).any():
            raise ValueError("deadline_s: must lie after the arrival")
        found["deadline_s"] = due.astype(np.float64)
        for name, value in found.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return int(self.arrival_s.size)

    @property
    def loaded(self) -> Row:
        """Cached tokens that must be copied to the device."""
        return self.remote + self.local

    def stage_s(self, costs: LoadingCosts) -> Float[np.ndarray, "3 requests"]:
        """Return the seconds of each stage: network, copy, computing."""
        return np.stack(
            [
                costs.net_s(self.remote),
                costs.copy_s(self.loaded),
                costs.compute.prefill_s(self.loaded, self.uncached),
            ]
        )

    def alone_s(self, costs: LoadingCosts) -> Row:
        """Return the time to the first token of each on an idle system, one stage after another."""
        return self.stage_s(costs).sum(axis=0)

    def due_after(
        self, costs: LoadingCosts, factor: float | int = 5.0, floor_s: float | int = 1.0
    ) -> "Requests":
        """Return them with deadlines: ``factor`` times the time alone, and ``floor_s`` at least.

        Raises
        ------
        ValueError
            When the factor is not positive, or the floor negative.
        """
        alone = positive("factor", factor) * self.alone_s(costs)
        due = self.arrival_s + np.maximum(alone, non_negative("floor_s", floor_s))
        return replace(self, deadline_s=due)

    def retimed(self, per_second: float | int, seed: int) -> "Requests":
        """Return them, in their order and without deadlines, with exponential gaps."""
        rng = np.random.default_rng(integer("seed", seed, 0))
        gaps = rng.exponential(1 / positive("per_second", per_second), len(self))
        return replace(self, arrival_s=np.cumsum(gaps), deadline_s=None)

    def select(self, which: Any) -> "Requests":
        """Return some of them, by number or by a mask, in the order of arrival.

        Raises
        ------
        ValueError
            When none is chosen, a number is out of range, or a mask has another length.
        """
        try:
            chosen = np.arange(len(self))[np.asarray(which)]
        except (IndexError, ValueError) as fault:
            raise ValueError(f"which: must be numbers or a mask of {len(self)} ({fault})") from None
        if not np.size(chosen):
            raise ValueError("which: no request is chosen")
        order = np.sort(np.atleast_1d(chosen))
        return Requests(
            *(
                getattr(self, name)[order]
                for name in ("arrival_s", "remote", "uncached", "local", "n_out", "deadline_s")
            )
        )


def requests_from(
    trace: PrefixTrace,
    *,
    near_blocks: int = 0,
    far_blocks: int | None = None,
    eviction: str = "lru",
) -> Requests:
    """Return a trace's requests, with what a store keeps of the requests before them.

    Parameters
    ----------
    trace
        Mooncake's, or one like it.
    near_blocks
        Blocks that the host's memory keeps, least recently used lost first.
    far_blocks
        Blocks that the store beyond the network keeps; None for all. What it has lost is computed.
    eviction
        Which blocks that store loses, as in `prefix_hits`.
    """
    near = np.minimum(trace.hit_blocks(near_blocks) * trace.block_tokens, trace.n_in - 1)
    hits = np.maximum(trace.hit_tokens(far_blocks, eviction), near)
    return Requests(trace.arrival_s, hits - near, trace.n_in - hits, near, trace.n_out)


def random_requests(
    n: int,
    tokens: float | int = 15_000,
    hit: float | int = 0.5,
    *,
    spread: float | int = 0.7,
    hit_spread: float | int = 4.0,
    seed: int = 0,
) -> Requests:
    """Return requests that all come at once, with random lengths and shares of cached tokens.

    Prompts are log-normal, shares are Beta(hit s, (1 - hit) s), independent of the lengths.

    Parameters
    ----------
    n
        How many.
    tokens, spread
        Mean of the prompts' lengths, and the standard deviation of their logarithm.
    hit, hit_spread
        Mean share that is cached, between 0 and 1, and the sum s of the Beta distribution's
        parameters; the larger, the more alike.
    seed
        Of the random numbers.
    """
    rng = np.random.default_rng(integer("seed", seed, 0))
    sigma = non_negative("spread", spread)
    mean, s = positive("tokens", tokens), positive("hit_spread", hit_spread)
    share = rng.beta(between("hit", hit, 0, 1) * s, (1 - hit) * s, integer("n", n))
    length = mean * np.exp(sigma * rng.standard_normal(n) - sigma**2 / 2)
    total = np.maximum(np.rint(length), 1.0)
    cached = np.minimum(np.rint(share * total), total - 1)
    return Requests(np.zeros(n), cached, total - cached)


def _tokens(name: str, values: Any, least: float, count: int) -> Row:
    found = real_array(name, values, 1, least=least)
    if found.size != count:
        raise ValueError(f"{name} = {found.size} numbers: must be as many as arrivals, {count}")
    if (found != np.rint(found)).any():
        raise ValueError(f"{name} = {found[found != np.rint(found)][0]:g}: must be whole")
    if found.max() >= 2.0**52:
        raise ValueError(f"{name} = {found.max():g}: must be below 2^52")
    return found
