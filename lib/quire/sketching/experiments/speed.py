"""Speed, measured in a process of its own: no host devices share its cores, nothing ran before.

``rounds_alone`` starts the process; ``main`` is what runs in it. Rivals do like for like: each of
them draws a Gaussian matrix and multiplies, except the bare products, which are given one.
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy  # scipy.stats is loaded at its first use, and not by the timed process

from quire.checks import integer
from quire.sketching.peers.dask import random_product
from quire.sketching.peers.scikit_learn import gaussian_projection
from quire.sketching.programs.algorithms import sketch
from quire.sketching.random_matrix.blocks import Distribution, block

_RUN = "import sys; from quire.sketching.experiments.speed import main; main(sys.argv[1])"
REST = 0.05  # seconds before each timed run, in which a BLAS's threads come to rest


@dataclass(frozen=True)
class Rounds:
    """Seconds of every round, by runner; round k of all runners ran next to each other."""

    seconds: dict[str, tuple[float, ...]]

    def ratio(self, name: str, other: str) -> tuple[float, float, float]:
        """Return the median of ``name``'s seconds over ``other``'s, and an interval of it.

        The ends are order statistics of the rounds' ratios that hold the true median with
        probability 95 % at least, by the binomial distribution; the least and the largest of few.
        """
        pairs = zip(self.seconds[name], self.seconds[other], strict=True)
        ratios = sorted(mine / theirs for mine, theirs in pairs)
        trim = max(0, int(scipy.stats.binom.ppf(0.025, len(ratios), 0.5)) - 1)
        return statistics.median(ratios), ratios[trim], ratios[-1 - trim]

    def faster(self, names: tuple[str, ...]) -> str:
        """Return the runner of least median seconds among ``names``."""
        return min(names, key=lambda name: statistics.median(self.seconds[name]))


@dataclass(frozen=True)
class Speed:
    """One line of a speed table."""

    program: str
    milliseconds: float
    times: float  # of the reference
    low: float
    high: float


def speed_rows(rounds: Rounds, reference: str) -> tuple[Speed, ...]:
    """Return every runner's median, and its ratio to ``reference`` with an interval."""
    return tuple(
        Speed(name, 1e3 * statistics.median(seconds), *rounds.ratio(name, reference))
        for name, seconds in rounds.seconds.items()
    )


def rounds_alone(
    sizes: tuple[int, int, int], rounds: int, seed: int, *, peers: bool = True,
    timeout: float = 300.0,
) -> tuple[Rounds, Rounds]:  # fmt: skip
    """Return the rounds of the products and of the generators, timed in a process of their own.

    ``peers`` has scikit-learn and dask timed as well, whose imports take seconds.

    Raises
    ------
    ValueError
        For fewer than five rounds or a size below 1.
    RuntimeError
        When the process fails, with the last line it wrote.
    """
    for name, size in zip(("n1", "n2", "r"), sizes, strict=True):
        integer(name, size)
    if rounds < 5:
        raise ValueError(f"rounds = {rounds}: at least 5 are allowed, for an interval")
    request = json.dumps({"sizes": sizes, "rounds": rounds, "seed": seed, "peers": peers})
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _RUN, request],
            capture_output=True, text=True, timeout=timeout, env=environment, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise RuntimeError(f"timeout = {timeout} s: the timed process needs more time") from late
    if done.returncode:
        last = (done.stderr.strip() or "no output").splitlines()[-1]
        raise RuntimeError(f"the timed process ended with status {done.returncode}: {last}")
    products, numbers = json.loads(done.stdout.splitlines()[-1])
    return tuple(
        Rounds({name: tuple(seconds) for name, seconds in part.items()})
        for part in (products, numbers)
    )  # type: ignore[return-value]


def main(request: str) -> None:
    """Time both groups of runners and print their seconds as JSON."""
    asked = json.loads(request)
    n1, n2, r = asked["sizes"]
    seed, peers = asked["seed"], asked["peers"]
    parts = (products(n1, n2, r, seed, peers), numbers(n2, 4 * r, seed))
    print(json.dumps([in_turn(runners, asked["rounds"]) for runners in parts]))


def products(
    n1: int, n2: int, r: int, seed: int, peers: bool = True
) -> dict[str, Callable[[], Any]]:
    """Return the runners that make B, in single precision; with ``peers`` those that are here."""
    dense = np.random.default_rng(seed).standard_normal((n1, n2), dtype=np.float32)
    ready = np.random.default_rng(seed + 1).standard_normal((n2, r), dtype=np.float32)
    held, stored = jnp.asarray(dense), jnp.asarray(ready)
    philox = np.random.Generator(np.random.Philox(seed))
    key = jax.random.key(seed)
    drawn = jax.jit(lambda a, k: a @ jax.random.normal(k, (n2, r), jnp.float32))
    bare = jax.jit(jnp.matmul)
    runners: dict[str, Callable[[], Any]] = {
        "ours": lambda: sketch(held, r, seed),
        "numpy, Ω ready": lambda: dense @ ready,
        "XLA, Ω ready": lambda: bare(held, stored),
        "numpy, Philox": lambda: dense @ philox.standard_normal((n2, r), dtype=np.float32),
        "jax.random": lambda: drawn(held, key),
    }
    if peers and importlib.util.find_spec("sklearn"):
        runners["scikit-learn"] = gaussian_projection(dense, r)
    if peers and importlib.util.find_spec("dask"):
        runners["dask"] = random_product(dense, r)
    return runners


def numbers(rows: int, columns: int, seed: int) -> dict[str, Callable[[], Any]]:
    """Return the runners that fill a matrix in memory; the last only writes."""

    def blocks(kind: Distribution) -> Callable[[], Any]:
        return lambda: block(seed, rows, columns, distribution=kind, dtype=jnp.float32)

    philox = np.random.Generator(np.random.Philox(seed))
    return {
        "Gaussian, ours": blocks("gaussian"),
        "signs, ours": blocks("rademacher"),
        "Gaussian, numpy's Philox": lambda: philox.standard_normal(
            (rows, columns), dtype=np.float32
        ),
        "ones, nothing drawn": lambda: jnp.ones((rows, columns), jnp.float32),
    }


def in_turn(runners: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Warm every runner up, then run all in turn, ``rounds`` times; return their seconds."""
    for run in runners.values():
        jax.block_until_ready(run())
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds):
        for name, run in runners.items():
            time.sleep(REST)
            started = time.perf_counter()
            jax.block_until_ready(run())
            seconds[name].append(time.perf_counter() - started)
    return seconds


@dataclass(frozen=True)
class Overhead:
    """What generating adds to the bare product: by rates, and as measured."""

    flops: float  # a second, of the bare product
    numbers: float  # a second, of the generator alone
    predicted: float  # 1 + flops / (2 n1 numbers), times the bare product
    measured: float


def overhead(products: Rounds, numbers: Rounds, sizes: tuple[int, int, int]) -> Overhead:
    """Return what generating should add to XLA's bare product, and what it did add.

    A number is used in 2 n1 operations: generating one for each adds F/(2 n1 G) at F operations
    and G numbers a second. ``numbers`` filled a matrix of n2 x 4 r.
    """
    n1, n2, r = sizes
    flops = 2 * n1 * n2 * r / statistics.median(products.seconds["XLA, Ω ready"])
    rate = 4 * n2 * r / statistics.median(numbers.seconds["Gaussian, ours"])
    return Overhead(
        flops, rate, 1 + flops / (2 * n1 * rate), products.ratio("ours", "XLA, Ω ready")[0]
    )
