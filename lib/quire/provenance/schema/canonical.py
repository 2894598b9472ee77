"""JSON read strictly and written canonically (RFC 8785), so that equal records have equal bytes.

`parse_json` refuses, with its place, what two readers could read differently: duplicate keys, NaN
and infinities, integers that a double does not hold, lone surrogates; and what could exhaust a
reader: depth and size. `canonical_bytes` sorts keys by UTF-16 units and writes numbers as
ECMAScript does.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from quire.provenance.schema.errors import DuplicateKey, Malformed, told
from quire.signatures import checked

_EXACT = 2**53 - 1  # the largest integer up to which doubles are exact


@dataclass(frozen=True)
class Limits:
    """How large a document may be before it is refused.

    Attributes
    ----------
    depth
        Levels of nesting.
    string
        Characters of one string.
    document
        Bytes of one document (a line of a stream, or a file).
    values
        Values of one document: of empty lists, three bytes each, a reader makes a hundred.
    record
        Bytes of one record's documents; a reader counts each of its files.
    """

    depth: int = 64
    string: int = 1_000_000
    document: int = 16_000_000
    values: int = 2_000_000
    record: int = 256_000_000


LIMITS = Limits()


@checked
def parse_json(text: Any, path: str = "$", limits: Limits = LIMITS) -> Any:
    """Return the value of a JSON document, or refuse it with the path of what is wrong.

    Raises
    ------
    Malformed
        For text that is not UTF-8 or not JSON, too large or too deep or of too many values, for
        NaN and infinities, for integers beyond 2^53 - 1, and for lone surrogates.
    DuplicateKey
        For an object that names a key twice.
    """
    if not isinstance(text, bytes | bytearray | str):
        raise Malformed(path, f"is a {type(text).__name__}: must be JSON text")
    if len(text) > limits.document:
        raise Malformed(path, f"holds {len(text):,} bytes: at most {limits.document:,} are read")
    if not isinstance(text, str):
        try:
            text = bytes(text).decode("utf-8")
        except UnicodeDecodeError as fault:
            raise Malformed(path, f"is not UTF-8 at byte {fault.start}") from None

    if len(text) > limits.values and _holds_more(text, limits.values):
        raise Malformed(path, f"holds more than {limits.values:,} values")
    twice = False

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        found = dict(items)
        if len(found) != len(items):
            twice = True
            seen: set[str] = set()
            key = next(key for key, _ in items if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            return _Twice(found, key)
        return found

    try:
        # NaN and infinities become numbers, so that their place can be told
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=float)
    except json.JSONDecodeError as fault:
        raise Malformed(path, f"is not JSON: {fault.msg} at character {fault.pos}") from None
    except RecursionError:
        raise Malformed(path, f"is nested more than {limits.depth} levels deep") from None
    except ValueError:  # thousands of digits
        raise Malformed(path, "holds an integer beyond 2^53 - 1") from None
    if twice:
        try:
            place, key = _place_of_twice(value, path) or (path, "")
        except RecursionError:
            raise Malformed(path, f"is nested more than {limits.depth} levels deep") from None
        raise DuplicateKey(place, f"the key {told(key)} stands twice in one object")
    return check_json(value, path, limits)


def check_json(value: Any, path: str = "$", limits: Limits = LIMITS) -> Any:
    """Return a value made of what JSON can hold: finite numbers, texts, lists, objects by text.

    Raises
    ------
    Malformed
        For anything else, with the path of it.
    """
    if not _is_json(value, limits.string, limits.depth):
        _check(value, path, limits, limits.depth)  # says where and what
    return value


def check_size(payload: bytes, path: str, limits: Limits, before: int = 0) -> int:
    """Refuse what a reader would refuse, and return the bytes of a record with this document.

    Parameters
    ----------
    payload
        Canonical bytes of a document.
    path
        Of the document, for errors.
    limits
        How large it may be.
    before
        Bytes of the record's other documents.

    Raises
    ------
    Malformed
        For a document, or a record, that is too large.
    """
    if len(payload) > limits.document:
        raise Malformed(path, f"holds {len(payload):,} bytes: at most {limits.document:,}")
    if len(payload) > limits.values and _holds_more(payload.decode(), limits.values):
        raise Malformed(path, f"holds more than {limits.values:,} values")
    if before + len(payload) > limits.record:
        raise Malformed(path, f"makes the record larger than {limits.record:,} bytes")
    return before + len(payload)


def canonical_bytes(value: Any) -> bytes:
    """Return the canonical bytes of a JSON value (RFC 8785).

    Raises
    ------
    Malformed
        For what JSON cannot hold.
    """
    if _plain(value, LIMITS.depth):
        text = _PLAIN.encode(value)  # fast
    else:
        parts: list[str] = []
        _write(value, parts, "$", LIMITS.depth)
        text = "".join(parts)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise Malformed("$", "holds a lone surrogate, which UTF-8 cannot write") from None


class _Twice(dict[str, Any]):
    """An object that names a key twice, until it is refused."""

    def __init__(self, found: dict[str, Any], key: str) -> None:
        super().__init__(found)
        self.key = key


def _place_of_twice(value: Any, path: str) -> tuple[str, str] | None:
    """Return the path of the first object that names a key twice, and the key."""
    if isinstance(value, _Twice):
        return path, value.key
    if isinstance(value, dict):
        inside = ((f"{path}.{key[:60]}", item) for key, item in value.items())
    elif isinstance(value, list):
        inside = ((f"{path}[{k}]", item) for k, item in enumerate(value))
    else:
        return None
    return next(filter(None, (_place_of_twice(item, at) for at, item in inside)), None)


# a text that is not closed ends with the document, so that each is looked at once
_TEXTS = re.compile(r'"(?:[^"\\]|\\.?)*+"?', re.DOTALL)


def _holds_more(text: str, values: int) -> bool:
    """Whether a document holds more values than so many: its commas and brackets, one more."""

    def count(part: str) -> int:
        return part.count(",") + part.count("[") + part.count("{") + 1

    # a first look counts those inside of texts as well, and nearly always it is enough
    return count(text) > values and count(_TEXTS.sub("", text)) > values


def checked_bytes(value: Any, path: str = "$", limits: Limits = LIMITS) -> bytes:
    """Return the canonical bytes of a value that `check_json` accepts, in one walk for most.

    Raises
    ------
    Malformed
        For anything else, with the path of it.
    """
    if _plain(value, limits.depth):
        text = _PLAIN.encode(value)
        if len(text) <= limits.string and (text.isascii() or not _LONE.search(text)):
            return text.encode("utf-8")
    check_json(value, path, limits)
    return canonical_bytes(value)


_LONE = re.compile("[\ud800-\udfff]")

_PLAIN = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False
)
_STRING = json.JSONEncoder(ensure_ascii=False)


def _plain(value: Any, depth: int) -> bool:
    """Whether Python's writer is canonical: no large number, whole float, or key outside ASCII."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return -_EXACT <= value <= _EXACT
    if kind is float:
        # Python and ECMAScript write fractions of this range alike
        return 1e-4 <= abs(value) < 1e15 and not value.is_integer()
    if depth <= 0:
        return False
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str or not key.isascii():
                return False
            if type(item) is not str and not _plain(item, depth - 1):
                return False
        return True
    if kind is list or kind is tuple:
        return all(type(item) is str or _plain(item, depth - 1) for item in value)
    return False


