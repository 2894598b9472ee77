"""Imports that wait until they are needed: the grammar of international web addresses.

jsonschema imports ``rfc3987_syntax``, which compiles a grammar for a second, to check addresses
that no notebook and no chart holds. Every kernel and every command would pay for it. A module of
the same name stands in for it and loads the real one at the first use.

This file imports nothing of this project: a run puts its text at the start of the kernel.
"""

import importlib
import importlib.util
import sys
import types

_SLOW = "rfc3987_syntax"


class _Deferred(types.ModuleType):
    """The module that stands in: any use of it loads the real one."""

    def is_valid_syntax(self, *arguments: object, **keywords: object) -> object:
        return self._real().is_valid_syntax(*arguments, **keywords)

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._real(), name)

    def _real(self) -> types.ModuleType:
        if sys.modules.get(_SLOW) is self:
            del sys.modules[_SLOW]
        return importlib.import_module(_SLOW)


def defer_slow_imports() -> None:
    """Let ``rfc3987_syntax`` be loaded at its first use, unless it is loaded or absent."""
    if _SLOW in sys.modules:
        return
    spec = importlib.util.find_spec(_SLOW)
    if spec is not None:
        stand_in = _Deferred(_SLOW)
        stand_in.__spec__ = spec
        sys.modules[_SLOW] = stand_in


defer_slow_imports()
