"""The branch-current form: one current per branch, the laws of Kirchhoff as they are taught.

The paper's first author wrote his earlier simulator in this form: a row per node (currents sum to
zero, entries 0 and ±1, never changing) and a row per loop (voltages add up to the sources in it).
Here the loops are the fundamental cycles of a spanning tree, so that rows are independent and as
many as unknowns. A branch is a resistance in series with a source of voltage, which holds every
companion model; or it is a source of current. Zero resistance is allowed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np
from jaxtyping import Num

from quire.circuits.elimination.gauss_jordan import solve
from quire.circuits.errors import CircuitError, SingularCircuit
from quire.signatures import checked

Value = int | float | complex


@checked
@dataclass(frozen=True)
class Branch:
    """A branch from ``tail`` to ``head``: ``v_tail - v_head = impedance * i + emf``.

    ``emf`` counts against the current (a battery whose plus is at the tail has emf > 0). Where
    ``current`` is given the branch is a source of that current and the other two are not looked at.
    Values may be complex, for phasors.
    """

    name: str
    tail: str
    head: str
    impedance: Value = 0.0
    emf: Value = 0.0
    current: Value | None = None


@dataclass(frozen=True)
class BranchEquations:
    """``matrix @ currents = right``; the first ``junctions`` rows never change."""

    matrix: Num[np.ndarray, "b b"]
    right: Num[np.ndarray, " b"]
    junctions: int


@dataclass(frozen=True)
class Solved:
    """Currents of the branches and voltages of the nodes, by name."""

    currents: dict[str, Any]
    voltages: dict[str, Any]


@checked
def branch_equations(branches: Sequence[Branch]) -> BranchEquations:
    """Return the equations of a network in branch currents.

    Raises
    ------
    CircuitError
        For a branch from a node to itself, a name used twice, or no branch.
    """
    _check(branches)
    _, cycles = _cycles(branches)
    nodes = sorted({node for b in branches for node in (b.tail, b.head)})
    dropped = _one_per_component(branches, nodes)
    kept = [node for node in nodes if node not in dropped]
    count = len(branches)
    values = [x for b in branches for x in (b.impedance, b.emf, b.current or 0.0)]
    kind = complex if any(isinstance(x, complex) for x in values) else float
    matrix, right = np.zeros((count, count), dtype=kind), np.zeros(count, dtype=kind)
    row = {node: k for k, node in enumerate(kept)}
    for k, b in enumerate(branches):
        if b.tail in row:
            matrix[row[b.tail], k] -= 1.0
        if b.head in row:
            matrix[row[b.head], k] += 1.0
    for position, (chord, around) in enumerate(cycles, start=len(kept)):
        if branches[chord].current is not None:  # its voltage is free, its current is given
            matrix[position, chord], right[position] = 1.0, branches[chord].current
            continue
        for k, sign in around:
            b = branches[k]
            matrix[position, k] += sign * b.impedance
            right[position] -= sign * b.emf
    return BranchEquations(matrix, right, len(kept))


@checked
def solve_branches(branches: Sequence[Branch], ground: str = "0") -> Solved:
    """Solve a network by Gauss-Jordan elimination of its branch equations.

    Parameters
    ----------
    branches
        The network.
    ground
        The node whose voltage is zero; in other components the first node is.

    Raises
    ------
    CircuitError
        As in `branch_equations`.
    SingularCircuit
        For a loop of voltage sources without resistance, or sources of current that cut the
        network in two.
    """
    equations = branch_equations(branches)
    try:
        currents = solve(equations.matrix, equations.right)
    except SingularCircuit as fault:
        raise SingularCircuit(
            "branch currents are not determined: a loop has sources of voltage and no resistance"
        ) from fault
    tree, _ = _cycles(branches)
    nodes = sorted({node for b in branches for node in (b.tail, b.head)}, key=lambda n: n != ground)
    voltages: dict[str, Any] = {}
    steps: dict[str, list[tuple[str, int, int]]] = {node: [] for node in nodes}
    for k in tree:
        steps[branches[k].tail].append((branches[k].head, k, -1))
        steps[branches[k].head].append((branches[k].tail, k, 1))
    for root in nodes:
        if root in voltages:
            continue
        voltages[root] = 0.0
        stack = [root]
        while stack:
            here = stack.pop()
            for there, k, sign in steps[here]:
                if there not in voltages:
                    b = branches[k]
                    drop = b.impedance * currents[k] + b.emf
                    voltages[there] = voltages[here] + sign * drop
                    stack.append(there)
    return Solved({b.name: currents[k] for k, b in enumerate(branches)}, voltages)


@checked
def nodal_equations(
    branches: Sequence[Branch], ground: str = "0"
) -> tuple[Num[np.ndarray, "n n"], Num[np.ndarray, " n"], tuple[str, ...]]:
    """Return the same network in modified nodal form: matrix, right side, names of the unknowns.

    A branch with zero impedance gets its current as an unknown, as a voltage source does in SPICE.

    Raises
    ------
    CircuitError
        As in `branch_equations`.
    """
    _check(branches)
    nodes = sorted({node for b in branches for node in (b.tail, b.head)} - {ground})
    ideal = [b for b in branches if b.current is None and b.impedance == 0]
    names = (*nodes, *(f"{b.name}#branch" for b in ideal))
    n = len(names)
    place = {ground: n} | {name: k for k, name in enumerate(names)}
    values = [x for b in branches for x in (b.impedance, b.emf, b.current or 0.0)]
    kind = complex if any(isinstance(x, complex) for x in values) else float
    matrix, right = np.zeros((n + 1, n + 1), dtype=kind), np.zeros(n + 1, dtype=kind)
    for b in branches:
        a, z = place[b.tail], place[b.head]
        if b.current is not None:
            right[a] -= b.current
            right[z] += b.current
        elif b.impedance == 0:
            k = place[f"{b.name}#branch"]
            for node, sign in ((a, 1.0), (z, -1.0)):
                matrix[node, k] += sign
                matrix[k, node] += sign
            right[k] += b.emf
        else:
            g = 1 / b.impedance
            for node, sign in ((a, 1.0), (z, -1.0)):
                matrix[node, a] += sign * g
                matrix[node, z] -= sign * g
                right[node] += sign * g * b.emf
    return matrix[:n, :n], right[:n], names


def _check(branches: Sequence[Branch]) -> None:
    if not branches:
        raise CircuitError("branches is empty: a network holds at least one")
    names = [b.name for b in branches]
    for b in branches:
        if b.tail == b.head:
            raise CircuitError(f"{b.name} leads from {b.tail} to itself: two nodes are needed")
        if names.count(b.name) > 1:
            raise CircuitError(f"the name {b.name} is used twice")
        for key, value in (("impedance", b.impedance), ("emf", b.emf), ("current", b.current)):
            if isinstance(value, bool) or not isinstance(value, Number | None):
                raise CircuitError(f"{b.name}: {key} = {value!r}: must be a number")
            if value is not None and not np.isfinite(complex(value)):  # type: ignore[arg-type]
                raise CircuitError(f"{b.name}: {key} = {value}: must be finite")


def _cycles(
    branches: Sequence[Branch],
) -> tuple[list[int], list[tuple[int, list[tuple[int, int]]]]]:
    """Return a spanning forest and, for each branch outside it, its cycle as (branch, sign).

    Sources of voltage come into the forest first and sources of current last.

    Raises
    ------
    SingularCircuit
        When a source of current is needed to hold the network together.
    """
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    order = sorted(range(len(branches)), key=lambda k: branches[k].current is not None)
    tree, chords = [], []
    for k in order:
        a, b = root(branches[k].tail), root(branches[k].head)
        if a == b:
            chords.append(k)
            continue
        if branches[k].current is not None:
            raise SingularCircuit(
                f"the sources of current around {branches[k].name} cut the network in two"
            )
        parent[a] = b
        tree.append(k)
    edges: dict[str, list[tuple[str, int, int]]] = {}
    for k in tree:
        edges.setdefault(branches[k].tail, []).append((branches[k].head, k, 1))
        edges.setdefault(branches[k].head, []).append((branches[k].tail, k, -1))
    return tree, [
        (k, [(k, 1), *_path(edges, branches[k].head, branches[k].tail)]) for k in sorted(chords)
    ]


def _path(
    edges: dict[str, list[tuple[str, int, int]]], start: str, end: str
) -> list[tuple[int, int]]:
    """Return the tree's path between two nodes, as branches with the sign of their direction."""
    came: dict[str, tuple[str, int, int] | None] = {start: None}
    stack = [start]
    while stack:
        here = stack.pop()
        if here == end:
            break
        for there, k, sign in edges.get(here, []):
            if there not in came:
                came[there] = (here, k, sign)
                stack.append(there)
    found: list[tuple[int, int]] = []
    node = end
    while (step := came[node]) is not None:
        node = step[0]
        found.append((step[1], step[2]))
    return found


def _one_per_component(branches: Sequence[Branch], nodes: Sequence[str]) -> set[str]:
    """Return one node of every connected part: its junction's row follows from the others."""
    neighbours: dict[str, set[str]] = {node: set() for node in nodes}
    for b in branches:
        neighbours[b.tail].add(b.head)
        neighbours[b.head].add(b.tail)
    dropped: set[str] = set()
    seen: set[str] = set()
    for node in nodes:
        if node in seen:
            continue
        dropped.add(node)
        stack = [node]
        while stack:
            here = stack.pop()
            if here not in seen:
                seen.add(here)
                stack += neighbours[here]
    return dropped
