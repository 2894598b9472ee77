"""Which collectives of an HLO module run: its computations, and how they call each other.

HLO text is a list of computations; an instruction may call others (``calls=``, ``to_apply=``), a
``while`` names a body and a condition, a ``conditional`` its branches.
The walk starts at the entry.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from quire.sketching.programs.collectives import (
    Collective,
    collective_of,
    ranks_of,
    without_metadata,
)

_HEADER = re.compile(r"^(?P<entry>ENTRY )?%?(?P<name>[\w.\-]+) .*\{$")
_CALLED = re.compile(r"\b(?P<role>[a-z_]+)=(?:\{(?P<several>[^{}]*)\}|(?P<one>%?[\w.\-]+))")
_NAME = re.compile(r"%?([\w.\-]+)")
_LOOP_ROLES = {"body", "condition"}
_BRANCH_ROLES = {"branch_computations", "true_computation", "false_computation"}
# the halves that end an asynchronous call name its computation again
_ENDS = re.compile(r"\s(?:async-update|async-done)\(")


@dataclass(frozen=True)
class Computation:
    """One computation of a module: what it issues itself, and what it calls."""

    name: str
    collectives: tuple[Collective, ...]
    calls: tuple[str, ...]  # run once per run of this computation
    branches: tuple[tuple[str, ...], ...]  # of each conditional: one of them runs
    loops: tuple[str, ...]  # bodies and conditions of while loops


def read_computations(hlo: str) -> tuple[str, dict[str, Computation]]:
    """Return the entry's name and the module's computations by name.

    Raises
    ------
    ValueError
        When the text is not a module, or none of its computations is the entry.
    """
    ranks = ranks_of(hlo)
    entry = ""
    found: dict[str, Computation] = {}
    name = ""
    lines: list[str] = []
    for line in hlo.splitlines():
        header = None if line.startswith(("HloModule", " ")) else _HEADER.match(line)
        if header:
            name, lines = header["name"], []
            entry = name if header["entry"] else entry
        elif line.startswith("}") and name:
            found[name] = _read(name, lines, ranks)
            name = ""
        elif name:
            lines.append(line)
    if entry not in found:
        raise ValueError("hlo = a text without ENTRY: the text of a whole compiled module")
    return entry, found


def _read(name: str, lines: list[str], ranks: int) -> Computation:
    collectives, calls, branches, loops = [], [], [], []
    for line in lines:
        collective = collective_of(line, ranks)
        if collective is not None:
            collectives.append(collective)
        if _ENDS.search(line):
            continue
        alternatives: list[str] = []
        for match in _CALLED.finditer(without_metadata(line)):
            called = _NAME.findall(match["several"] or match["one"] or "")
            if match["role"] in _LOOP_ROLES:
                loops += called
            elif match["role"] in _BRANCH_ROLES:
                alternatives += called
            else:
                calls += called
        if alternatives:
            branches.append(tuple(alternatives))
    return Computation(name, tuple(collectives), tuple(calls), tuple(branches), tuple(loops))


def executed_collectives(hlo: str) -> tuple[Collective, ...]:
    """Return the collectives of the dearest run of a module, each as often as it runs.

    Raises ``ValueError`` when a collective can be reached from a loop, whose trip count is not
    taken from the text.
    """
    entry, computations = read_computations(hlo)
    memo: dict[str, tuple[Collective, ...]] = {}

    def walk(name: str) -> tuple[Collective, ...]:
        if name in memo:
            return memo[name]
        if name not in computations:  # an attribute that names something else
            return ()
        here = computations[name]
        found = list(here.collectives)
        for called in here.calls:
            found += walk(called)
        for alternatives in here.branches:
            found += max((walk(branch) for branch in alternatives), key=_sent)
        for loop in here.loops:
            if walk(loop):
                raise ValueError(
                    f"a collective runs inside the loop body {loop}, as often as the loop does: "
                    "collectives outside loops are allowed (move it out, or unroll)"
                )
        memo[name] = tuple(found)
        return memo[name]

    return walk(entry)


def _sent(collectives: Iterable[Collective]) -> float:
    return float(sum(collective.bytes for collective in collectives))
