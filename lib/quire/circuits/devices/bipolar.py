"""The bipolar transistor: Gummel and Poon's law with Early effect, high injection and charges.

Voltages and currents are those of an NPN; ``sign`` turns them round for a PNP. Terminals are inner
collector, inner base, inner emitter, substrate; RC, RB and RE stand apart as resistors. Without
IKF, IKR, VAF, VAR, ISE and ISC the law is Ebers and Moll's.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from quire.circuits.devices.junctions import (
    critical_voltage,
    depletion,
    junction,
    limit_junction,
)
from quire.circuits.devices.ports import Kind, Law
from quire.circuits.netlist.elements import Bipolar


def bipolar_parameters(element: Bipolar, vt: float) -> dict[str, float]:
    """Return the numbers of the law for one transistor."""
    model, area = element.model, element.area
    saturation = model.get("is", 1e-16) * area

    def inverse(name: str, factor: float = 1.0) -> float:
        value = model.get(name, 0.0) * factor
        return 1 / value if value > 0 else 0.0

    return {
        "sign": 1.0 if model.kind == "npn" else -1.0,
        "saturation": saturation,
        "bf": model.get("bf", 100.0),
        "br": model.get("br", 1.0),
        "scale_f": model.get("nf", 1.0) * vt,
        "scale_r": model.get("nr", 1.0) * vt,
        "leak_e": model.get("ise", 0.0) * area,
        "leak_c": model.get("isc", 0.0) * area,
        "scale_e": model.get("ne", 1.5) * vt,
        "scale_c": model.get("nc", 2.0) * vt,
        "inv_vaf": inverse("vaf"),
        "inv_var": inverse("var"),
        "inv_ikf": inverse("ikf", area),
        "inv_ikr": inverse("ikr", area),
        "tf": model.get("tf", 0.0),
        "tr": model.get("tr", 0.0),
        "cje": model.get("cje", 0.0) * area,
        "vje": model.get("vje", 0.75),
        "mje": model.get("mje", 0.33),
        "cjc": model.get("cjc", 0.0) * area,
        "vjc": model.get("vjc", 0.75),
        "mjc": model.get("mjc", 0.33),
        "cjs": model.get("cjs", 0.0) * area,
        "vjs": model.get("vjs", 0.75),
        "mjs": model.get("mjs", 0.0),
        "fc": model.get("fc", 0.5),
        "critical": float(critical_voltage(saturation, vt)),
        "vt": vt,
    }


def _law(xp: Any, p: Mapping[str, Any], w: Any, gmin: Any) -> Law:
    sign = p["sign"]
    vbe, vbc, vsub = sign * w[0], sign * w[1], w[2]
    cbe, gbe = junction(xp, vbe, p["saturation"], p["scale_f"])
    cbc, gbc = junction(xp, vbc, p["saturation"], p["scale_r"])
    leak_e, gleak_e = junction(xp, vbe, p["leak_e"], p["scale_e"])
    leak_c, gleak_c = junction(xp, vbc, p["leak_c"], p["scale_c"])
    q1 = 1 / (1 - p["inv_vaf"] * vbc - p["inv_var"] * vbe)
    q2 = p["inv_ikf"] * cbe + p["inv_ikr"] * cbc
    root = xp.sqrt(xp.maximum(1 + 4 * q2, 1e-30))
    qb = q1 * (1 + root) / 2
    dqb_e = q1 * (qb * p["inv_var"] + p["inv_ikf"] * gbe / root)
    dqb_c = q1 * (qb * p["inv_vaf"] + p["inv_ikr"] * gbc / root)
    transport = (cbe - cbc) / qb
    dt_e = (gbe - transport * dqb_e) / qb
    dt_c = (-gbc - transport * dqb_c) / qb
    zero = xp.zeros_like(vbe)
    j = [
        sign * transport,
        sign * (cbe / p["bf"] + leak_e + gmin * vbe),
        sign * (cbc / p["br"] + leak_c + gmin * vbc),
        gmin * vsub,
    ]
    dj = [
        [dt_e, dt_c, zero],
        [gbe / p["bf"] + gleak_e + gmin, zero, zero],
        [zero, gbc / p["br"] + gleak_c + gmin, zero],
        [zero, zero, zero + gmin],
    ]
    if not p["charged"]:
        nothing = [zero] * 3
        return Law(j, dj, [zero] * 4, [nothing] * 4)
    # forward transit charge is carried by the transport part, over the base charge
    on = vbe > 0
    moved = xp.where(on, cbe / qb, cbe)
    dm_e = xp.where(on, (gbe - moved * dqb_e) / qb, gbe)
    dm_c = xp.where(on, -moved * dqb_c / qb, 0.0)
    qe, ce = depletion(xp, vbe, p["cje"], p["vje"], p["mje"], p["fc"])
    qc, cc = depletion(xp, vbc, p["cjc"], p["vjc"], p["mjc"], p["fc"])
    qs, cs = depletion(xp, vsub, p["cjs"], p["vjs"], p["mjs"], 0.0)
    q = [zero, sign * (qe + p["tf"] * moved), sign * (qc + p["tr"] * cbc), qs]
    dq = [
        [zero, zero, zero],
        [ce + p["tf"] * dm_e, p["tf"] * dm_c, zero],
        [zero, cc + p["tr"] * gbc, zero],
        [zero, zero, cs],
    ]
    return Law(j, dj, q, dq)


def _limit(xp: Any, p: Mapping[str, Any], new: Any, old: Any) -> list[Any]:
    sign = p["sign"]
    limited = [
        sign * limit_junction(xp, sign * new[k], sign * old[k], p["vt"], p["critical"])
        for k in (0, 1)
    ]
    return [*limited, new[2]]


def _start(p: Mapping[str, Any]) -> list[Any]:
    on = np.where(p["off"] > 0, 0.0, p["critical"])
    zero = np.zeros_like(on)
    return [p["sign"] * on, zero, zero]


# terminals: collector, base, emitter, substrate, and what the substrate's junction ends on: the
# collector of an NPN, the base of a PNP, which SPICE takes to be lateral
# steering: base-emitter, base-collector, substrate; branches: transport, then junctions
BIPOLAR = Kind(
    "bipolar", ((1, 2), (1, 0), (3, 4)), ((0, 2), (1, 2), (1, 0), (3, 4)), _law, _limit, _start
)
