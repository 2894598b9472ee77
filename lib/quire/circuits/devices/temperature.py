"""Model parameters away from the temperature at which they were measured, by SPICE's rules.

The saturation current follows the band gap, junction potentials and capacitances the intrinsic
carriers, the gain XTB, mobility T^-1.5. A model at another temperature is again a model.
"""

import math
from dataclasses import replace
from typing import Any

from quire.circuits.devices.junctions import BOLTZMANN, CHARGE, ZERO_CELSIUS, thermal_voltage
from quire.circuits.devices.mosfet import channel
from quire.circuits.netlist.elements import Bipolar, Diode, Model, Mosfet, Options

_REFERENCE = 300.15  # kelvin, at which SPICE's constants hold
_GAP_REFERENCE = 1.1150877  # electron volts at the reference


def band_gap(kelvin: float) -> float:
    """Return silicon's band gap in electron volts."""
    return 1.16 - 7.02e-4 * kelvin**2 / (kelvin + 1108)


def at_temperature(element: Any, options: Options) -> tuple[Any, float]:
    """Return a device with its model at its own temperature, and the thermal voltage there.

    Parameters
    ----------
    element
        A diode or transistor.
    options
        Temperatures where the device and its model name none.
    """
    celsius = options.temp if element.temp is None else element.temp
    vt = thermal_voltage(celsius)
    nominal = element.model.get("tnom", options.tnom)
    if celsius == nominal:
        return element, vt
    law = {Diode: _diode, Bipolar: _bipolar, Mosfet: _mosfet}[type(element)]
    shift = _Shift(celsius + ZERO_CELSIUS, nominal + ZERO_CELSIUS)
    values = dict(element.model.values)
    values.update(law(element.model, shift))
    return replace(element, model=replace(element.model, values=values)), vt


class _Shift:
    """From one temperature to another, in kelvin."""

    def __init__(self, kelvin: float, nominal: float) -> None:
        self.kelvin, self.nominal = kelvin, nominal
        self.ratio = kelvin / nominal
        self.vt, self.vt_nominal = (BOLTZMANN * t / CHARGE for t in (kelvin, nominal))

    def _lift(self, kelvin: float) -> float:
        """Return what a potential gains between the reference and a temperature, in volts."""
        gap = band_gap(kelvin)
        arg = -gap / (2 * BOLTZMANN * kelvin) + _GAP_REFERENCE / (2 * BOLTZMANN * _REFERENCE)
        vt = BOLTZMANN * kelvin / CHARGE
        return -2 * vt * (1.5 * math.log(kelvin / _REFERENCE) + CHARGE * arg)

    def _at_reference(self, potential: float) -> float:
        return (potential - self._lift(self.nominal)) / (self.nominal / _REFERENCE)

    def potential(self, value: float) -> float:
        """Return a junction's potential at the temperature."""
        return self._lift(self.kelvin) + self.kelvin / _REFERENCE * self._at_reference(value)

    def capacitance(self, grading: float, potential: float) -> float:
        """Return the factor of a depletion capacitance."""
        reference = self._at_reference(potential)

        def factor(kelvin: float, volts: float) -> float:
            grown = (volts - reference) / reference
            return 1 + grading * (4e-4 * (kelvin - _REFERENCE) - grown)

        return factor(self.kelvin, self.potential(potential)) / factor(self.nominal, potential)

    def saturation(self, gap: float, power: float) -> float:
        """Return the logarithm of a saturation current's factor."""
        return (self.ratio - 1) * gap / self.vt + power * math.log(self.ratio)


def _diode(model: Model, shift: _Shift) -> dict[str, float]:
    n, vj = model.get("n", 1.0), model.get("vj", 1.0)
    grown = shift.saturation(model.get("eg", 1.11), model.get("xti", 3.0)) / n
    return {
        "is": model.get("is", 1e-14) * math.exp(grown),
        "vj": shift.potential(vj),
        "cjo": model.get("cjo", 0.0) * shift.capacitance(model.get("m", 0.5), vj),
    }


def _bipolar(model: Model, shift: _Shift) -> dict[str, float]:
    grown = shift.saturation(model.get("eg", 1.11), model.get("xti", 3.0))
    gain = shift.ratio ** model.get("xtb", 0.0)
    values = {
        "is": model.get("is", 1e-16) * math.exp(grown),
        "bf": model.get("bf", 100.0) * gain,
        "br": model.get("br", 1.0) * gain,
        "ise": model.get("ise", 0.0) * math.exp(grown / model.get("ne", 1.5)) / gain,
        "isc": model.get("isc", 0.0) * math.exp(grown / model.get("nc", 2.0)) / gain,
    }
    for side, grading in (("e", 0.33), ("c", 0.33), ("s", 0.0)):
        potential = model.get("vj" + side, 0.75)
        values["vj" + side] = shift.potential(potential)
        factor = shift.capacitance(model.get("mj" + side, grading), potential)
        values["cj" + side] = model.get("cj" + side, 0.0) * factor
    return values


def _mosfet(model: Model, shift: _Shift) -> dict[str, float]:
    law = channel(model, shift.vt_nominal)
    sign = 1.0 if model.kind == "nmos" else -1.0
    phi = shift.potential(law["phi"])
    gaps = band_gap(shift.nominal), band_gap(shift.kelvin)
    built_in = law["vto"] - sign * law["gamma"] * math.sqrt(law["phi"])
    built_in += 0.5 * (gaps[0] - gaps[1]) + sign * 0.5 * (phi - law["phi"])
    grown = math.exp(gaps[0] / shift.vt_nominal - gaps[1] / shift.vt)
    pb = model.get("pb", 0.8)
    values = {
        "kp": law["kp"] / shift.ratio**1.5,
        "phi": phi,
        "gamma": law["gamma"],
        "vto": built_in + sign * law["gamma"] * math.sqrt(phi),
        "is": model.get("is", 1e-14) * grown,
        "js": model.get("js", 0.0) * grown,
        "pb": shift.potential(pb),
    }
    for names, grading in (
        (("cbd", "cbs", "cj"), model.get("mj", 0.5)), (("cjsw",), model.get("mjsw", 0.5)),
    ):  # fmt: skip
        factor = shift.capacitance(grading, pb)
        values |= {k: model.values[k] * factor for k in names if k in model.values}
    return values
