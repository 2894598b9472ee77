"""What diodes and transistors share: the exponential law, its limiting, and depletion charge.

Every function takes arrays of any shape and an array library ``xp``, NumPy or ``jax.numpy``, so
that one text serves the reference engine and the batched one.
"""

import math
from typing import Any

import numpy as np

BOLTZMANN = 1.38064852e-23  # J/K, as ngspice 39 has it
CHARGE = 1.6021766208e-19  # C
ZERO_CELSIUS = 273.15
MOST = 80.0  # the exponential goes on as a straight line beyond this argument


def thermal_voltage(celsius: float) -> float:
    """Return kT/q in volts: 25.8649 mV at 27 degrees."""
    return BOLTZMANN * (celsius + ZERO_CELSIUS) / CHARGE


def bounded_expm1(xp: Any, x: Any) -> tuple[Any, Any]:
    """Return exp(x) - 1 and its derivative, going on as a straight line beyond x = 80.

    No argument overflows, no digit of a small one is lost, and the function stays continuous with
    its first derivative.
    """
    inner = xp.minimum(x, MOST)
    e = xp.exp(inner)
    return xp.expm1(inner) + e * (x - inner), e


def junction(xp: Any, v: Any, saturation: Any, scale: Any) -> tuple[Any, Any]:
    """Return current and conductance of ``I_S (exp(v/scale) - 1)``.

    Below -3 scale SPICE's rational tail takes the exponential's place; it meets it with the same
    value and slope, and falls to -I_S.
    """
    rise, slope = bounded_expm1(xp, v / scale)
    below = v < -3 * scale
    safe = xp.where(below, v, -3 * scale)
    tail = (3 * scale / (safe * math.e)) ** 3
    current = xp.where(below, -saturation * (1 + tail), saturation * rise)
    conductance = xp.where(below, saturation * 3 * tail / safe, saturation * slope / scale)
    return current, conductance


def depletion(xp: Any, v: Any, c0: Any, potential: Any, grading: Any, fc: Any) -> tuple[Any, Any]:
    """Return charge and capacitance of a depletion layer, linear beyond FC times its potential.

    Parameters
    ----------
    xp
        NumPy or ``jax.numpy``.
    v
        Junction voltage.
    c0, potential, grading, fc
        Capacitance at zero volts, built-in potential, exponent and FC of the model.
    """
    start = fc * potential
    low = xp.minimum(v, start)
    base = 1 - low / potential
    power = base ** (-grading)
    # 1 - base^(1 - grading) would leave nothing of the digits of a small voltage
    charge_low = -c0 * potential * xp.expm1((1 - grading) * xp.log1p(-low / potential))
    charge_low = charge_low / (1 - grading)
    f2 = (1 - fc) ** (1 + grading)
    f3 = 1 - fc * (1 + grading)
    high = xp.maximum(v, start)
    charge_high = c0 / f2 * (f3 * (high - start) + grading / (2 * potential) * (high**2 - start**2))
    capacitance = xp.where(v < start, c0 * power, c0 / f2 * (f3 + grading * high / potential))
    return charge_low + charge_high, capacitance


def critical_voltage(saturation: Any, scale: Any) -> Any:
    """Return the voltage above which a junction's steps are limited: least radius of curvature."""
    return scale * np.log(scale / (math.sqrt(2.0) * saturation))


def limit_junction(xp: Any, new: Any, old: Any, scale: Any, critical: Any) -> Any:
    """Return a junction voltage that Newton may step to (SPICE's pnjlim).

    A step up beyond the critical voltage by more than two thermal voltages follows the current
    instead of the voltage: its logarithm.
    """
    step = (new - old) / scale
    grown = old + scale * xp.log1p(xp.maximum(step, -0.5))
    from_above = xp.where(step > -1.0, grown, critical)
    from_below = scale * xp.log(xp.maximum(new, critical) / scale)
    limited = xp.where(old > 0, from_above, from_below)
    far = (new > critical) & (xp.abs(new - old) > 2 * scale)
    return xp.where(far, limited, new)
