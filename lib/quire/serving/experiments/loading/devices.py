"""Other devices than one prompt after another: layer by layer, and a real engine's steps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from quire.checks import integer
from quire.serving.engine.config import SchedulerConfig
from quire.serving.experiments.loading.headline import saturation
from quire.serving.experiments.loading.settings import Case
from quire.serving.loading import engine, serve
from quire.serving.loading.on_engine import serve_on_engine
from quire.serving.profiles.latency import LatencyTable

LAYERS = 32
"""Of Llama-3.1-8B."""


@dataclass(frozen=True)
class LayeredRow:
    """Saturation of an engine that loads layer by layer, over that of the decoupled one.

    Attributes
    ----------
    net_gb_per_s
        The network.
    coupled, layered
        Of the coupled engine that loads and then computes, and of the one that does both at once.
    """

    net_gb_per_s: float
    coupled: float
    layered: float


def layered_capacity(
    case: Case, nets_gb_per_s: Sequence[float], seed: int, layers: int = LAYERS
) -> list[LayeredRow]:
    """Return what coupled engines sustain of the decoupled rate, at each bandwidth."""
    rows = []
    for net in nets_gb_per_s:
        at = replace(case, costs=replace(case.costs, net_bytes_per_s=net * 1e9))
        apart = saturation(at, "E2", seed)
        coming = at.arrivals(3.0, seed)
        ends = serve(coming, at.costs, engine("E0", layers=layers)).first_s
        own = len(coming) / (ends.max() - coming.arrival_s[0])
        rows.append(LayeredRow(net, saturation(at, "E0", seed) / apart, float(own) / apart))
    return rows


@dataclass(frozen=True)
class LayerSide:
    """An engine with and without layers; means over seeds."""

    case: str
    engine: str
    policy: str
    on_time: float
    mean_s: float


def layer_sides(
    case: Case, load: float, seeds: int, seed: int, quantum_tokens: int = 512, layers: int = LAYERS
) -> list[LayerSide]:
    """Return the share on time of engines that load whole requests, or layer by layer.

    Deadlines and rate are the case's own for all of them.
    """
    q = quantum_tokens
    sides = {
        "E0": engine("E0", quantum_tokens=q),
        "E0, layer by layer": engine("E0", layers=layers),
        "E2": engine("E2", quantum_tokens=q),
        "E2, begins when the rest comes in time": engine("E2", layers=layers),
        "E2, begins at the first layer": engine("E2", layers=layers, eager=True),
    }
    drawn = [case.arrivals(load, seed + k) for k in range(integer("seeds", seeds))]
    rows = []
    for name, made in sides.items():
        for policy in ("fifo", "sjf_total"):
            served = [serve(each, case.costs, made, policy) for each in drawn]
            rows.append(
                LayerSide(
                    case.name, name, policy, float(np.mean([s.attainment for s in served])),
                    float(np.mean([s.ttft_s.mean() for s in served])),
                )
            )  # fmt: skip
    return rows


@dataclass(frozen=True)
class DeviceRow:
    """A side under the closed form and on the engine: per cent on time, and mean TTFT.

    Attributes
    ----------
    case, side
        Workload; engine and policy.
    alone, alone_s
        With the closed form: one prompt after another, no decodes.
    steps, steps_s
        On the engine, with decodes.
    each_alone, each_steps
        Per cent on time, seed by seed.
    """

    case: str
    side: str
    alone: float
    alone_s: float
    steps: float
    steps_s: float
    each_alone: tuple[float, ...]
    each_steps: tuple[float, ...]


SIDES: tuple[tuple[str, int | None, str], ...] = (
    ("E1, window of 2, fifo", 2, "fifo"),
    ("E1, window of 8, fifo", 8, "fifo"),
    ("E2, fifo", None, "fifo"),
    ("E2, sjf_compute", None, "sjf_compute"),
    ("E2, sjf_total", None, "sjf_total"),
)


def device_rows(
    case: Case,
    profile: LatencyTable,
    load: float,
    count: int,
    seeds: int,
    seed: int,
    quantum_tokens: int = 512,
    room_bytes: float = 64e9,
    sides: Sequence[tuple[str, int | None, str]] = SIDES,
) -> list[DeviceRow]:
    """Return sides with the closed form as the device, and with the engine of chapter 06.

    The engine has steps of 2,048 tokens from ``profile``, chunks, and decodes beside the prompts;
    arrivals and deadlines are the same.

    Parameters
    ----------
    case, profile, load
        Workload; table of the device; fraction of the decoupled capacity.
    count
        Requests, the first of the case.
    seeds, seed
        How many, and the first one.
    quantum_tokens
        Of the network and the copy.
    room_bytes
        On the device, for the cache.
    sides
        Name, window (None for E2) and policy; a window is first come first served.
    """
    first = np.arange(min(integer("count", count), len(case.requests)))
    some = replace(case, requests=case.requests.select(first))
    costs = some.costs
    config = SchedulerConfig(
        blocks=int(room_bytes // (16 * costs.kv_bytes_per_token)), prefix_caching=False
    )
    table = profile.costs(config.budget, config.max_sequences)
    drawn = [some.arrivals(load, seed + k) for k in range(integer("seeds", seeds))]
    rows = []
    for name, window, policy in sides:
        made = engine("E1" if window else "E2", window=window or 2, quantum_tokens=quantum_tokens)
        alone = [serve(each, costs, made, policy) for each in drawn]
        steps = [
            serve_on_engine(
                each, costs, table, config, policy, quantum_tokens=quantum_tokens, window=window
            )
            for each in drawn
        ]
        shares = [tuple(s.attainment for s in side) for side in (alone, steps)]
        rows.append(
            DeviceRow(
                case.name, name,
                float(np.mean(shares[0])), float(np.mean([s.ttft_s.mean() for s in alone])),
                float(np.mean(shares[1])), float(np.mean([s.ttft_s.mean() for s in steps])),
                *shares,
            )
        )  # fmt: skip
    return rows
