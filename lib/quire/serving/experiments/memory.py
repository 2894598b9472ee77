"""Attention of decodes in memory (Figure 10): times, energy by component, and what it hangs on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.checks import integer
from quire.serving.engine.config import SchedulerConfig
from quire.serving.engine.instance import replay
from quire.serving.engine.offloaded import Offloaded, serve_offloaded
from quire.serving.experiments.artefact import busy_of
from quire.serving.experiments.replays import off
from quire.serving.power.node import NodePower
from quire.serving.profiles.latency import LatencyTable
from quire.serving.profiles.offload import MemoryDevice
from quire.serving.workload.trace import Trace

PUBLISHED = ("gpu-only", "pim", "pim-sbi")
"""Figure 10's columns: no memory that computes, one that does, and steps in two sub-batches."""

PARTS = ("Others", "GPU", "CPU", "Memory", "Link", "NIC", "Storage")
LINK_W, NIC_W, STORAGE_W, MODULE_W, MODULES = 5.0, 11.2, 5.9, 4.0, 8
"""Watts at rest of the figure's configuration; 256 GiB of plain memory are eight modules."""


@dataclass(frozen=True)
class EnergyRow:
    """One case of Figure 10.

    Attributes
    ----------
    case
        What computes.
    published_s, seconds
        Until the last token: the artefact's simulator's, and ours.
    published_j, joules
        Energy of a token that was generated.
    worst
        The component whose energy is furthest from the published one, and by how many per cent.
    """

    case: str
    published_s: float | int
    seconds: float | int
    published_j: float | int
    joules: float | int
    worst: str
    worst_error: float | int


def fixed_requests(trace: Trace, count: int, n_in: int, n_out: int) -> Trace:
    """Return requests of one length that arrive as the first of a trace do."""
    arrivals = trace.first(count).arrival_ns
    return Trace(arrivals, np.full(arrivals.size, n_in), np.full(arrivals.size, n_out))


def component_energy(
    node: NodePower, seconds: float | int, device_s: float | int, idle_s: float | int, memory_j: Any
) -> dict[str, float]:
    """Return the joules of a server's components over a run.

    Parameters
    ----------
    node
        The server; its ``others`` are told one by one here.
    seconds, device_s, idle_s
        Of the run, of it with the accelerator active, and of it without any step, on standby.
    memory_j
        Of the memory; None for plain modules at rest.
    """
    d = node.device
    rise = node.cpu_active - node.cpu_idle
    return {
        "Others": node.base * seconds,
        "GPU": d.idle * seconds + (d.active - d.idle) * device_s + (d.standby - d.idle) * idle_s,
        "CPU": (node.cpu_idle + node.cpu_share * rise) * seconds
        + (node.cpu_share_busy - node.cpu_share) * rise * device_s,
        "Memory": MODULE_W * MODULES * seconds if memory_j is None else float(memory_j),
        "Link": LINK_W * seconds,
        "NIC": NIC_W * seconds,
        "Storage": STORAGE_W * seconds,
    }


