"""What a signature says is checked when it is called: objects, texts, truth values, lists of them.

`checked` stands before a public function or a dataclass. It refuses, by the argument's name, what
is not of the kind that the annotation names (None where a circuit is due, a text where a list of
texts is), and passes on what the code behind it needs: Python's own truth values, a tuple for an
iterator, a path for a text. Numbers and arrays are left to `quire.checks`, which knows what a
function allows.

It needs the standard library alone: a safety kernel's process starts with nothing else.
"""

import collections.abc
import functools
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar

__all__ = ["Kind", "checked", "kinds_of", "shown"]

Thing = TypeVar("Thing", bound=Callable[..., Any])


@dataclass(frozen=True)
class Kind:
    """One kind of argument: its name (of one, of many), what belongs to it, what is passed on."""

    one: str
    many: str
    holds: Callable[[Any], bool]
    passed: Callable[[str, Any], Any] = lambda name, value: value

    def take(self, name: str, value: Any) -> Any:
        """Return what is passed on for an argument.

        Raises
        ------
        ValueError
            For one of another kind.
        """
        if not self.holds(value):
            raise ValueError(f"{name} = {shown(value)}: must be {self.one}")
        return self.passed(name, value)


def checked(thing: Thing) -> Thing:
    """Return a function, or a dataclass, that checks the kinds of its arguments.

    Only arguments that are given are checked, and only where the annotation names a class, a text,
    a truth value, a function, a mapping or a list of such. A call costs about a microsecond more an
    argument.

    Raises
    ------
    ValueError
        From what is returned, when it is called: for an argument of another kind, by its name.
    """
    if isinstance(thing, type):
        thing.__init__ = _checking(thing.__init__, thing)  # type: ignore[misc]
        return thing
    return typing.cast(Thing, _checking(thing, thing))


def _checking(function: Callable[..., Any], annotated: Any) -> Callable[..., Any]:
    parameters = inspect.signature(function).parameters.values()
    places = [p.name for p in parameters if p.kind <= p.POSITIONAL_OR_KEYWORD]
    kinds = functools.cache(lambda: kinds_of(function, annotated))

    @functools.wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        known = kinds()
        values = list(given)
        for at, name in enumerate(places[: len(values)]):
            if name in known:
                values[at] = known[name].take(name, values[at])
        for name in named.keys() & known.keys():
            named[name] = known[name].take(name, named[name])
        return function(*values, **named)

    return call


def kinds_of(function: Callable[..., Any], annotated: Any = None) -> dict[str, Kind]:
    """Return what can be checked of a function's arguments, by their names.

    ``annotated`` is what carries the annotations where the function does not: a dataclass.
    """
    hints = typing.get_type_hints(annotated or function)
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    names = [p.name for p in parameters if p.kind not in several]
    found = {name: _kind(hints.get(name, Any)) for name in names}
    return {name: kind for name, kind in found.items() if kind is not None}


