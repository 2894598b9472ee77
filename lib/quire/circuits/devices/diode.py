"""The junction diode: exponential law, breakdown, transit time and depletion charge."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from quire.circuits.devices.junctions import (
    MOST,
    critical_voltage,
    depletion,
    junction,
    limit_junction,
)
from quire.circuits.devices.ports import Kind, Law
from quire.circuits.netlist.elements import Diode

NEVER = 1e6  # a breakdown voltage that no circuit reaches stands for none


def diode_parameters(element: Diode, vt: float, reltol: float) -> dict[str, float]:
    """Return the numbers of the law for one diode; RS stands apart as a resistor."""
    model = element.model
    saturation = model.get("is", 1e-14) * element.area
    scale = model.get("n", 1.0) * vt
    breakdown_scale = model.get("nbv", model.get("n", 1.0)) * vt
    return {
        "saturation": saturation,
        "scale": scale,
        "transit": model.get("tt", 0.0),
        "c0": model.get("cjo", 0.0) * element.area,
        "potential": model.get("vj", 1.0),
        "grading": model.get("m", 0.5),
        "fc": model.get("fc", 0.5),
        "breakdown": _breakdown(element, saturation, breakdown_scale, vt, reltol),
        "breakdown_scale": breakdown_scale,
        "critical": float(critical_voltage(saturation, scale)),
    }


def _breakdown(element: Diode, saturation: float, scale: float, vt: float, reltol: float) -> float:
    """Return the voltage at which the reverse exponential starts, so that I(-BV) = IBV."""
    model = element.model
    if "bv" not in model.values:
        return NEVER
    # in ngspice the area leaves IBV as it is
    bv, current = model.values["bv"], model.get("ibv", 1e-3) * element.count
    if current < saturation * bv / vt:
        return bv
    found = bv - scale * math.log(1 + current / saturation)
    for _ in range(25):
        found = bv - scale * math.log(current / saturation + 1 - found / vt)
        reached = saturation * (math.exp((bv - found) / scale) - 1 + found / vt)
        if abs(reached - current) <= reltol * current:
            break
    return found


def _law(xp: Any, p: Mapping[str, Any], w: Any, gmin: Any) -> Law:
    v = w[0]
    current, conductance = junction(xp, v, p["saturation"], p["scale"])
    if p["breaks"]:
        beyond = v < -p["breakdown"]
        excess = xp.where(beyond, -(p["breakdown"] + v) / p["breakdown_scale"], 0.0)
        reverse = xp.exp(xp.minimum(excess, MOST))
        current = xp.where(beyond, -p["saturation"] * reverse, current)
        steep = p["saturation"] * reverse / p["breakdown_scale"]
        conductance = xp.where(beyond, steep, conductance)
    if not p["charged"]:
        zero = xp.zeros_like(current)
        return Law([current + gmin * v], [[conductance + gmin]], [zero], [[zero]])
    charge, capacitance = depletion(xp, v, p["c0"], p["potential"], p["grading"], p["fc"])
    return Law(
        [current + gmin * v], [[conductance + gmin]],
        [charge + p["transit"] * current], [[capacitance + p["transit"] * conductance]],
    )  # fmt: skip


def _limit(xp: Any, p: Mapping[str, Any], new: Any, old: Any) -> list[Any]:
    forward = limit_junction(xp, new[0], old[0], p["scale"], p["critical"])
    if not p["breaks"]:
        return [forward]
    mirrored = limit_junction(
        xp, -(new[0] + p["breakdown"]), -(old[0] + p["breakdown"]), p["breakdown_scale"],
        p["critical"],
    )  # fmt: skip
    deep = new[0] < xp.minimum(0.0, -p["breakdown"] + 10 * p["breakdown_scale"])
    return [xp.where(deep, -(mirrored + p["breakdown"]), forward)]


def _start(p: Mapping[str, Any]) -> list[Any]:
    return [np.where(p["off"] > 0, 0.0, p["critical"])]


DIODE = Kind("diode", ((0, 1),), ((0, 1),), _law, _limit, _start)
