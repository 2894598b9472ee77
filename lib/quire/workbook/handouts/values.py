"""Values: an answer as JSON data, so that nothing of a returned notebook is ever unpickled.

Numbers, words, lists, tuples, sets, mappings, fractions, complex numbers, arrays of numbers and
dataclasses of this library cross as data. A function crosses as a number by which it is called
where it lives. Everything else crosses as the name of its type, and is no answer.

What a check gives to such a function may be an object of this library, too, where its class says by
``__reduce__`` what it is made of; of a returned notebook no such object is taken.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import importlib
import io
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

_DEEPEST = 40
_LARGEST = 1 << 22  # bytes of an array
_PACKAGE = "quire."


class Unreadable(Exception):
    """An answer that is no data."""


@dataclasses.dataclass(frozen=True)
class Strange:
    """What stands for an answer of a type that does not cross."""

    type_name: str


def encode(value: Any, functions: list[Callable[..., Any]], depth: int = 0) -> Any:
    """Return ``value`` as JSON data; functions are appended to ``functions``.

    Raises
    ------
    Unreadable
        When it is nested too deep or too large.
    """
    if depth > _DEEPEST:
        raise Unreadable("nested too deep")

    def inner(item: Any) -> Any:
        return encode(item, functions, depth + 1)

    match value:
        case None | bool() | str():
            return value
        case enum.Enum():
            return {"enum": [_name(type(value)), value.name]}
        case int():
            return value if abs(value) < 1 << 53 else {"int": hex(value)}
        case float():
            return value if math.isfinite(value) else {"float": repr(value)}
        case complex():
            return {"complex": [repr(value.real), repr(value.imag)]}
        case Fraction():
            return {"fraction": [hex(value.numerator), hex(value.denominator)]}
        case list():
            return [inner(item) for item in value]
        case tuple() | set() | frozenset() | range():
            return {type(value).__mro__[-2].__name__: [inner(item) for item in value]}
        case dict():
            return {"dict": [[inner(key), inner(item)] for key, item in value.items()]}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if type(value).__module__.startswith(_PACKAGE):
            fields = {f.name: inner(getattr(value, f.name)) for f in dataclasses.fields(value)}
            return {"dataclass": [_name(type(value)), fields]}
        return {"strange": type(value).__name__}
    if type(value).__module__.startswith(_PACKAGE) and _tells_its_parts(type(value)):
        kind, parts = value.__reduce__()
        return {"object": [_name(kind), [inner(part) for part in parts]]}
    if hasattr(value, "__array__") and not isinstance(value, type):
        return _encode_array(value)
    if callable(value):
        functions.append(value)
        return {"function": len(functions) - 1}
    return {"strange": type(value).__name__}


def decode(
    data: Any,
    call: Callable[[int, tuple[Any, ...]], Any],
    depth: int = 0,
    *,
    trusted: bool = False,
) -> Any:
    """Return the value that `encode` wrote; a function becomes one that asks ``call``.

    Objects are made again only of ``trusted`` data: that of a check, not of a returned notebook.

    Raises
    ------
    Unreadable
        When ``data`` is not of a form that `encode` writes.
    """
    if depth > _DEEPEST:
        raise Unreadable("nested too deep")

    def inner(item: Any) -> Any:
        return decode(item, call, depth + 1, trusted=trusted)

    if data is None or isinstance(data, bool | int | float | str):
        return data
    if isinstance(data, list):
        return [inner(item) for item in data]
    try:
        ((kind, held),) = data.items()
        match kind:
            case "int":
                return int(held, 16)
            case "float":
                return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[held]
            case "complex":
                return complex(float(held[0]), float(held[1]))
            case "fraction":
                return Fraction(int(held[0], 16), int(held[1], 16))
            case "tuple" | "range":
                return tuple(inner(item) for item in held)
            case "set" | "frozenset":
                return {inner(item) for item in held}
            case "dict":
                return {inner(key): inner(item) for key, item in held}
            case "array":
                return _decode_array(held)
            case "enum":
                return _find(held[0], lambda t: issubclass(t, enum.Enum))[held[1]]
            case "dataclass":
                return _remade(held[0], {str(k): inner(v) for k, v in held[1].items()})
            case "object" if trusted:
                return _find(held[0], _tells_its_parts)(*map(inner, held[1]))
            case "function":
                number = int(held)
                return lambda *given: call(number, given)
            case "strange":
                return Strange(str(held))
    except (AttributeError, ValueError, TypeError, KeyError, IndexError, ZeroDivisionError):
        raise Unreadable("it is not of a form that an answer has") from None
    raise Unreadable(f"there is no kind of value {str(kind)[:40]!r}")


def _encode_array(value: Any) -> Any:
    array = np.asarray(value)
    if array.dtype.kind not in "biufc" or array.nbytes > _LARGEST:
        return {"strange": f"array of {array.dtype}"}
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return {"array": base64.b64encode(buffer.getvalue()).decode()}


def _decode_array(text: str) -> np.ndarray:
    data = base64.b64decode(text, validate=True)
    if len(data) > _LARGEST + 4096:
        raise Unreadable("an array too large")
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("another version of the format")
    shape, _, kind = np.lib.format.read_array_header_1_0(stream)
    if kind.kind not in "biufc" or math.prod(shape) * kind.itemsize > _LARGEST:
        raise Unreadable("an array too large")
    stream.seek(0)
    return np.asarray(np.load(stream, allow_pickle=False))


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _find(name: str, fits: Callable[[type], bool]) -> Any:
    module, _, attribute = name.partition(":")
    if not module.startswith(_PACKAGE) or not attribute.isidentifier():
        raise Unreadable(f"{name!r} is no type of this library")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except ImportError:
        raise Unreadable(f"{name!r} is no type of this library") from None
    if not isinstance(found, type) or not fits(found):
        raise Unreadable(f"{name!r} is no type that an answer has")
    return found


def _tells_its_parts(kind: type) -> bool:
    return "__reduce__" in vars(kind)


def _remade(name: str, fields: dict[str, Any]) -> Any:
    kind = _find(name, dataclasses.is_dataclass)
    if {field.name for field in dataclasses.fields(kind)} != fields.keys():
        raise Unreadable(f"{name!r} has other fields")
    made = object.__new__(kind)
    for field, value in fields.items():
        object.__setattr__(made, field, value)
    return made
