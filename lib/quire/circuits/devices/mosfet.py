"""The MOS transistor of level 1 (Shichman and Hodges), its bulk junctions and their charges.

Voltages are those of an n-channel device; ``sign`` turns them round for a p-channel one. Overlap
capacitances are linear and stand apart, and so do RD and RS. Terminals: drain, gate, source, bulk.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from quire.circuits.devices.junctions import CHARGE, critical_voltage, depletion, limit_junction
from quire.circuits.devices.ports import Kind, Law
from quire.circuits.netlist.elements import Model, Mosfet

_OXIDE = 3.9 * 8.854214871e-12  # F/m
_SILICON = 11.7 * 8.854214871e-12
_INTRINSIC = 1.45e16  # carriers per cubic metre


def channel(model: Model, vt: float) -> dict[str, float]:
    """Return KP, VTO, GAMMA and PHI, from TOX and NSUB where the card leaves them out.

    Raises
    ------
    ValueError
        When NSUB is below the intrinsic carriers.
    """
    sign = 1.0 if model.kind == "nmos" else -1.0
    kp, phi = model.get("kp", 2e-5), model.get("phi", 0.6)
    gamma, vto = model.get("gamma", 0.0), model.get("vto", 0.0)
    if "tox" in model.values:
        oxide = _OXIDE / model.values["tox"]
        if "kp" not in model.values:
            kp = model.get("uo", 600.0) * oxide * 1e-4
        if "nsub" in model.values:
            doping = model.values["nsub"] * 1e6
            if doping <= _INTRINSIC:
                raise ValueError(f"nsub = {model.values['nsub']:g}: must exceed 1.45e10 per cm^3")
            if "phi" not in model.values:
                phi = max(0.1, 2 * vt * math.log(doping / _INTRINSIC))
            if "gamma" not in model.values:
                gamma = math.sqrt(2 * _SILICON * CHARGE * doping) / oxide
            if "vto" not in model.values:
                gap = 1.16 - 7.02e-4 * 300.15**2 / (300.15 + 1108)
                gate = model.get("tpg", 1.0)
                work = 3.25 + 0.5 * gap - sign * gate * 0.5 * gap if gate else 3.2
                flat = work - (3.25 + 0.5 * gap + sign * 0.5 * phi)
                flat -= model.get("nss", 0.0) * 1e4 * CHARGE / oxide
                vto = flat + sign * (gamma * math.sqrt(phi) + phi)
    return {"kp": kp, "phi": phi, "gamma": gamma, "vto": vto}


def mosfet_parameters(element: Mosfet, vt: float) -> dict[str, float]:
    """Return the numbers of the law for one transistor."""
    model, sizes = element.model, element.sizes
    m = sizes.get("m", 1.0)
    sign = 1.0 if model.kind == "nmos" else -1.0
    law = channel(model, vt)
    length = sizes["l"] - 2 * model.get("ld", 0.0)
    density = model.get("js", 0.0)
    sized = density > 0 and sizes["ad"] > 0 and sizes["as"] > 0
    saturation = {
        side: m * (density * sizes["a" + side] if sized else model.get("is", 1e-14))
        for side in "ds"
    }
    bottom = {
        side: m * model.get("cb" + side, model.get("cj", 0.0) * sizes["a" + side]) for side in "ds"
    }
    wall = {side: m * model.get("cjsw", 0.0) * sizes.get("p" + side, 0.0) for side in "ds"}
    return {
        "sign": sign,
        "beta": law["kp"] * m * sizes["w"] / length,
        "threshold": sign * law["vto"] - law["gamma"] * math.sqrt(law["phi"]),
        "vto": sign * law["vto"],
        "gamma": law["gamma"],
        "phi": law["phi"],
        "lambda": model.get("lambda", 0.0),
        "is_d": saturation["d"],
        "is_s": saturation["s"],
        "c_d": bottom["d"],
        "c_s": bottom["s"],
        "cw_d": wall["d"],
        "cw_s": wall["s"],
        "pb": model.get("pb", 0.8),
        "mj": model.get("mj", 0.5),
        "mjsw": model.get("mjsw", 0.5),
        "fc": model.get("fc", 0.5),
        "vt": vt,
        "critical": float(critical_voltage(max(saturation["s"], 1e-300), vt)),
    }


def _bulk(xp: Any, v: Any, saturation: Any, vt: Any, gmin: Any) -> tuple[Any, Any]:
    """Return current and conductance of a bulk junction: flat below three thermal voltages."""
    inner = xp.minimum(xp.maximum(v / vt, -3.0), 80.0)
    e = xp.exp(inner)
    high = xp.maximum(v / vt - 80.0, 0.0)
    below = v <= -3 * vt
    current = xp.where(below, -saturation, saturation * (e * (1 + high) - 1))
    conductance = xp.where(below, 0.0, saturation * e / vt)
    return current + gmin * v, conductance + gmin


def _drain(xp: Any, p: Mapping[str, Any], vgs: Any, vds: Any, vbs: Any) -> tuple[Any, ...]:
    """Return the channel's current and its derivatives for vds of zero or more."""
    root = xp.sqrt(p["phi"])
    low = xp.minimum(vbs, 0.0)
    deep = xp.sqrt(p["phi"] - low)
    bent = xp.maximum(root - vbs / (2 * root), 0.0)
    body = xp.where(vbs <= 0, deep, bent)
    # SPICE divides by the bent root itself here; this is the exact derivative
    slope = xp.where(body > 0, p["gamma"] / (2 * xp.where(vbs <= 0, deep, root)), 0.0)
    over = xp.maximum(vgs - p["threshold"] - p["gamma"] * body, 0.0)
    beta = p["beta"] * (1 + p["lambda"] * vds)
    linear = over > vds
    reach = xp.minimum(over, vds)
    shape = reach * (over - 0.5 * reach)
    current = beta * shape
    gm = beta * reach
    gds = p["beta"] * p["lambda"] * shape + xp.where(linear, beta * (over - vds), 0.0)
    return current, gm, gds, gm * slope