def _write(value: Any, parts: list[str], path: str, depth: int) -> None:
    if depth < 0:
        raise Malformed(path, f"is nested more than {LIMITS.depth} levels deep")
    if value is None or isinstance(value, bool):
        parts.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, str):
        parts.append(_STRING.encode(value))
    elif isinstance(value, int):
        if abs(value) <= _EXACT:
            parts.append(str(int(value)))
        elif _is_double(value):
            parts.append(_number(float(value), path))
        else:
            raise Malformed(path, "is an integer beyond 2^53 - 1 that no double holds")
    elif isinstance(value, float):
        parts.append(_number(value, path))
    elif isinstance(value, dict):
        parts.append("{")
        for place, key in enumerate(_sorted_keys(value, path)):
            parts.append(("," if place else "") + _STRING.encode(key) + ":")
            _write(value[key], parts, f"{path}.{key[:40]}", depth - 1)
        parts.append("}")
    elif isinstance(value, list | tuple):
        parts.append("[")
        for place, item in enumerate(value):
            if place:
                parts.append(",")
            _write(item, parts, f"{path}[{place}]", depth - 1)
        parts.append("]")
    else:
        raise Malformed(path, f"is a {type(value).__name__}, which JSON cannot hold")


def _sorted_keys(value: dict[Any, Any], path: str) -> list[str]:
    for key in value:
        if not isinstance(key, str):
            raise Malformed(path, f"has the key {told(key)}: keys are texts")
    return sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))


