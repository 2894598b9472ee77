"""Schedules as the CSV tables that PyTorch's pipelining runtime reads and writes.

One row per rank, one cell per action: ``<stage><F|B|I|W><microbatch>``. ``B`` is a full backward,
``I`` and ``W`` its two halves (where ``W`` follows, ``B`` means ``I``), ``(a;b)OVERLAP_F_B`` two
actions run as one, an empty cell idle time. Format facts from PyTorch's own test artefacts.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from quire.pipeline.emulator import emulate_ranks
from quire.pipeline.program import BACKWARD, FORWARD, WEIGHT, Chain, Program, assemble, rewired
from quire.pipeline.schedule import Schedule
from quire.pipeline.schedules.static import operation_index
from quire.signatures import checked

_ACTION = re.compile(r"(\d+)([FBIW])(\d+)")
_PAIR = re.compile(r"\(([^;]+);([^)]+)\)OVERLAP_F_B")


@dataclass(frozen=True)
class Action:
    """One compute action of a table."""

    stage: int
    kind: str
    microbatch: int


@dataclass(frozen=True)
class ActionTable:
    """Actions per rank in order; an entry with two actions runs them as one."""

    rows: tuple[tuple[tuple[Action, ...], ...], ...]

    @property
    def ranks(self) -> int:
        """Number of rows."""
        return len(self.rows)


@checked
def read_actions(text: str) -> ActionTable:
    """Parse a table.

    Raises
    ------
    ValueError
        If a cell is malformed (named by row and column), the table is empty, or an action is
        repeated.
    """
    rows, seen = [], set()
    for r, line in enumerate(csv.reader(io.StringIO(text))):
        row = []
        for c, cell in enumerate(line):
            if not cell.strip():
                continue
            actions = _read_cell(cell.strip(), r, c)
            for action in actions:
                if action in seen:
                    raise ValueError(f"row {r + 1}, column {c + 1}: {cell!r} repeats an action")
                seen.add(action)
            row.append(actions)
        rows.append(tuple(row))
    if not seen:
        raise ValueError("the table holds no actions: give one row per rank")
    return ActionTable(tuple(rows))


def _read_cell(cell: str, row: int, column: int) -> tuple[Action, ...]:
    pair = _PAIR.fullmatch(cell)
    matches = [_ACTION.fullmatch(part.strip()) for part in (pair.groups() if pair else (cell,))]
    if not all(matches):
        raise ValueError(
            f"row {row + 1}, column {column + 1}: {cell!r} is no action: "
            "write e.g. 0F1 or (0F1;3B0)OVERLAP_F_B"
        )
    return tuple(Action(int(m[1]), m[2], int(m[3])) for m in matches if m is not None)


@checked
def replay(
    table: ActionTable,
    *,
    forward: float = 1.0,
    backward: float = 2.0,
    half: float = 1.0,
    hop: float = 0.0,
) -> Schedule:
    """Emulate a table: a full backward lasts ``backward``, each half ``half``, a pair the sum.

    Both actions of a pair start once the inputs of both are there, and what follows either waits
    for the end of the pair.

    Raises
    ------
    ValueError
        If a microbatch lacks an action that another one waits for, or a stage is on two ranks.
    ScheduleDeadlock
        If the rows wait for each other.
    """
    home: dict[int, int] = {}
    kinds: dict[tuple[int, int], set[str]] = {}
    for rank, row in enumerate(table.rows):
        for action in (action for entry in row for action in entry):
            if home.setdefault(action.stage, rank) != rank:
                raise ValueError(
                    f"stage {action.stage} is on ranks {home[action.stage]} and {rank}"
                )
            kinds.setdefault((action.stage, action.microbatch), set()).add(action.kind)
    _check_complete(home, kinds)
    stages = len(home)
    path = tuple(home[s] for s in range(stages))
    chains = []
    for i in sorted({microbatch for _, microbatch in kinds}):
        whole = np.array(["W" not in kinds[s, i] for s in range(stages)])
        back, weight = np.where(whole, backward, half), np.where(whole, 0.0, half)
        ones = np.ones(stages)
        chains.append(Chain(i, 0, 0, 0, path, ones * forward, back, weight, ones, hop))
    program = assemble(chains, table.ranks)
    index = operation_index(program)
    place = {"F": FORWARD, "B": BACKWARD, "I": BACKWARD, "W": WEIGHT}
    number = {m: k for k, m in enumerate(sorted({microbatch for _, microbatch in kinds}))}

    def operation(action: Action) -> int:
        return int(index[place[action.kind], number[action.microbatch], action.stage])

    rank_orders, pairs = [], []
    for row in table.rows:
        order = []
        for entry in row:
            operations = [operation(action) for action in entry]
            if len(operations) == 2:
                pairs.append((operations[0], operations[1]))
            order += operations
            # a whole backward has no second half; its empty weight gradient follows at once
            order += [
                int(index[WEIGHT, number[a.microbatch], a.stage])
                for a in entry
                if a.kind == "B"
                and "W" not in kinds[a.stage, a.microbatch]
                and index[WEIGHT, number[a.microbatch], a.stage] >= 0
            ]
        rank_orders.append(np.array(order, dtype=np.int64))
    fused, place_of = _fuse(program, pairs)
    return emulate_ranks(fused, [place_of[order] for order in rank_orders])


def _check_complete(home: dict[int, int], kinds: dict[tuple[int, int], set[str]]) -> None:
    if sorted(home) != list(range(len(home))):
        raise ValueError(f"stages are {sorted(home)}: number them from 0 without a gap")
    for microbatch in {m for _, m in kinds}:
        for stage in home:
            have = kinds.get((stage, microbatch), set())
            if have not in ({"F", "B"}, {"F", "B", "W"}, {"F", "I", "W"}):
                raise ValueError(
                    f"stage {stage}, microbatch {microbatch} has actions {sorted(have)}: "
                    "needs F and B, or F, I (or B) and W"
                )


def _fuse(program: Program, pairs: list[tuple[int, int]]) -> tuple[Program, Int[np.ndarray, " n"]]:
    """Tie pairs together: the first waits for the second's inputs, its followers for the second."""
    second = np.arange(program.operations)
    for a, b in pairs:
        second[a] = b
    target = np.repeat(np.arange(program.operations), np.diff(program.dep_ptr))
    source, lag = second[program.dep], program.lag
    keep = np.ones(len(source), dtype=bool)
    extra: list[tuple[int, int, float]] = []
    for a, b in pairs:
        inputs = np.flatnonzero(target == b)
        extra += [(int(source[k]), a, float(lag[k])) for k in inputs if source[k] not in (a, b)]
        keep[inputs[source[inputs] == b]] = False
        extra.append((a, b, 0.0))
    source = np.concatenate([source[keep], np.array([e[0] for e in extra], dtype=np.int64)])
    target = np.concatenate([target[keep], np.array([e[1] for e in extra], dtype=np.int64)])
    lag = np.concatenate([lag[keep], np.array([e[2] for e in extra], dtype=np.float64)])
    return rewired(program, source, target, lag)


@checked
def write_actions(schedule: Schedule) -> str:
    """Write the schedule as a table that PyTorch's runtime loads (compute actions only).

    Raises
    ------
    ValueError
        If microbatches are cut into pieces: PyTorch runs every stage once per microbatch.
    """
    program = schedule.program
    index = operation_index(program)
    stages = index.shape[2]
    if (index[FORWARD] < 0).any():
        raise ValueError(
            "a microbatch skips a stage: PyTorch runs every stage for every microbatch"
        )
    split = (index[WEIGHT] >= 0).any()
    names = {FORWARD: "F", BACKWARD: "I" if split else "B", WEIGHT: "W"}
    lines = []
    for rank in range(program.ranks):
        order = schedule.rank_order(rank).tolist()
        lines.append(
            ",".join(
                f"{program.stage[i]}{names[int(program.kind[i])]}{program.microbatch[i]}"
                for i in order
            )
        )
    if len(set(program.stage.tolist())) != stages:
        raise ValueError("stages are not numbered from 0 without a gap")
    return "\n".join(lines) + "\n"