def _kind(hint: Any) -> Kind | None:
    """Return what an annotation asks for; None where it says nothing that can be checked here."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin in (UnionType, typing.Union):
        return _either([_kind(one) for one in inside])
    if origin is Literal:
        words = "one of " + ", ".join(map(repr, inside))
        return Kind(words, words, lambda value: isinstance(value, str | int) and value in inside)
    kind = origin or hint
    if kind in (int, float, complex, object, type, Any):
        return None
    if kind in _PLAIN:
        return _PLAIN[kind]
    if not isinstance(kind, type):
        return None
    array = kind.__module__.partition(".")[0] in ("jaxtyping", "jax", "jaxlib", "numpy")
    if array or getattr(kind, "_is_protocol", False):
        return None
    if kind in _LISTS:
        return _list(kind, inside)
    if issubclass(kind, Mapping):
        return _mapping(inside)
    words = f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"
    return Kind(words, f"{kind.__name__} objects", lambda value: isinstance(value, kind))


def _either(kinds: list[Kind | None]) -> Kind | None:
    known = [kind for kind in kinds if kind is not None]
    if len(known) < len(kinds):
        return None

    def passed(name: str, value: Any) -> Any:
        return next(kind for kind in known if kind.holds(value)).passed(name, value)

    words = " or ".join(kind.one for kind in known)
    return Kind(words, words, lambda value: any(kind.holds(value) for kind in known), passed)


def _mapping(inside: tuple[Any, ...]) -> Kind:
    key_kind, item_kind = (_kind(one) for one in inside or (Any, Any))

    def passed(name: str, value: Any) -> Any:
        for key, item in value.items():
            if key_kind is not None:
                key_kind.take(f"a key of {name}", key)
            if item_kind is not None:
                item_kind.take(f"{name}[{key!r}]", item)
        return value

    return Kind("a mapping", "mappings", _is_mapping, passed)


def _is_mapping(value: Any) -> bool:
    """Whether a value is a mapping or asked like one: a table of pandas, an archive of NumPy."""
    if isinstance(value, Mapping | type):
        return isinstance(value, Mapping)
    return all(callable(getattr(value, name, None)) for name in ("keys", "items", "__getitem__"))


def _is_list(value: Any) -> bool:
    single = isinstance(value, str | bytes | bytearray | Mapping) or getattr(value, "ndim", 1) == 0
    return isinstance(value, Iterable) and not single


def _list(kind: type, inside: tuple[Any, ...]) -> Kind:
    """Return the kind of a list, whose iterators are read once and whose items are checked too."""
    each: Kind | None = None
    count: int | None = None
    if kind is not tuple or (len(inside) == 2 and inside[1] is Ellipsis):
        each = _kind(inside[0]) if inside else None
    elif len({repr(one) for one in inside}) == 1:
        each, count = _kind(inside[0]), len(inside)
    elif inside:
        count = len(inside)

    def passed(name: str, value: Any) -> Any:
        owned = kind in (tuple, list, frozenset, set)
        if kind is collections.abc.Iterable or isinstance(value, frozenset | set):
            return kind(value) if owned else value
        if each is count is None and isinstance(value, collections.abc.Collection):
            return value if isinstance(value, kind) or not owned else kind(value)
        items = (
            list(value)
            if each is None
            else [each.take(f"{name}[{at}]", item) for at, item in enumerate(value)]
        )
        if count is not None and len(items) != count:
            raise ValueError(f"{name} = {shown(value)}: must have {count} items")
        if owned:
            return kind(items)
        same = isinstance(value, collections.abc.Collection)
        same = same and all(old is new for old, new in zip(value, items, strict=True))
        return value if same else tuple(items)

    words = f"a list of {each.many}" if each is not None else "a list"
    return Kind(words, "lists", _is_list, passed)


def shown(value: Any) -> str:
    """Return a value as an error shows it: short, and on one line."""
    size = len(value) if isinstance(value, list | tuple) else getattr(value, "size", 0)
    if isinstance(size, int) and size > 20:
        return f"a {type(value).__name__}"
    written = repr(value)
    return written if len(written) <= 60 and "\n" not in written else f"a {type(value).__name__}"


def _is_numpy_truth(value: Any) -> bool:
    kind = type(value)
    return kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_")


def _as_path(name: str, value: Any) -> Path:
    if "\0" in str(value):
        raise ValueError(f"{name} = {shown(value)}: must be a path, and a path has no NUL")
    return Path(value)


_PLAIN: dict[Any, Kind] = {
    NoneType: Kind("None", "Nones", lambda value: value is None),
    bool: Kind(
        "True or False",
        "truth values",
        lambda value: isinstance(value, bool) or _is_numpy_truth(value),
        lambda name, value: bool(value),
    ),
    str: Kind("a string", "strings", lambda value: isinstance(value, str)),
    bytes: Kind(
        "bytes",
        "bytes",
        lambda value: isinstance(value, bytes | bytearray | memoryview),
        lambda name, value: bytes(value),
    ),
    Path: Kind("a path", "paths", lambda value: isinstance(value, str | PathLike), _as_path),
    collections.abc.Callable: Kind("a function", "functions", callable),
}
_LISTS = {
    *(tuple, list, set, frozenset, collections.abc.Iterable, collections.abc.Sequence),
    *(collections.abc.Collection, collections.abc.Set),
}