def _number(value: float, path: str) -> str:
    """Write a double as ECMAScript does: the shortest digits that round back.

    Raises
    ------
    Malformed
        For NaN and infinities.
    """
    if not math.isfinite(value):
        raise Malformed(path, f"is {value}, which is no JSON number")
    if value == 0:
        return "0"
    sign, digits, power = _shortest(value)
    count = len(digits)
    if count <= power <= 21:
        text = digits + "0" * (power - count)
    elif 0 < power <= 21:
        text = f"{digits[:power]}.{digits[power:]}"
    elif -6 < power <= 0:
        text = "0." + "0" * -power + digits
    else:
        exponent = power - 1
        mantissa = digits if count == 1 else f"{digits[0]}.{digits[1:]}"
        text = f"{mantissa}e{'+' if exponent > 0 else '-'}{abs(exponent)}"
    return sign + text


def _shortest(value: float) -> tuple[str, str, int]:
    """Return sign, digits without zeros at either end, and the power n of 0.digits * 10^n."""
    text = repr(abs(value))
    mantissa, _, exponent = text.partition("e")
    whole, _, part = mantissa.partition(".")
    if part == "0":
        part = ""
    power = len(whole) + int(exponent or 0)
    digits = whole + part
    leading = len(digits) - len(digits.lstrip("0"))
    return ("-" if value < 0 else ""), digits.strip("0"), power - leading


def _is_json(value: Any, longest: int, depth: int) -> bool:
    """Whether a value is plainly what JSON can hold; others are looked at with their paths."""
    kind = type(value)
    if kind is str:
        return len(value) <= longest and value.isascii()
    if kind is dict:
        return depth > 0 and all(
            type(key) is str
            and key.isascii()
            and (
                (type(item) is str and len(item) <= longest and item.isascii())
                or _is_json(item, longest, depth - 1)
            )
            for key, item in value.items()
        )
    if kind is int:
        return -_EXACT <= value <= _EXACT
    if kind is float:
        return math.isfinite(value)
    if kind is list or kind is tuple:
        return depth > 0 and all(_is_json(item, longest, depth - 1) for item in value)
    return value is None or kind is bool


def _check(value: Any, path: str, limits: Limits, depth: int) -> None:
    kind = type(value)
    if kind is str:
        _check_string(value, path, limits)
    elif value is None or kind is bool:
        return
    elif kind is int:
        if not -_EXACT <= value <= _EXACT and not _is_double(value):
            raise Malformed(path, "is an integer beyond 2^53 - 1 that no double holds")
    elif kind is float:
        if not math.isfinite(value):
            raise Malformed(path, f"is {value}, which is no JSON number")
    elif depth <= 0:
        raise Malformed(path, f"is nested more than {limits.depth} levels deep")
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise Malformed(path, f"has the key {told(key)}: keys are texts")
            _check_string(key, path, limits)
            _check(item, f"{path}.{key}" if len(key) < 60 else path, limits, depth - 1)
    elif kind is list or kind is tuple:
        for place, item in enumerate(value):
            _check(item, f"{path}[{place}]", limits, depth - 1)
    else:
        raise Malformed(path, f"is a {kind.__name__}, which JSON cannot hold")


def _is_double(value: int) -> bool:
    """Whether a large integer is a double, exactly or in the digits that canonical JSON writes."""
    if value.bit_length() >= 1024:
        return False
    double = float(value)
    return int(double) == value or _number(double, "$") == str(value)


def _check_string(value: str, path: str, limits: Limits) -> None:
    if len(value) > limits.string:
        raise Malformed(path, f"has {len(value):,} characters: at most {limits.string:,}")
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise Malformed(path, "holds a lone surrogate, which UTF-8 cannot write")
