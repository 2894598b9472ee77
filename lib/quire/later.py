"""Names of a package that load their modules when they are first asked for.

It needs the standard library alone: a safety kernel's process starts with nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def loaded_later(package: str, places: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package, from its modules and the names that each holds.

    Raises
    ------
    AttributeError
        From what is returned, when it is called: for a name that no module holds.
    """
    place_of = {name: place for place, names in places.items() for name in names}

    def find(name: str) -> Any:
        if name in place_of:
            return getattr(import_module(f"{package}.{place_of[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find
