"""Element cards: what each letter of SPICE means, with the circuit around it left out.

A reader of cards gets a `Card`, a function from a node's name to the flat circuit's, and a function
that finds a model; it returns one element.
"""

import cmath
import math
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass

from quire.circuits.errors import UnsupportedElement
from quire.circuits.netlist import elements as e
from quire.circuits.netlist.lines import Card
from quire.circuits.netlist.numbers import is_number, parse_number
from quire.circuits.netlist.parameters import Environment, substituted

SHAPES = ("pulse", "sin", "exp", "pwl")


@dataclass(frozen=True)
class Place:
    """Where a card stands: its path of subcircuits, its nodes and the models it can see."""

    path: str
    node: Callable[[str], str]
    model: Callable[[str], e.Model | None]
    options: e.Options
    env: Environment
    models: Container[str] = ()  # names of the models it can see

    def name(self, card: Card) -> str:
        """Return the element's name in the flat circuit, such as ``x1.x2.q3``."""
        return self.path + card.tokens[0]

    def pair(self, card: Card, first: int = 1) -> tuple[str, str]:
        """Return two neighbouring nodes of the card."""
        words = card.tokens
        if len(words) < first + 2 or "=" in words[first : first + 2]:
            raise card.fault("two nodes are needed")
        return self.node(words[first]), self.node(words[first + 1])


def read_element(card: Card, place: Place) -> e.Element:
    """Return the element that a card describes.

    Raises
    ------
    UnsupportedElement
        For a letter, or a form of a known letter, outside the subset.
    NetlistError
        For a card that is torn.
    """
    letter = card.text[0]
    if letter in "efghb":
        from quire.circuits.netlist.controlled import read_controlled

        return read_controlled(card, place)
    reader = _READERS.get(letter)
    if reader is None:
        why = f"element {letter.upper()} is outside the subset {_LETTERS} and X"
        raise UnsupportedElement(card.line, card.shown, why)
    return reader(substituted(card, place.env, place.models), place)


def number(card: Card, text: str, what: str) -> float:
    """Return a number of a card.

    Raises
    ------
    NetlistError
        When the text is none.
    """
    try:
        return parse_number(text)
    except ValueError as fault:
        raise card.fault(f"{what} = {fault}") from fault


def keywords(card: Card, words: tuple[str, ...], allowed: set[str]) -> dict[str, float]:
    """Return ``name = number`` pairs; other words and names are refused.

    Raises
    ------
    NetlistError
        For a word that stands alone.
    UnsupportedElement
        For a name that is not allowed.
    """
    found: dict[str, float] = {}
    position = 0
    while position < len(words):
        if position + 2 >= len(words) or words[position + 1] != "=":
            raise card.fault(f"{words[position]!r} is not understood here")
        name = words[position]
        if name not in allowed:
            why = f"parameter {name} is outside the subset: {', '.join(sorted(allowed))}"
            raise UnsupportedElement(card.line, card.shown, why)
        found[name] = number(card, words[position + 2], name)
        position += 3
    return found


def _resistor(card: Card, place: Place) -> e.Resistor:
    words = card.tokens[3:]
    ohms: float | None = None
    model: e.Model | None = None
    if words and is_number(words[0]):
        ohms, words = number(card, words[0], "resistance"), words[1:]
    if words and words[1:2] != ("=",):
        model, words = _model(card, place, words[0], {"r"}), words[1:]
        if ohms is None and words and is_number(words[0]):
            ohms, words = number(card, words[0], "resistance"), words[1:]
    words, given = _coefficients(card, words)
    given |= keywords(card, words, {"r", "resistance", "ac", "m", "scale", "l", "w", *_HEAT})
    ohms = given.get("r", given.get("resistance", ohms))
    if ohms is None and model is not None and model.get("rsh", 0.0) > 0:
        # SPICE takes SHORT and NARROW off once; ngspice from version 39 on takes them off twice
        width = given.get("w", model.get("defw", 1e-5)) - model.get("narrow", 0.0)
        length = given.get("l", model.get("l", 1e-5)) - model.get("short", 0.0)
        if width <= 0 or length <= 0:
            raise card.fault("length and width must stay positive after SHORT and NARROW")
        ohms = model.get("rsh", 0.0) * length / width
    if ohms is None and model is not None and "r" in model.values:
        ohms = model.values["r"]
    if ohms is None:
        raise card.fault("a resistance is needed")
    factor = given.get("scale", 1.0) / _positive(card, given.get("m", 1.0), "m")
    factor *= _drift(card, place, given, model)
    return e.Resistor(
        place.name(card), place.pair(card), ohms * factor, given.get("ac", ohms) * factor
    )