def _law(xp: Any, p: Mapping[str, Any], w: Any, gmin: Any) -> Law:
    sign = p["sign"]
    vgs, vds, vbs = sign * w[0], sign * w[1], sign * w[2]
    vgd, vbd = vgs - vds, vbs - vds
    forward = vds >= 0
    i, gm, gds, gmbs = _drain(
        xp, p, xp.where(forward, vgs, vgd), xp.abs(vds), xp.where(forward, vbs, vbd)
    )
    current = xp.where(forward, i, -i)
    # in reverse, i depends on (vgs - vds, -vds, vbs - vds), and flows the other way
    d_vgs = xp.where(forward, gm, -gm)
    d_vds = xp.where(forward, gds, gm + gds + gmbs)
    d_vbs = xp.where(forward, gmbs, -gmbs)
    ibs, gbs = _bulk(xp, vbs, p["is_s"], p["vt"], gmin)
    ibd, gbd = _bulk(xp, vbd, p["is_d"], p["vt"], gmin)
    zero = xp.zeros_like(vgs)
    j = [sign * current, sign * ibs, sign * ibd]
    dj = [[d_vgs, d_vds, d_vbs], [zero, zero, gbs], [zero, -gbd, gbd]]
    if not p["charged"]:
        return Law(j, dj, [zero] * 3, [[zero] * 3] * 3)
    qs, cs = _charge(xp, p, vbs, "s")
    qd, cd = _charge(xp, p, vbd, "d")
    return Law(
        j,
        dj,
        [zero, sign * qs, sign * qd],
        [[zero, zero, zero], [zero, zero, cs], [zero, -cd, cd]],
    )


def _charge(xp: Any, p: Mapping[str, Any], v: Any, side: str) -> tuple[Any, Any]:
    q, c = depletion(xp, v, p["c_" + side], p["pb"], p["mj"], p["fc"])
    qw, cw = depletion(xp, v, p["cw_" + side], p["pb"], p["mjsw"], p["fc"])
    return q + qw, c + cw


def _gate_limit(xp: Any, new: Any, old: Any, threshold: Any) -> Any:
    """Return a gate voltage that a step may go to (SPICE's fetlim)."""
    high = xp.abs(2 * (old - threshold)) + 2
    low = high / 2 + 2
    top = threshold + 3.5
    step = new - old
    on_far = xp.where(
        step <= 0,
        xp.where(new >= top, xp.where(-step > low, old - low, new), xp.maximum(new, threshold + 2)),
        xp.where(step >= high, old + high, new),
    )
    on_near = xp.where(step <= 0, xp.maximum(new, threshold - 0.5), xp.minimum(new, threshold + 4))
    off = xp.where(
        step <= 0,
        xp.where(-step > high, old - high, new),
        xp.where(
            new <= threshold + 0.5,
            xp.where(step > low, old + low, new),
            threshold + 0.5,
        ),
    )
    return xp.where(old >= threshold, xp.where(old >= top, on_far, on_near), off)


def _drain_limit(xp: Any, new: Any, old: Any) -> Any:
    """Return a drain voltage that a step may go to (SPICE's limvds)."""
    high = xp.where(
        new > old,
        xp.minimum(new, 3 * old + 2),
        xp.where(new < 3.5, xp.maximum(new, 2.0), new),
    )
    low = xp.where(new > old, xp.minimum(new, 4.0), xp.maximum(new, -0.5))
    return xp.where(old >= 3.5, high, low)


def _limit(xp: Any, p: Mapping[str, Any], new: Any, old: Any) -> list[Any]:
    sign = p["sign"]
    vgs, vds, vbs = (sign * v for v in new)
    old_gs, old_ds, old_bs = (sign * v for v in old)
    threshold = p["threshold"] + p["gamma"] * xp.sqrt(p["phi"])
    forward = old_ds >= 0
    vgd = vgs - vds
    gate_f = _gate_limit(xp, vgs, old_gs, threshold)
    drain_f = _drain_limit(xp, gate_f - vgd, old_ds)
    gate_r = _gate_limit(xp, vgd, old_gs - old_ds, threshold)
    drain_r = -_drain_limit(xp, -(vgs - gate_r), -old_ds)
    vds = xp.where(forward, drain_f, drain_r)
    vgs = xp.where(forward, gate_f, gate_r + drain_r)
    bulk_s = limit_junction(xp, vbs, old_bs, p["vt"], p["critical"])
    bulk_d = vds + limit_junction(xp, vbs - vds, old_bs - old_ds, p["vt"], p["critical"])
    return [sign * vgs, sign * vds, sign * xp.where(vds >= 0, bulk_s, bulk_d)]


def _start(p: Mapping[str, Any]) -> list[Any]:
    on = p["off"] <= 0
    zero = np.zeros_like(p["sign"])
    return [p["sign"] * np.where(on, p["vto"], 0.0), zero, p["sign"] * np.where(on, -1.0, 0.0)]


# steering: gate-source, drain-source, bulk-source; branches: channel, then the bulk junctions
MOSFET = Kind("mosfet", ((1, 2), (0, 2), (3, 2)), ((0, 2), (3, 2), (3, 0)), _law, _limit, _start)
