"""Sources whose voltage or current is an expression: a law made from a tree, with exact slopes.

One source is a device with one branch, steered by the probes of its expression. A voltage source's
branch stands in its own row, so that the row reads ``v(a) - v(b) - expression = 0``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from quire.circuits.devices.ports import Kind, Law
from quire.circuits.netlist.elements import Behavioural
from quire.circuits.netlist.expressions import probes_of
from quire.circuits.netlist.functions import SOURCES, Value, evaluate


def behavioural_kind(source: Behavioural) -> Kind:
    """Return the kind of one source; its terminals are those of the probes, then of the branch."""
    probes = probes_of(source.expression)
    count = len(probes)
    place = {probe: k for k, probe in enumerate(probes)}
    sign = -1.0 if source.voltage else 1.0

    def law(xp: Any, p: Mapping[str, Any], w: Any, gmin: Any) -> Law:
        def known(probe: Any) -> Value:
            k = place[probe]
            return Value(w[k], tuple(1.0 if i == k else None for i in range(count)))

        zero = xp.zeros_like(w[0]) if count else xp.zeros(1)
        names = {"time": Value(p["time"] + zero, (None,) * count)}
        with np.errstate(all="ignore"):
            found = evaluate(source.expression, names.__getitem__, known, SOURCES, xp)
        slopes = [*found.slopes, *[None] * (count - len(found.slopes))]
        return Law(
            [sign * found.value + zero],
            [[zero if s is None else sign * s + zero for s in slopes]],
            [zero], [[zero] * count],
        )  # fmt: skip

    steering = tuple((2 * k, 2 * k + 1) for k in range(count))
    branch = ((2 * count, 2 * count + 1),)
    return Kind(
        f"behavioural {source.name}", steering, branch, law,
        lambda xp, p, new, old: list(new), lambda p: [np.zeros(1)] * count,
    )  # fmt: skip
