"""Cards that begin with a dot: analyses, options, initial conditions."""

import math
import re
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

from quire.circuits.errors import UnsupportedElement
from quire.circuits.netlist.cards import number
from quire.circuits.netlist.elements import (
    TEMPERATURE,
    AcSweep,
    Analysis,
    DcSweep,
    OperatingPoint,
    Options,
    Sweep,
    Transient,
)
from quire.circuits.netlist.lines import Card
from quire.circuits.netlist.numbers import is_number

# cards that say what to show of the results, no more
OUTPUT = {".print", ".plot", ".save", ".probe", ".width", ".title", ".measure", ".meas", ".four"}
Kind = TypeVar("Kind")
_NUMBERS = {field.name for field in fields(Options)} - {"method"}
# Options of output, bookkeeping or strategy: they change no number beyond the tolerances.
_WITHOUT_EFFECT = {
    "list", "node", "nopage", "nomod", "post", "acct", "noacct", "opts", "trans", "lvlcod",
    "lvltim", "numdgt", "limpts", "limtim", "cptime", "ingold", "brief", "warn", "noinit", "itl2",
    "itl3", "itl5", "itl6", "pivtol", "pivrel", "savecurrents", "noopiter", "bypass", "interp",
}  # fmt: skip
_REFUSED = {
    ".tf": ".tf is not built: a small-signal gain is what .ac with a source of AC 1 gives",
    ".if": ".if is not built: write the cards that hold",
    ".csparam": ".csparam sets a variable of ngspice's command language: use .param",
}


def read_options(card: Card, options: Options) -> Options:
    """Return the options after an ``.options`` or ``.temp`` card.

    Raises
    ------
    UnsupportedElement
        For an option that would change results and is not known here.
    NetlistError
        For a value that is none or makes no sense.
    """
    words = card.tokens[1:]
    if card.tokens[0] == ".temp":
        if len(words) != 1:
            raise UnsupportedElement(card.line, card.shown, "one temperature is read, in celsius")
        words = ("temp", "=", words[0])
    position = 0
    changes: dict[str, float | int | str] = {}
    while position < len(words):
        name = words[position]
        given = words[position + 2] if words[position + 1 : position + 2] == ("=",) else None
        if given is None and words[position + 1 : position + 2] == ("=",):
            raise card.fault(f"option {name} has no value")
        position += 1 if given is None else 3
        if name == "method":
            if given not in ("trap", "trapezoidal"):
                why = f"method = {given}: only trap is read"
                raise UnsupportedElement(card.line, card.shown, why)
        elif name in _NUMBERS:
            if given is None:
                raise card.fault(f"option {name} needs a value")
            value = number(card, given, name)
            changes[name] = _option(card, name, value)
        elif name not in _WITHOUT_EFFECT:
            raise UnsupportedElement(card.line, card.shown, f"option {name} is outside the subset")
    return replace(options, **changes)  # type: ignore[arg-type]


def _option(card: Card, name: str, value: float) -> float | int:
    if name in ("temp", "tnom"):
        if value <= -273.15:
            raise card.fault(f"{name} = {value:g}: must lie above absolute zero")
        return value
    if name in ("defad", "defas", "gmin"):
        if value < 0:
            raise card.fault(f"{name} = {value:g}: must not be negative")
        return value
    if not value > 0:
        raise card.fault(f"{name} = {value:g}: must be positive")
    return max(1, int(value)) if name.startswith("itl") else value


def read_analysis(card: Card) -> Analysis:
    """Return what an analysis card asks for.

    Raises
    ------
    NetlistError
        For numbers that are missing or make no sense.
    UnsupportedElement
        For an analysis outside ``.op .dc .ac .tran``.
    """
    words = card.tokens
    kind = words[0]
    if kind == ".op":
        return OperatingPoint()
    if kind == ".dc":
        return _dc(card, words[1:])
    if kind == ".ac":
        return _ac(card, words[1:])
    if kind == ".tran":
        return _tran(card, words[1:])
    raise UnsupportedElement(
        card.line, card.shown, _REFUSED.get(kind, f"{kind} is outside .op .dc .ac .tran")
    )


def _dc(card: Card, words: tuple[str, ...]) -> DcSweep:
    if len(words) not in (4, 8):
        raise card.fault("a source, start, stop and step are needed, once or twice")
    sweeps = []
    for first in range(0, len(words), 4):
        name = words[first]
        if name[0] not in "vi" and name != TEMPERATURE:
            why = f"{name}: only independent sources and temp can be swept"
            raise UnsupportedElement(card.line, card.shown, why)
        start, stop, step = (number(card, w, "sweep") for w in words[first + 1 : first + 4])
        sweeps.append(_made(card, Sweep, name, start, stop, step))
    return DcSweep(tuple(sweeps))


def _made(card: Card, kind: Callable[..., Kind], *values: Any) -> Kind:
    """Return an analysis; what it refuses is the card's fault."""
    try:
        return kind(*values)
    except ValueError as wrong:
        raise card.fault(str(wrong)) from None


def _ac(card: Card, words: tuple[str, ...]) -> AcSweep:
    if len(words) != 4 or words[0] not in ("dec", "oct", "lin"):
        raise card.fault("dec, oct or lin, a number of points, start and stop are needed")
    points = number(card, words[1], "points")
    start, stop = (number(card, w, "frequency") for w in words[2:])
    if not float(points).is_integer():
        raise card.fault(f"points = {points:g}: must be a whole number, 1 or more")
    return _made(card, AcSweep, words[0], int(points), start, stop)


def _tran(card: Card, words: tuple[str, ...]) -> Transient:
    use_initial = "uic" in words
    if use_initial and words[-1] != "uic":
        raise card.fault("uic stands at the end")
    numbers = [number(card, w, "time") for w in words if w != "uic"]
    if not 2 <= len(numbers) <= 4:
        raise card.fault("step and stop are needed; start and the longest step may follow")
    step, stop, *more = numbers
    start = more[0] if more else 0.0
    longest = more[1] if len(more) > 1 else None
    return _made(card, Transient, step, stop, start, longest, use_initial)


def read_initial(card: Card) -> dict[str, float]:
    """Return the voltages of an ``.ic`` or ``.nodeset`` card by node.

    Raises
    ------
    NetlistError
        When something other than ``v(node) = volts`` stands there.
    """
    found: dict[str, float] = {}
    rest = card.text.partition(" ")[2]
    pattern = re.compile(r"\s*v\s*\(\s*([^\s(),=]+)\s*\)\s*=\s*([^\s(),=]+)\s*,?")
    position = 0
    while position < len(rest.rstrip()):
        match = pattern.match(rest, position)
        if match is None or not is_number(match[2]):
            raise card.fault("v(node) = volts is needed")
        value = number(card, match[2], "v")
        if not math.isfinite(value):
            raise card.fault(f"v({match[1]}) = {value}: must be finite")
        found[match[1]] = value
        position = match.end()
    if not found:
        raise card.fault("v(node) = volts is needed")
    return found
