"""Numbers as SPICE writes them: ``10k``, ``1PF``, ``3meg``, ``0.5e-3V``."""

import math
import re

from quire.signatures import checked

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[ed]([+-]?\d*))?([a-z]*)(.*)", re.A | re.S)
_REST = re.compile(r"[a-z0-9]*")
_SCALES = {
    "t": 1e12, "g": 1e9, "k": 1e3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15,
}  # fmt: skip


@checked
def parse_number(text: str) -> float:
    """Return the value of a SPICE number, scale factor included.

    ``m`` is milli, ``meg`` a million, ``mil`` 25.4e-6; letters that follow a scale factor, or that
    are none, are units and say nothing (``10ns``, ``5volts``), nor does what follows them: ``4k7``
    is 4000, as ngspice reads it. The exponent's letter may be D.

    Raises
    ------
    ValueError
        When the text does not start with a number, holds more than a number and letters, or means
        more than a double can hold.
    """
    value = _parsed(text)
    if not math.isfinite(value):
        raise ValueError(f"{text!r}: must be a number that a double can hold")
    return value


def is_number(text: str) -> bool:
    """Return whether the text reads as a SPICE number."""
    try:
        parse_number(text)
    except ValueError:
        return False
    return True


def _log10(scale: float) -> int:
    return int(f"{scale:e}".partition("e")[2])


def _exact(mantissa: str, exponent: str | None, shift: int, value: float) -> float:
    """Return the number scaled in decimal, so that ``4.7k`` is the double nearest to 4700."""
    if exponent in (None, "", "+", "-"):
        return float(f"{mantissa}e{shift}")
    return float(f"{mantissa}e{int(exponent) + shift}") if value else value


def _parsed(text: str) -> float:
    """Return the value, infinite where it is too large.

    Raises
    ------
    ValueError
        For anything that is no number.
    """
    match = _NUMBER.fullmatch(text.strip().lower())
    if match is None or not _REST.fullmatch(match[4]) or (match[4] and not match[3]):
        raise ValueError(f"{text!r}: must be a number, such as 10k, 1.5meg or 3e-12F")
    mantissa, exponent, letters = match[1], match[2], match[3]
    value = (
        float(f"{mantissa}e{exponent}") if exponent not in (None, "", "+", "-") else float(mantissa)
    )
    if letters.startswith("meg"):
        return _exact(mantissa, exponent, 6, value)
    if letters.startswith("mil"):
        return value * 25.4e-6
    if letters.startswith("m"):
        return _exact(mantissa, exponent, -3, value)
    scale = _SCALES.get(letters[:1])
    if scale is None:
        return value
    return _exact(mantissa, exponent, round(_log10(scale)), value)
