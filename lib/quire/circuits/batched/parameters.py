"""What may vary from variant to variant: element values and model parameters, by name.

``r1``, ``c1`` and ``l1`` are values in ohms, farads and henries; ``d1.is``, ``q1.bf`` and ``m1.kp``
are parameters of one device's model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quire.circuits.errors import CircuitError
from quire.circuits.formulations.mna import System
from quire.circuits.netlist import elements as e

# model parameter -> parameter of the law that is proportional to it
_PROPORTIONAL = {
    "diode": {"is": "saturation", "tt": "transit", "cjo": "c0"},
    "bipolar": {
        "is": "saturation", "bf": "bf", "br": "br", "tf": "tf", "tr": "tr", "cje": "cje",
        "cjc": "cjc",
    },
    "mosfet": {"kp": "beta", "lambda": "lambda"},
}  # fmt: skip


@dataclass(frozen=True)
class Varied:
    """One varied quantity: its name, its nominal value, and where it enters the equations."""

    name: str
    nominal: float
    kind: str  # r, c, l, or a device kind
    position: int  # among its kind
    law: str = ""  # the law's parameter, for devices


def find_varied(system: System, names: Sequence[str]) -> tuple[Varied, ...]:
    """Return what the names mean in a system.

    Raises
    ------
    CircuitError
        For a name that is neither a value nor a parameter that can vary, or given twice.
    """
    if len(set(names)) != len(names):
        raise CircuitError(f"varied = {list(names)!r}: a name stands there twice")
    return tuple(_find(system, name.lower()) for name in names)


def _find(system: System, name: str) -> Varied:
    for kind, linear in (
        ("r", system.resistors),
        ("c", system.capacitors),
        ("l", system.inductors),
    ):
        if name in linear.names:
            k = linear.names.index(name)
            if kind == "l" and any(
                isinstance(x, e.Coupling) and name in x.inductors for x in system.circuit.elements
            ):
                raise CircuitError(f"{name} is coupled to another inductor and cannot vary")
            return Varied(name, float(linear.values[k]), kind, k)
    device, _, parameter = name.rpartition(".")
    for group in system.groups:
        if device in group.names:
            law = _PROPORTIONAL[group.kind.name].get(parameter)
            if law is None:
                allowed = ", ".join(_PROPORTIONAL[group.kind.name])
                raise CircuitError(f"{name}: of a {group.kind.name} may vary {allowed}")
            element: Any = system.circuit.element(device)
            defaults = {
                "is": 1e-14 if group.kind.name == "diode" else 1e-16,
                "bf": 100.0,
                "br": 1.0,
                "kp": 2e-5,
            }
            nominal = element.model.get(parameter, defaults.get(parameter, 0.0))
            if nominal <= 0:
                raise CircuitError(f"{name} is 0 in the deck, and varies by its ratio to that")
            return Varied(name, nominal, group.kind.name, group.names.index(device), law)
    raise CircuitError(f"{name}: neither a value nor a device parameter of the circuit")


def check_values(varied: Sequence[Varied], values: Mapping[str, Any]) -> Any:
    """Return the values as an array, one row per varied quantity, one column per variant.

    Raises
    ------
    ValueError
        For missing or unknown names, values not positive and finite, or counts that differ.
    """
    wanted = {v.name for v in varied}
    given = {name.lower(): np.asarray(array) for name, array in values.items()}
    if set(given) != wanted:
        raise ValueError(f"values of {sorted(given)}: must be those of {sorted(wanted)}")
    if not varied:
        raise ValueError("varied is empty: at least one quantity must vary")
    rows = []
    for v in varied:
        row = given[v.name]
        if row.dtype.kind not in "iuf" or row.ndim != 1 or row.size == 0:
            raise ValueError(
                f"{v.name} = an array of {row.dtype}, {row.shape}: must be a list of numbers"
            )
        if not (np.isfinite(row).all() and (row > 0).all()):
            raise ValueError(f"{v.name}: every value must be positive and finite")
        rows.append(row.astype(float))
    if len({len(row) for row in rows}) > 1:
        raise ValueError("every varied quantity must have as many values as the others")
    return np.stack(rows)
