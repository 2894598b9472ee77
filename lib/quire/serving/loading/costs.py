"""What a request costs at each stage: network, copy to the device, computing.

A request has c cached tokens that lie far away, and u that must be computed. With kappa bytes a
token::

    tau_N = latency + kappa c / B_net
    tau_P = latency + kappa c / B_copy
    tau_C = o + a u + b u (c + u / 2)

``tau_C`` is what a table of measured layers gives for one prompt alone (`fit_compute`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from quire.checks import integer, non_negative, positive, real_array
from quire.serving.profiles.latency import Batch, LatencyTable

Row = Float[np.ndarray, " requests"]


@dataclass(frozen=True)
class ComputeCost:
    """Seconds of a step of the device, in closed form.

    The defaults are near what `fit_compute` makes of an H100's measured table of Llama-3.1-8B.

    Attributes
    ----------
    fixed_s
        Of any step.
    token_s
        Of a token of a prompt.
    pair_s
        Of a token of a prompt for each token before it.
    sequence_s, context_s
        Of a sequence that decodes, and of each token in its cache.
    """

    fixed_s: float | int = 0.00643
    token_s: float | int = 16.4e-6
    pair_s: float | int = 1.58e-9
    sequence_s: float | int = 1.6e-6
    context_s: float | int = 4.31e-8

    def __post_init__(self) -> None:
        for name in ("fixed_s", "token_s", "pair_s", "sequence_s", "context_s"):
            non_negative(name, getattr(self, name))

    def prefill_s(self, cached: Any, uncached: Any) -> Row:
        """Return the seconds of whole prompts, each alone in one step.

        Parameters
        ----------
        cached, uncached
            Tokens whose keys and values are there, and tokens to compute.
        """
        c, u = _pair(cached, uncached)
        return self.fixed_s + self.token_s * u + self.pair_s * u * (c + u / 2)


@dataclass(frozen=True)
class LoadingCosts:
    """The way of a request's cache to the device, and the device.

    Attributes
    ----------
    net_bytes_per_s, copy_bytes_per_s
        Of the network (or the disk), and of the copy from the host's memory to the device.
    kv_bytes_per_token
        131,072 for Llama-3.1-8B in two bytes.
    net_latency_s, copy_latency_s
        Of a request's load as a whole.
    compute
        The device.
    """

    net_bytes_per_s: float | int = 6e9
    copy_bytes_per_s: float | int = 24e9
    kv_bytes_per_token: float | int = 131_072
    net_latency_s: float | int = 0.0
    copy_latency_s: float | int = 0.0
    compute: ComputeCost = ComputeCost()

    def __post_init__(self) -> None:
        for name in ("net_bytes_per_s", "copy_bytes_per_s", "kv_bytes_per_token"):
            positive(name, getattr(self, name))
        for name in ("net_bytes_per_s", "copy_bytes_per_s"):
            if float(self.kv_bytes_per_token) > 1e12 * float(getattr(self, name)):
                raise ValueError(f"{name} = {getattr(self, name)!r}: a token takes above 1e12 s")
        for name in ("net_latency_s", "copy_latency_s"):
            non_negative(name, getattr(self, name))

    def net_s(self, cached: Any) -> Row:
        """Return the seconds on the network; nothing to load takes none."""
        c = real_array("cached", np.atleast_1d(cached), 1, least=0.0)
        each = self.net_latency_s + c * self.kv_bytes_per_token / self.net_bytes_per_s
        return np.where(c > 0, each, 0.0)

    def copy_s(self, cached: Any) -> Row:
        """Return the seconds of the copy to the device; nothing to copy takes none."""
        c = real_array("cached", np.atleast_1d(cached), 1, least=0.0)
        each = self.copy_latency_s + c * self.kv_bytes_per_token / self.copy_bytes_per_s
        return np.where(c > 0, each, 0.0)

    def load_s(self, cached: Any, *, cut_through: bool = False, quantum_tokens: int = 512) -> Row:
        """Return the seconds of a load on idle links.

        Parameters
        ----------
        cached
            Tokens to load.
        cut_through
            Whether the copy of a quantum starts when the network has delivered it, not when the
            whole request is there. Then the slower link counts whole and the faster one a quantum.
        quantum_tokens
            Tokens of a quantum.
        """
        net, copy = self.net_s(cached), self.copy_s(cached)
        if not cut_through:
            return net + copy
        c = real_array("cached", np.atleast_1d(cached), 1, least=0.0)
        q = float(integer("quantum_tokens", quantum_tokens))
        count = np.ceil(c / q)
        a, b = (self.kv_bytes_per_token / x for x in (self.net_bytes_per_s, self.copy_bytes_per_s))

        def through(k: Row) -> Row:
            """Return the time if quantum k is the one that no stage waits at."""
            loaded = np.minimum(k * q, c)
            left = c - (k - 1) * q
            return self.net_latency_s + a * loaded + b * left + self.copy_latency_s * (k == 1)

        # Lengths of quanta are alike but for the last: the longest path turns at an end.
        ways = [through(np.ones_like(c)), through(np.maximum(count - 1, 1)), through(count)]
        return np.where(c > 0, np.max(ways, axis=0), 0.0)

    def first_token_s(
        self,
        cached: Any,
        uncached: Any,
        *,
        cut_through: bool = False,
        layers: int | None = None,
    ) -> Row:
        """Return the time to the first token on an idle system.

        Parameters
        ----------
        cached, uncached
            Tokens to load and to compute.
        cut_through
            As in `load_s`.
        layers
            Of the model, where loading goes layer by layer beside computing: then the longer of the
            two counts, and one layer's share of the other. With ``cut_through`` network, copy and
            device work at three layers at once: the longest of the three counts, and one layer's
            share of the other two (as `stages.Engine.layers` does it). None for one stage after the
            other.
        """
        computing = self.compute.prefill_s(cached, uncached)
        if layers is None:
            return self.load_s(cached, cut_through=cut_through) + computing
        count = integer("layers", layers)
        if cut_through:
            return self._layered_s(cached, computing, count)
        load = self.load_s(cached)
        return np.maximum(load, computing) + np.minimum(load, computing) / count

    def _layered_s(self, cached: Any, computing: Row, count: int) -> Row:
        """Return the makespan of ``count`` layers on three servers in a row."""
        c = real_array("cached", np.atleast_1d(cached), 1, least=0.0)
        c, computing = np.broadcast_arrays(c, computing)
        net = c * self.kv_bytes_per_token / self.net_bytes_per_s / count
        copy = c * self.kv_bytes_per_token / self.copy_bytes_per_s / count
        device, more = computing / count, count - 1
        # A longest path turns from stage to stage at an end; the copy's latency is the first's.
        ways = [
            self.copy_latency_s + net + copy + device + more * np.maximum(copy, device),
            net + copy + device + more * net,
        ]
        if more:
            ways.append(2 * net + copy + device + (more - 1) * np.maximum(copy, device))
        return np.where(c > 0, self.net_latency_s + np.max(ways, axis=0), computing)


@dataclass(frozen=True)
class ComputeFit:
    """A fitted device, and how well it meets the table: shares, on points that were not fitted."""

    compute: ComputeCost
    r_squared: float
    largest_error: float
    mean_error: float
    points: int


def fit_compute(
    profile: LatencyTable, *, longest: int = 65_536, points: int = 160, seed: int = 0
) -> ComputeFit:
    """Fit the closed form to a table of measured layers, without negative constants.

    Chunks of 128 to 2,048 tokens after up to ``longest`` others, and decodes of up to 64 sequences;
    every second point is kept aside to judge the fit. Relative errors are minimised.

    Parameters
    ----------
    profile
        The table.
    longest
        Tokens before a chunk at most.
    points
        How many are drawn, half of them for the fit.
    seed
        Of the random numbers.
    """
    from scipy.optimize import nnls

    rng = np.random.default_rng(integer("seed", seed, 0))
    rows, times = [], []
    for k in range(2 * (integer("points", points, 8) // 2)):
        if k % 4 < 2:
            chunk = int(2 ** rng.uniform(7, 11))
            before = int(rng.integers(0, integer("longest", longest) + 1))
            batch = Batch(chunks=(chunk,), before=(before,))
            rows.append([1.0, chunk, chunk * (before + chunk / 2), 0.0, 0.0])
        else:
            n, length = int(rng.integers(1, 65)), int(2 ** rng.uniform(7, 14))
            batch = Batch(lengths=(length,) * n)
            rows.append([1.0, 0.0, 0.0, n, n * length])
        times.append(profile.step_ns(batch) / 1e9)
    design, seconds = np.asarray(rows), np.asarray(times)
    fitted = np.arange(seconds.size) % 2 == 0
    scale = design.max(axis=0)
    weighted = design / scale / seconds[:, None]
    found = nnls(weighted[fitted], np.ones(int(fitted.sum())))[0] / scale
    told = design[~fitted] @ found
    true = seconds[~fitted]
    error = np.abs(told / true - 1)
    spread = float(((true - true.mean()) ** 2).sum())
    return ComputeFit(
        ComputeCost(*(float(each) for each in found)),
        1 - float(((told - true) ** 2).sum()) / spread,
        float(error.max()),
        float(error.mean()),
        int((~fitted).sum()),
    )


def chunked_prefill_s(profile: LatencyTable, cached: Any, uncached: Any, chunk: int = 2048) -> Row:
    """Return the seconds of prompts in chunks, each alone, straight from a table of layers.

    Parameters
    ----------
    profile
        The table.
    cached, uncached
        Tokens whose keys and values are there, and tokens to compute, whole numbers.
    chunk
        Tokens of a step at most.
    """
    c, u = _pair(cached, uncached)
    size = integer("chunk", chunk)
    total = np.zeros(max(c.size, u.size))
    for i, (before, left) in enumerate(np.broadcast(c, u)):
        at, rest = int(before), int(left)
        while rest > 0:
            step = min(size, rest)
            total[i] += profile.step_ns(Batch(chunks=(step,), before=(at,))) / 1e9
            at, rest = at + step, rest - step
    return total


def _pair(cached: Any, uncached: Any) -> tuple[Row, Row]:
    c = real_array("cached", np.atleast_1d(cached), 1, least=0.0)
    u = real_array("uncached", np.atleast_1d(uncached), 1, least=0.0)
    if c.size != u.size and 1 not in (c.size, u.size):
        raise ValueError(f"uncached = {u.size} numbers: must be as many as cached, {c.size}")
    return c, u
