"""Units as exponents of the seven SI base units; only equal ones may be wired."""

from __future__ import annotations

import re
from dataclasses import dataclass

from quire.signatures import checked
from quire.world_model.errors import UnitMismatch, WorldModelError

BASE = ("m", "kg", "s", "A", "K", "mol", "cd")
_DERIVED = {
    "1": "",
    "N": "kg m s^-2",
    "J": "kg m^2 s^-2",
    "W": "kg m^2 s^-3",
    "Pa": "kg m^-1 s^-2",
    "V": "kg m^2 s^-3 A^-1",
    "C": "A s",
    "Ohm": "kg m^2 s^-3 A^-2",
    "Hz": "s^-1",
    "rad": "",
}


@dataclass(frozen=True)
class Unit:
    """A unit: the exponent of each SI base unit, in the order m, kg, s, A, K, mol, cd."""

    exponents: tuple[int, ...] = (0,) * len(BASE)

    def __mul__(self, other: Unit) -> Unit:
        """Return the product of two units."""
        return Unit(tuple(a + b for a, b in zip(self.exponents, other.exponents, strict=True)))

    def __truediv__(self, other: Unit) -> Unit:
        """Return the quotient of two units."""
        return Unit(tuple(a - b for a, b in zip(self.exponents, other.exponents, strict=True)))

    def __str__(self) -> str:
        parts = [
            name if power == 1 else f"{name}^{power}"
            for name, power in zip(BASE, self.exponents, strict=True)
            if power
        ]
        return " ".join(parts) or "1"


@checked
def unit(text: str) -> Unit:
    """Return the unit of a text such as ``"kg m^2 s^-3"`` or ``"N s"``.

    Raises
    ------
    WorldModelError
        For text that is no product of known units with whole exponents.
    """
    if not isinstance(text, str):
        raise WorldModelError(f"unit = {text!r}: must be text")
    total = Unit()
    for part in text.split():
        match = re.fullmatch(r"([A-Za-z]+|1)(?:\^(-?\d{1,3}))?", part)
        if not match:
            raise WorldModelError(f"unit = {text!r}: {part!r} must be NAME or NAME^POWER")
        name, power = match[1], int(match[2] or 1)
        if name in BASE:
            one = Unit(tuple(int(b == name) for b in BASE))
        elif name in _DERIVED:
            one = unit(_DERIVED[name])
        else:
            known = ", ".join([*BASE, *_DERIVED])
            raise WorldModelError(f"unit = {text!r}: {name!r} must be one of {known}")
        total = total * Unit(tuple(power * e for e in one.exponents))
    return total


@checked
@dataclass(frozen=True)
class Port:
    """A power port: its input and its output, whose product is a power.

    Attributes
    ----------
    name
        Unique within a model.
    input, output
        Their units.
    """

    name: str
    input: Unit
    output: Unit

    def __post_init__(self) -> None:
        """Check that input times output is a power.

        Raises
        ------
        UnitMismatch
            When it is not.
        """
        product = self.input * self.output
        if product != unit("W"):
            raise UnitMismatch(
                f"port {self.name!r}: input times output is {product}, must be {unit('W')}"
            )


@checked
def port(name: str, input_: str, output: str) -> Port:
    """Return a power port from the texts of its units.

    Raises
    ------
    UnitMismatch
        When input times output is no power.
    """
    return Port(name, unit(input_), unit(output))
