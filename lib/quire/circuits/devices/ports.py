"""How a nonlinear device is seen by the solvers: voltages that steer it, currents it carries.

A device of kind ``D`` has ``c`` steering voltages, each a difference of two nodes, and ``d``
branches, each a current from a node to another. Its law maps the voltages ``w`` (an array whose
first axis has length c) to currents and their derivatives, and to charges and theirs. With
incidence matrices P and S the circuit's equations read ``A x + S j(P^T x) = b``: the devices touch
the rest only through these ports, and the rank of P bounds what reduction leaves over.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

# parameters of the laws without which a device holds no charge
CHARGES = ("c0", "transit", "cje", "cjc", "cjs", "tf", "tr", "c_d", "c_s", "cw_d", "cw_s")


class Law(NamedTuple):
    """Currents ``j`` and charges ``q`` of the branches, and derivatives ``[branch][voltage]``.

    Each entry is an array over the devices of a group; None where it is zero throughout.
    """

    j: list[Any]
    dj: list[list[Any]]
    q: list[Any]
    dq: list[list[Any]]


@dataclass(frozen=True)
class Kind:
    """A kind of device.

    Parameters
    ----------
    name
        What to call it.
    steering
        Pairs of terminals (positions) whose difference steers the device.
    branches
        Pairs of terminals between which currents flow.
    law
        ``law(xp, parameters, w, gmin)`` returns a `Law`.
    limit
        ``limit(xp, parameters, new, old)`` returns steering voltages that a step may go to.
    start
        ``start(parameters)`` returns the steering voltages at which Newton begins.
    """

    name: str
    steering: tuple[tuple[int, int], ...]
    branches: tuple[tuple[int, int], ...]
    law: Callable[[Any, Mapping[str, Any], Any, Any], Law]
    limit: Callable[[Any, Mapping[str, Any], Any, Any], list[Any]]
    start: Callable[[Mapping[str, Any]], list[Any]]