def _capacitor(card: Card, place: Place) -> e.Capacitor:
    farads, given = _value(card, {"c", "capacitance"}, "capacitance")
    farads *= given.get("scale", 1.0) * _positive(card, given.get("m", 1.0), "m")
    farads *= _drift(card, place, given)
    return e.Capacitor(place.name(card), place.pair(card), farads, given.get("ic"))


def _inductor(card: Card, place: Place) -> e.Inductor:
    henries, given = _value(card, {"l", "inductance"}, "inductance")
    henries *= given.get("scale", 1.0) / _positive(card, given.get("m", 1.0), "m")
    henries *= _drift(card, place, given)
    return e.Inductor(place.name(card), place.pair(card), henries, given.get("ic"))


_HEAT = {"tc1", "tc2", "temp", "dtemp"}


def _coefficients(card: Card, words: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, float]]:
    """Take ``tc = a b`` out of the words of a resistor."""
    if "tc" not in words or words[words.index("tc") + 1 :][:1] != ("=",):
        return words, {}
    at = words.index("tc")
    rest = words[at + 2 :]
    count = 2 if len(rest) > 1 and is_number(rest[1]) else 1
    numbers = [number(card, word, "tc") for word in rest[:count]]
    if not numbers:
        raise card.fault("tc has no value")
    return words[:at] + rest[count:], dict(zip(("tc1", "tc2"), numbers, strict=False))


def temperature(card: Card, place: Place, given: Mapping[str, float]) -> float | None:
    """Return the temperature that a card gives its element, in celsius, or None."""
    found = given.get("temp")
    if found is None and "dtemp" in given:
        found = place.options.temp + given["dtemp"]
    if found is not None and found <= -273.15:
        raise card.fault(f"temp = {found:g}: must lie above absolute zero")
    return found


def _drift(
    card: Card, place: Place, given: Mapping[str, float], model: e.Model | None = None
) -> float:
    """Return the factor that the temperature puts on a value: 1 + TC1 dT + TC2 dT^2."""
    celsius = temperature(card, place, given)
    nominal = place.options.tnom if model is None else model.get("tnom", place.options.tnom)
    heat = (place.options.temp if celsius is None else celsius) - nominal
    tc1, tc2 = (
        given.get(name, 0.0 if model is None else model.get(name, 0.0)) for name in ("tc1", "tc2")
    )
    return 1 + tc1 * heat + tc2 * heat**2


def _value(card: Card, names: set[str], what: str) -> tuple[float, dict[str, float]]:
    words = card.tokens[3:]
    value: float | None = None
    if words and is_number(words[0]) and words[1:2] != ("=",):
        value, words = number(card, words[0], what), words[1:]
    elif words and words[1:2] != ("=",):
        why = f"a {what} by model ({words[0]}) is outside the subset"
        raise UnsupportedElement(card.line, card.shown, why)
    given = keywords(card, words, names | {"ic", "m", "scale", *_HEAT})
    for name in names:
        value = given.get(name, value)
    if value is None:
        raise card.fault(f"a {what} is needed")
    if value < 0:
        raise card.fault(f"{what} = {value:g}: must not be negative")
    return value, given


def _coupling(card: Card, place: Place) -> e.Coupling:
    words = card.tokens
    if len(words) != 4 or not words[1].startswith("l") or not words[2].startswith("l"):
        raise card.fault("two inductors and a factor are needed")
    factor = number(card, words[3], "coupling")
    if not 0 < abs(factor) <= 1:
        raise card.fault(f"coupling = {factor:g}: must lie in (0, 1]")
    return e.Coupling(place.name(card), (place.path + words[1], place.path + words[2]), factor)


def _source(card: Card) -> e.Source:
    words = card.tokens[3:]
    dc: float | None = None
    ac: complex = 0j
    kind: str | None = None
    numbers: tuple[float, ...] = ()
    position = 0

    def run(most: int) -> tuple[float, ...]:
        nonlocal position
        found: list[float] = []
        while position < len(words) and len(found) < most and is_number(words[position]):
            found.append(number(card, words[position], "value"))
            position += 1
        return tuple(found)

    while position < len(words):
        word = words[position]
        if position == 0 and is_number(word):
            (dc,) = run(1)
            continue
        position += 1
        if position < len(words) and words[position] == "=":
            position += 1
        if word == "dc":
            found = run(1)
            if not found:
                raise card.fault("dc needs a number")
            (dc,) = found
        elif word == "ac":
            ac = _phasor(run(2))
        elif word in ("distof1", "distof2"):
            run(2)
        elif word in SHAPES or word == "sine":
            if kind is not None:
                raise card.fault("a source has one waveform")
            kind, numbers = ("sin" if word == "sine" else word), run(1_000_000)
        else:
            why = f"{word!r} is outside the subset: DC, AC, {', '.join(s.upper() for s in SHAPES)}"
            raise UnsupportedElement(card.line, card.shown, why)
    found_source = e.Source(dc, ac, kind, numbers)
    try:
        found_source.in_time(1.0, 1.0)
    except ValueError as fault:
        if kind == "pulse" and len(numbers) > 7:
            raise UnsupportedElement(card.line, card.shown, str(fault)) from fault
        raise card.fault(str(fault)) from fault
    return found_source


