"""Two tanks that a reader fills and breaks, and the kernel's rule that refuses to overfill them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quire.checks import integer
from quire.world_model.kernel import canonical
from quire.world_model.kernel.policy import Barrier, Policy, decide

BRIM, STEP_S = 10.0, 4.0
LEAKS = ("none", "in the upper tank", "in the lower tank", "outlet blocked")
# All water, what the pump would add included, must find room in the lower tank: its outlet may be
# blocked, and what is in the upper tank can not be called back.
RULES = Policy(
    allow_subjects=("reader",),
    allow_actions=("set_flow",),
    levels={"set_flow": 2},
    envelope={"set_flow": {"flow": (0.0, 10.0)}},
    barriers=(Barrier("set_flow", {"upper": -1.0, "lower": -1.0, "flow": -0.1}, -BRIM),),
)


@dataclass(frozen=True)
class Moment:
    """The state of the pair at a time."""

    flow: float
    leak: str
    kernel: str
    seconds: float
    upper: float
    lower: float
    spilled: float
    refused: bool


def moments(flows: list[float], steps: int = 60, every: int = 2) -> list[Moment]:
    """Return the pair's states for every wished flow, leak, and with and without the kernel.

    The kernel's own function decides each step; where it refuses, the pump stands still.
    """
    count = integer("steps", steps)
    rows = []
    for flow in flows:
        for leak in LEAKS:
            for kernel in ("asks first", "acts at once"):
                upper, lower, spilled = 2.0, 2.0, 0.0
                for k in range(count + 1):
                    refused = kernel == "asks first" and not granted(flow, upper, lower)
                    if k % every == 0:
                        row = (round(upper, 3), round(lower, 3), round(spilled, 3))
                        rows.append(Moment(flow, leak, kernel, k * STEP_S, *row, refused))
                    upper, lower, more = _step(upper, lower, 0.0 if refused else flow, leak)
                    spilled += more
    return rows


def granted(flow: float, upper: float, lower: float) -> bool:
    """Return whether the kernel's rule grants a flow at these levels."""
    params = {"flow": float(flow), "upper": float(upper), "lower": float(lower)}
    request = {
        "action": "set_flow",
        "run_id": "tanks",
        "subject": "reader",
        "params": params,
        "params_fingerprint": canonical.fingerprint(params),
        "capability": "",
    }
    grant = {"subject": "reader", "actions": ["set_flow"]}
    return decide(RULES, request, RULES.ceiling, False, grant) == "allowed"


def _step(upper: float, lower: float, flow: float, leak: str) -> tuple[float, float, float]:
    out_up = 0.075 * np.sqrt(max(upper, 0.0)) * STEP_S
    out_low = 0.0 if leak == "outlet blocked" else 0.075 * np.sqrt(max(lower, 0.0)) * STEP_S
    out_up, out_low = min(out_up, upper), min(out_low, lower)
    upper += 0.1 * flow - out_up
    lower += out_up - out_low
    if leak == "in the upper tank":
        upper -= min(upper, 0.04 * upper)
    if leak == "in the lower tank":
        lower -= min(lower, 0.04 * lower)
    over_up, over_low = max(upper - BRIM, 0.0), max(lower - BRIM, 0.0)
    return float(upper - over_up), float(lower - over_low), float(over_up + over_low)
