"""One schedule: when every operation of a program runs, and what follows from it.

Every baseline, search and import returns this one type, so the Gantt chart, the memory curve, the
critical path and the CSV export all read the same arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from quire import checks
from quire.pipeline.program import KINDS, Program
from quire.signatures import checked


@dataclass(frozen=True)
class Schedule:
    """Start and end (seconds) of every operation of ``program``.

    ``order`` is a topological sequence of all operations whose restriction to one rank is the order
    in which that rank runs them.
    """

    program: Program
    order: Int[np.ndarray, " n"]
    start: Float[np.ndarray, " n"]
    end: Float[np.ndarray, " n"]

    @property
    def makespan(self) -> float:
        """Seconds from the first start to the last end."""
        return float(self.end.max() - self.start.min())

    def rank_order(self, rank: int) -> Int[np.ndarray, " _"]:
        """Operations of one rank in the order in which it runs them."""
        return self.order[self.program.rank[self.order] == rank]


@checked
def rank_spans(schedule: Schedule) -> Float[np.ndarray, " ranks"]:
    """Seconds from each rank's first start to its last end.

    The longest span is the step time when ranks need no common barrier before the optimizer, the
    measure that zero-bubble schedulers report.
    """
    ranks, rank = schedule.program.ranks, schedule.program.rank
    first, last = np.full(ranks, np.inf), np.full(ranks, -np.inf)
    np.minimum.at(first, rank, schedule.start)
    np.maximum.at(last, rank, schedule.end)
    return last - first


@checked
def bubble_fraction(schedule: Schedule) -> float:
    """Idle share of all ranks' time until the makespan: ``1 − Σ work / (P · C)``."""
    work = schedule.program.work().sum()
    return float(1.0 - work / (schedule.program.ranks * schedule.makespan))


@checked
def memory_curve(
    schedule: Schedule, rank: int
) -> tuple[Float[np.ndarray, " events"], Float[np.ndarray, " events"]]:
    """Bytes kept on ``rank`` over time: ``(seconds, bytes from that second on)``.

    An operation's bytes count from its start, so a peak includes the operation being run.

    Raises
    ------
    ValueError
        If there is no such rank.
    """
    rank = checks.integer("rank", rank, 0, schedule.program.ranks - 1)
    order = schedule.rank_order(rank)
    acquired, released = schedule.program.acquired[order], schedule.program.released[order]
    when = np.column_stack([schedule.start[order], schedule.end[order]]).ravel()
    change = np.column_stack([acquired, -released]).ravel()
    moves = change != 0
    return when[moves], np.cumsum(change[moves])


@checked
def peak_memory(schedule: Schedule) -> Float[np.ndarray, " ranks"]:
    """Largest number of bytes kept on each rank at any instant."""
    peaks = np.zeros(schedule.program.ranks)
    for rank in range(schedule.program.ranks):
        _, level = memory_curve(schedule, rank)
        peaks[rank] = level.max(initial=0.0)
    return peaks


@checked
def critical_path(schedule: Schedule) -> Int[np.ndarray, " length"]:
    """Operations of one longest chain of waiting, first to last.

    From the operation that ends last, step back to the one that it waited for: the previous on its
    rank or a dependency, whichever ended (plus lag) exactly at its start. Ties go to dependencies.
    """
    program = schedule.program
    before = _previous_on_rank(schedule)
    path = [int(np.argmax(schedule.end))]
    while True:
        i = path[-1]
        arcs = slice(program.dep_ptr[i], program.dep_ptr[i + 1])
        waits = np.append(program.dep[arcs], before[i] if before[i] >= 0 else i)
        until = schedule.end[waits] + np.append(program.lag[arcs], 0.0)
        until[waits == i] = -np.inf
        best = int(np.argmax(until))
        if until[best] == -np.inf:
            return np.array(path[::-1], dtype=np.int64)
        path.append(int(waits[best]))


def _previous_on_rank(schedule: Schedule) -> Int[np.ndarray, " n"]:
    before = np.full(schedule.program.operations, -1, dtype=np.int64)
    for rank in range(schedule.program.ranks):
        order = schedule.rank_order(rank)
        before[order[1:]] = order[:-1]
    return before


def finite_limit(limit: Float[np.ndarray, " ranks"], ranks: int) -> Float[np.ndarray, " ranks"]:
    """Return a memory limit as one finite number of bytes per rank.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    given = checks.real_array("memory_limit", limit, 1, least=0.0)
    if given.shape != (ranks,):
        raise ValueError(
            f"memory_limit = {len(given)} entries: give bytes for each of {ranks} ranks"
        )
    return given


@checked
def violations(
    schedule: Schedule, memory_limit: Float[np.ndarray, " ranks"] | None = None
) -> list[str]:
    """Every rule that the schedule breaks, in words; an empty list means that it is valid.

    Checks that each operation runs once and for its duration, that no rank runs two at a time, that
    dependencies and lags hold, and that the memory limit, if given, is kept.

    Raises
    ------
    ValueError
        If the memory limit is not one finite number per rank.
    """
    program, found = schedule.program, []
    slack = 1e-9 * max(schedule.makespan, 1e-300)
    if not np.array_equal(np.sort(schedule.order), np.arange(program.operations)):
        found.append("order is not a permutation of the operations")
    if not np.allclose(schedule.end - schedule.start, program.duration, rtol=0, atol=slack):
        found.append("an operation does not last for its duration")
    for rank in range(program.ranks):
        order = schedule.rank_order(rank)
        if (schedule.start[order[1:]] < schedule.end[order[:-1]] - slack).any():
            found.append(f"rank {rank} runs two operations at a time")
    target = np.repeat(np.arange(program.operations), np.diff(program.dep_ptr))
    if (schedule.start[target] < schedule.end[program.dep] + program.lag - slack).any():
        found.append("an operation starts before one that it waits for has arrived")
    if memory_limit is not None:
        memory_limit = finite_limit(memory_limit, program.ranks)
        over = np.flatnonzero(peak_memory(schedule) > memory_limit * (1 + 1e-12))
        found += [f"rank {rank} exceeds its memory limit" for rank in over]
    return found


@checked
def schedule_table(schedule: Schedule) -> dict[str, np.ndarray]:
    """Columns for a data frame, one row per operation in order of start.

    ``rank, start, end, kind, microbatch, module, piece, stage, segment, chain, critical``.
    """
    program = schedule.program
    rows = np.lexsort((program.rank, schedule.start))
    critical: Bool[np.ndarray, " n"] = np.zeros(program.operations, dtype=bool)
    critical[critical_path(schedule)] = True
    return {
        "rank": program.rank[rows],
        "start": schedule.start[rows],
        "end": schedule.end[rows],
        "kind": np.array(KINDS)[program.kind[rows]],
        "microbatch": program.microbatch[rows],
        "module": program.module[rows],
        "piece": program.piece[rows],
        "stage": program.stage[rows],
        "segment": program.segment[rows],
        "chain": program.chain[rows],
        "critical": critical[rows],
    }