def _phasor(given: tuple[float, ...]) -> complex:
    """Return the phasor of magnitude (1 by default) and phase in degrees."""
    magnitude = given[0] if given else 1.0
    if len(given) < 2 or given[1] == 0:
        return complex(magnitude)
    return cmath.rect(magnitude, math.radians(given[1]))


def _voltage_source(card: Card, place: Place) -> e.VoltageSource:
    return e.VoltageSource(place.name(card), place.pair(card), _source(card))


def _current_source(card: Card, place: Place) -> e.CurrentSource:
    return e.CurrentSource(place.name(card), place.pair(card), _source(card))


def _diode(card: Card, place: Place) -> e.Diode:
    words = card.tokens
    if len(words) < 4:
        raise card.fault("two nodes and a model are needed")
    model = _model(card, place, words[3], {"d"})
    return e.Diode(place.name(card), place.pair(card), model, *_area(card, place, words[4:]))


def _bipolar(card: Card, place: Place) -> e.Bipolar:
    words = card.tokens
    if len(words) < 5:
        raise card.fault("three nodes and a model are needed")
    four = place.model(words[4]) is None and len(words) > 5 and place.model(words[5]) is not None
    if not four:
        model = _model(card, place, words[4], {"npn", "pnp"})
        substrate, rest = "0", words[5:]
    else:
        model = _model(card, place, words[5], {"npn", "pnp"})
        substrate, rest = place.node(words[4]), words[6:]
    c, b, emitter = (place.node(w) for w in words[1:4])
    nodes = (c, b, emitter, substrate)
    return e.Bipolar(place.name(card), nodes, model, *_area(card, place, rest)[:3])


def _area(
    card: Card, place: Place, words: tuple[str, ...]
) -> tuple[float, bool, float | None, float]:
    """Return a device's size, whether it starts off, its temperature, and how many there are."""
    off = "off" in words
    words = tuple(w for w in words if w != "off")
    area = 1.0
    if words and is_number(words[0]):
        area, words = number(card, words[0], "area"), words[1:]
    given = keywords(card, words, {"area", "m", "temp", "dtemp"})
    factor = _positive(card, given.get("m", 1.0), "m")
    size = _positive(card, given.get("area", area), "area") * factor
    return size, off, temperature(card, place, given), factor


def _mosfet(card: Card, place: Place) -> e.Mosfet:
    words = card.tokens
    if len(words) < 6:
        raise card.fault("four nodes and a model are needed")
    model = _model(card, place, words[5], {"nmos", "pmos"})
    off = "off" in words
    rest = tuple(w for w in words[6:] if w != "off")
    allowed = {"l", "w", "ad", "as", "pd", "ps", "nrd", "nrs", "m", "temp", "dtemp"}
    given = keywords(card, rest, allowed)
    celsius = temperature(card, place, given)
    given = {name: given[name] for name in given if name not in ("temp", "dtemp")}
    o = place.options
    sizes = {"l": o.defl, "w": o.defw, "ad": o.defad, "as": o.defas} | given
    for name in ("l", "w", "m"):
        _positive(card, sizes.get(name, 1.0), name)
    if sizes["l"] <= 2 * model.get("ld", 0.0):
        raise card.fault("the channel's length must exceed twice LD")
    nodes = tuple(place.node(w) for w in words[1:5])
    return e.Mosfet(place.name(card), nodes, model, sizes, off, celsius)  # type: ignore[arg-type]


def _model(card: Card, place: Place, name: str, kinds: set[str]) -> e.Model:
    model = place.model(name)
    if model is None:
        raise card.fault(f"model {name} is not defined")
    if model.kind not in kinds:
        raise card.fault(
            f"model {name} is of type {model.kind}: must be {' or '.join(sorted(kinds))}"
        )
    return model


def _positive(card: Card, value: float, what: str) -> float:
    if not value > 0:
        raise card.fault(f"{what} = {value:g}: must be positive")
    return value


_READERS: dict[str, Callable[[Card, Place], e.Element]] = {
    "r": _resistor, "c": _capacitor, "l": _inductor, "v": _voltage_source, "i": _current_source,
    "d": _diode, "q": _bipolar, "m": _mosfet, "k": _coupling,
}  # fmt: skip
_LETTERS = "R C L K V I E F G H B D Q M"
