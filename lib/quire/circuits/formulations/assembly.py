"""Device ports as arrays: steering voltages out of x, currents and conductances into the matrix."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from quire.circuits.formulations.mna import Group, System

Unknowns = Float[np.ndarray, " n"]
Voltages = Float[np.ndarray, " c"]
Branchwise = Float[np.ndarray, " d"]
Terms = Float[np.ndarray, " dc"]


@dataclass(frozen=True)
class Evaluation:
    """All devices at some steering voltages: currents, charges and their derivatives, flat."""

    j: Float[np.ndarray, " d"]
    dj: Float[np.ndarray, " dc"]
    q: Float[np.ndarray, " d"]
    dq: Float[np.ndarray, " dc"]


class Ports:
    """Where the devices of a system touch it; precomputed once, used in every iteration.

    Steering voltages of all groups stand in one vector ``w``, branch currents in one vector ``j``.
    """

    def __init__(self, system: System) -> None:
        self.system, n = system, system.n
        self.slices: list[tuple[slice, slice]] = []
        plus, minus, start, end = [], [], [], []
        branch_of, voltage_of = [], []
        c_at = d_at = 0
        for group in system.groups:
            c, k, _ = group.steering.shape
            d = group.branches.shape[0]
            plus.append(group.steering[..., 0].ravel())
            minus.append(group.steering[..., 1].ravel())
            start.append(group.branches[..., 0].ravel())
            end.append(group.branches[..., 1].ravel())
            rows = d_at + np.arange(d * k).reshape(d, 1, k)
            columns = c_at + np.arange(c * k).reshape(1, c, k)
            branch_of.append(np.broadcast_to(rows, (d, c, k)).ravel())
            voltage_of.append(np.broadcast_to(columns, (d, c, k)).ravel())
            self.slices.append((slice(c_at, c_at + c * k), slice(d_at, d_at + d * k)))
            c_at, d_at = c_at + c * k, d_at + d * k
        self.plus, self.minus = _joined(plus), _joined(minus)
        self.start, self.end = _joined(start), _joined(end)
        self.branch_of, self.voltage_of = _joined(branch_of), _joined(voltage_of)
        self.voltages, self.branches = c_at, d_at
        a, b = self.start[self.branch_of], self.end[self.branch_of]
        p, m = self.plus[self.voltage_of], self.minus[self.voltage_of]
        self._cells = np.concatenate(
            [a * (n + 1) + p, a * (n + 1) + m, b * (n + 1) + p, b * (n + 1) + m]
        )

        self.shortest = min((_unlimited(group) for group in system.groups), default=0.0)

    def steering(self, x: Unknowns) -> Voltages:
        """Return the steering voltages of all devices."""
        full = np.append(x, 0.0)
        return full[self.plus] - full[self.minus]

    def magnitudes(self, x: Unknowns) -> Voltages:
        """Return the sums of the two voltages' sizes behind each steering voltage."""
        full = np.abs(np.append(x, 0.0))
        return full[self.plus] + full[self.minus]

    def begin(self) -> Voltages:
        """Return the steering voltages at which Newton begins."""
        parts = [
            np.broadcast_to(v, group.count)
            for group in self.system.groups
            for v in group.kind.start(group.parameters)
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def evaluate(self, w: Voltages, gmin: float, time: float = 0.0) -> Evaluation:
        """Evaluate every device; ``time`` enters sources given by an expression."""
        pieces: tuple[list[Any], ...] = ([], [], [], [])
        for group, (vs, _) in zip(self.system.groups, self.slices, strict=True):
            given = group.parameters
            if "time" in given:
                given = given | {"time": time}
            law = group.kind.law(np, given, w[vs].reshape(-1, group.count), gmin)
            pieces[0].extend(law.j)
            pieces[1].extend(x for row in law.dj for x in row)
            pieces[2].extend(law.q)
            pieces[3].extend(x for row in law.dq for x in row)
        return Evaluation(*(np.concatenate(p) if p else np.zeros(0) for p in pieces))

    def limit(self, new: Voltages, old: Voltages) -> Voltages:
        """Return the voltages that a step from ``old`` to ``new`` may go to.

        Steps up to `shortest` are never limited: no junction moves by two thermal voltages.
        """
        if np.abs(new - old).max(initial=0.0) <= self.shortest:
            return new
        limited = new.copy()
        for group, (vs, _) in zip(self.system.groups, self.slices, strict=True):
            shape = (-1, group.count)
            parts = group.kind.limit(
                np, group.parameters, new[vs].reshape(shape), old[vs].reshape(shape)
            )
            limited[vs] = np.concatenate(parts) if len(parts) else []
        return limited

    def conductances(self, d: Terms) -> Float[np.ndarray, "n n"]:
        """Return S diag(d) P^T: flat derivatives put where they stand in the matrix."""
        n = self.system.n
        weights = np.concatenate([d, -d, -d, d])
        full = np.bincount(self._cells, weights, (n + 1) * (n + 1)).reshape(n + 1, n + 1)
        return full[:n, :n].astype(float)

    def pattern(self) -> Bool[np.ndarray, "n n"]:
        """Return where the devices' conductances may stand in the matrix."""
        n = self.system.n
        found = np.zeros((n + 1) * (n + 1), dtype=bool)
        found[self._cells] = True
        return found.reshape(n + 1, n + 1)[:n, :n]

    def currents(self, j: Branchwise) -> Unknowns:
        """Return S j: branch currents summed into the equations."""
        n = self.system.n
        both = np.bincount(np.concatenate([self.start, self.end]), np.concatenate([j, -j]), n + 1)
        return both[:n].astype(float)

    def sizes(self, j: Branchwise) -> Unknowns:
        """Return the sizes of branch currents summed into the equations."""
        n = self.system.n
        both = np.concatenate([self.start, self.end])
        return np.bincount(both, np.tile(np.abs(j), 2), n + 1)[:n].astype(float)

    def applied(self, d: Terms, w: Voltages) -> Branchwise:
        """Return the branch currents that derivatives ``d`` give for voltages ``w``."""
        return np.bincount(self.branch_of, d * w[self.voltage_of], self.branches).astype(float)

    def incidence(self) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "n c"]]:
        """Return S and P as dense matrices."""
        return _incidence(self.system.n, self.start, self.end), _incidence(
            self.system.n, self.plus, self.minus
        )


def _unlimited(group: Group) -> float:
    """Return how far all voltages of a group may move without any limit to it."""
    scales = [
        float(np.min(group.parameters[key]))
        for key in ("scale", "breakdown_scale", "vt")
        if key in group.parameters
    ]
    # the bulk of a transistor sees the difference of two voltages at its drain
    return (1.0 if group.kind.name == "mosfet" else 2.0) * min(scales, default=np.inf)


def _incidence(n: int, first: Any, second: Any) -> Float[np.ndarray, "n k"]:
    full = np.zeros((n + 1, len(first)))
    columns = np.arange(len(first))
    np.add.at(full, (first, columns), 1.0)
    np.add.at(full, (second, columns), -1.0)
    return full[:n]


def _joined(parts: list[Any]) -> Any:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
