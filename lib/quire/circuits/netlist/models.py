"""``.model`` cards: the types that are read, their parameters, and what is refused.

A parameter that would change a result and is not modelled here is refused, unless it has the value
that switches it off. Noise parameters change nothing that is computed, and are read over.
"""

from quire.circuits.errors import UnsupportedElement
from quire.circuits.netlist.elements import Model
from quire.circuits.netlist.lines import Card
from quire.circuits.netlist.numbers import parse_number

_NOISE = {"kf", "af"}
_ALIASES: dict[str, dict[str, str]] = {
    "d": {"cj0": "cjo", "cj": "cjo", "pb": "vj", "mj": "m", "js": "is"},
    "npn": {
        "va": "vaf", "vb": "var", "ik": "ikf", "pe": "vje", "me": "mje", "pc": "vjc", "mc": "mjc",
        "ccs": "cjs", "ps": "vjs", "ms": "mjs", "jle": "ise", "jlc": "isc",
    },
    "nmos": {"vt0": "vto", "u0": "uo"},
    "r": {},
}  # fmt: skip
_READ: dict[str, set[str]] = {
    "d": {"is", "rs", "n", "tt", "cjo", "vj", "m", "fc", "bv", "ibv", "nbv", "eg", "xti", "tnom"},
    "npn": {
        "is", "bf", "nf", "vaf", "ikf", "ise", "ne", "br", "nr", "var", "ikr", "isc", "nc",
        "rb", "re", "rc", "cje", "vje", "mje", "tf", "cjc", "vjc", "mjc", "tr", "cjs", "vjs",
        "mjs", "fc", "eg", "xti", "xtb", "tnom",
    },
    "nmos": {
        "vto", "kp", "gamma", "phi", "lambda", "rd", "rs", "cbd", "cbs", "is", "pb", "cgso", "cgdo",
        "cgbo", "rsh", "cj", "mj", "cjsw", "mjsw", "js", "ld", "fc", "tox", "nsub", "nss", "tpg",
        "uo", "tnom",
    },
    "r": {"rsh", "narrow", "short", "defw", "l", "r", "tc1", "tc2", "tnom"},
}  # fmt: skip
# Allowed at the value that switches the effect off.
_NEUTRAL: dict[str, dict[str, float]] = {
    "d": {"jsw": 0.0, "cjsw": 0.0, "ikf": 0.0, "ikr": 0.0, "isr": 0.0, "level": 1.0},
    "npn": {"xtf": 0.0, "itf": 0.0, "ptf": 0.0, "xcjc": 1.0, "level": 1.0, "irb": 0.0},
    "nmos": {"level": 1.0},
    "r": {},
}  # fmt: skip
FAMILY = {"d": "d", "npn": "npn", "pnp": "npn", "nmos": "nmos", "pmos": "nmos", "r": "r"}


def read_model(card: Card) -> Model:
    """Return what a ``.model`` card says.

    Raises
    ------
    UnsupportedElement
        For a type, a LEVEL or a parameter outside the subset.
    NetlistError
        For a card that is torn, or a parameter that is not a number or makes no sense.
    """
    words = card.tokens
    if len(words) < 3:
        raise card.fault("a model needs a name and a type")
    name, kind, rest = words[1], words[2], words[3:]
    family = FAMILY.get(kind)
    if family is None:
        known = ", ".join(FAMILY)
        raise UnsupportedElement(
            card.line, card.shown, f"model type {kind}: must be one of {known}"
        )
    values: dict[str, float] = {}
    pairs = sorted(_pairs(card, rest), key=lambda pair: pair[0] != "level")
    for key, number in pairs:
        key = _ALIASES[family].get(key, key)
        if key in _NOISE:
            continue
        neutral = _NEUTRAL[family]
        if key in neutral:
            wanted = neutral[key]
            if number != wanted:
                why = f"{key} = {number:g} is outside the subset: only {wanted:g} is read"
                raise UnsupportedElement(card.line, card.shown, why)
        elif family == "npn" and key in ("rbm", "vtf"):
            values[key] = number
        elif key not in _READ[family]:
            why = f"parameter {key} of a {kind} model is outside the subset"
            raise UnsupportedElement(card.line, card.shown, why)
        else:
            values[key] = number
    _check(card, family, values)
    return Model(name, kind, values)


def _pairs(card: Card, words: tuple[str, ...]) -> list[tuple[str, float]]:
    """Return name and number of every parameter; the equals sign may be left out."""
    found = []
    position = 0
    while position < len(words):
        key = words[position]
        position += 1
        if position < len(words) and words[position] == "=":
            position += 1
        if position >= len(words):
            raise card.fault(f"parameter {key} has no value")
        try:
            number = parse_number(words[position])
        except ValueError as fault:
            raise card.fault(f"{key} = {fault}") from fault
        found.append((key, number))
        position += 1
    return found


def _check(card: Card, family: str, values: dict[str, float]) -> None:
    positive = {
        "d": {"is", "n", "vj", "bv", "ibv", "nbv"},
        "npn": {"is", "bf", "br", "nf", "nr", "ne", "nc", "vje", "vjc", "vjs"},
        "nmos": {"phi", "pb", "tox"},
        "r": set(),
    }[family]
    free = {
        "nmos": {"vto", "nss", "tpg", "ld", "lambda"}, "d": {"xti"}, "npn": {"xti", "xtb"},
        "r": {"tc1", "tc2"},
    }[family] | {"tnom"}  # fmt: skip
    if values.get("tnom", 27.0) <= -273.15:
        raise card.fault(f"tnom = {values['tnom']:g}: must lie above absolute zero")
    for key, number in values.items():
        if key in positive and number <= 0:
            raise card.fault(f"{key} = {number:g}: must be positive")
        if key not in free and number < 0:
            raise card.fault(f"{key} = {number:g}: must not be negative")
    for key in ("m", "mje", "mjc", "mjs", "mj", "mjsw", "fc"):
        if family != "r" and values.get(key, 0.0) >= 1:
            raise card.fault(f"{key} = {values[key]:g}: must be below 1")
    if family == "npn":
        if "rbm" in values and values["rbm"] != values.get("rb", 0.0):
            why = "rbm differs from rb: a base resistance that changes is outside the subset"
            raise UnsupportedElement(card.line, card.shown, why)
        values.pop("rbm", None)
        values.pop("vtf", None)