def figure_10(
    trace: Trace,
    profile: LatencyTable,
    config: SchedulerConfig,
    memory: MemoryDevice,
    node: NodePower,
    components: Mapping[str, Any],
    per_token: Mapping[str, Any],
) -> list[EnergyRow]:
    """Return the figure's three cases as the artefact computes them, and two as they should be.

    The artefact's code lets prompts wait for the memory, computes decodes on the accelerator as
    well in a step that holds a prompt, and of two sub-batches only one part of each request.

    Parameters
    ----------
    trace, profile, config
        Requests of one length, tables of the accelerator, scheduler.
    memory, node
        The memory that computes and the server.
    components, per_token
        Figure 10's tables of energies.
    """
    tokens = int(trace.n_out.sum())
    alone = replay(trace, profile, config, compressed=False, log=200_000)
    busy = float(np.diff(busy_of(alone.log), axis=1).sum())
    as_published: dict[str, dict[str, Any]] = {
        "memory, in one piece": {"decodes_again": True, "prompts_wait": True},
        "memory, two sub-batches": {"sub_batches": True, "parts": 1, "decodes_again": True},
    }
    mended: dict[str, dict[str, Any]] = {
        "in one piece, mended": {},
        "two sub-batches, mended": {"sub_batches": True},
    }
    end = alone.end_ns / 1e9
    rows = [
        _row(
            "card alone", PUBLISHED[0], end, component_energy(node, end, busy, end - busy, None),
            tokens, node, components, per_token,
        )
    ]  # fmt: skip
    for cases in (as_published, mended):
        for (case, switches), name in zip(cases.items(), PUBLISHED[1:], strict=True):
            found = serve_offloaded(trace, profile, config, memory, **switches)
            spent = energy_of(found, memory, node)
            end = found.replay.end_ns / 1e9
            rows.append(_row(case, name, end, spent, tokens, node, components, per_token))
    return rows


def energy_of(found: Offloaded, memory: MemoryDevice, node: NodePower) -> dict[str, float]:
    """Return the joules of a server's components in a run with attention in memory."""
    end = found.replay.end_ns / 1e9
    joules = memory.energy_j(end, found.memory_s)
    return component_energy(node, end, found.device_s, end - found.steps_s, joules)


def _row(
    case: str,
    name: str,
    seconds: float | int,
    spent: Mapping[str, float],
    tokens: int,
    node: NodePower,
    components: Mapping[str, Any],
    per_token: Mapping[str, Any],
) -> EnergyRow:
    theirs = dict(zip(components["component"], components[name], strict=True))
    errors = {part: off(spent[part], float(theirs[part])) for part in PARTS}
    worst = max(errors, key=lambda part: abs(errors[part]))
    return EnergyRow(
        case,
        float(theirs["Others"]) / float(node.base),
        float(seconds),
        float(per_token[name][0]),
        float(sum(spent.values())) / tokens,
        worst,
        errors[worst],
    )


def work_ratio(components: Mapping[str, Any], memory: MemoryDevice, node: NodePower) -> float:
    """Return the memory's energy above rest in two sub-batches over that in one piece.

    Both generate the same tokens from the same lengths, so that the same attention is due.
    """
    at = {part: k for k, part in enumerate(components["component"])}
    above = []
    for name in PUBLISHED[1:]:
        seconds = float(components[name][at["Others"]]) / float(node.base)
        rest = memory.energy_j(seconds, 0.0)
        above.append(float(components[name][at["Memory"]]) - rest)
    return above[1] / above[0]


@dataclass(frozen=True)
class AnswerRow:
    """Seconds of requests with answers of one length, in one piece and in two sub-batches."""

    answer: int
    one_piece: float | int
    two: float | int

    @property
    def ratio(self) -> float:
        """Two sub-batches over one piece."""
        return float(self.two / self.one_piece)


def answers(
    trace: Trace, profile: LatencyTable, memory: MemoryDevice, lengths: tuple[int, ...], seats: int
) -> list[AnswerRow]:
    """Return both ways for several lengths of answers, nothing left undone and room for all.

    Parameters
    ----------
    trace
        Its arrivals and prompts are kept.
    profile, memory
        The accelerator and the memory.
    lengths
        Tokens of each answer.
    seats
        Requests that run at most.
    """
    rows = []
    for length in lengths:
        longer = Trace(trace.arrival_ns, trace.n_in, np.full(len(trace), integer("length", length)))
        blocks = int((-(-(longer.n_in + longer.n_out) // 16)).sum())
        config = SchedulerConfig(blocks, max_sequences=seats, prefix_caching=False)
        one, two = (
            serve_offloaded(longer, profile, config, memory, sub_batches=each).replay.end_ns / 1e9
            for each in (False, True)
        )
        rows.append(AnswerRow(length, one, two))
    return rows
