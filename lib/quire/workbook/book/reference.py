"""The library reference: one page per package, generated from ``__all__`` and the docstrings.

A topic that appears under ``quire`` gets its page by being there. A hand-written opening may stand
in ``book/library/<package>.md``; it is put before the generated part, and may hold a
``{quire-table}`` of the package's own data.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from quire.workbook.home import PACKAGE

_NOT_TOPICS = {"workbook", "_checkout"}
# An author of cards and charts needs more of the workbook than a reader of chapters does.
_FOR_AUTHORS = ("quire.workbook.cards", "quire.workbook.charts")


@dataclass(frozen=True)
class Member:
    """A public name: where it is imported from, where it is written, and how it is documented."""

    name: str
    package: str
    module: str
    line: int
    directive: str


def topics() -> tuple[str, ...]:
    """Return the names of the topic packages, in the alphabet's order."""
    return tuple(
        sorted(
            folder.name
            for folder in PACKAGE.iterdir()
            if (folder / "__init__.py").is_file() and folder.name not in _NOT_TOPICS
        )
    )


def stage_reference(folder: Path) -> None:
    """Write the reference pages into ``folder``/book/library, after their written openings."""
    pages = folder / "book" / "library"
    pages.mkdir(exist_ok=True)
    for name in (*topics(), "workbook"):
        path = pages / f"{name}.md"
        opening = path.read_text(encoding="utf-8") if path.is_file() else f"# quire.{name}\n"
        path.write_text(f"{opening.rstrip()}\n\n{page(f'quire.{name}')}", encoding="utf-8")


def page(package: str) -> str:
    """Return the generated part of a package's page: its map, then its modules in that order."""
    module = import_module(package)
    groups: dict[str, list[Member]] = {}
    for member in sorted(members(module), key=lambda m: (m.module, m.line)):
        groups.setdefault(member.module, []).append(member)
    if package == "quire.workbook":
        for name in _FOR_AUTHORS:
            groups[name] = sorted(_defined(import_module(name)), key=lambda m: m.line)
    chart = inspect.getdoc(module) or ""
    order = sorted(groups, key=lambda name: (_place(chart, name.rpartition(".")[2]), name))
    blocks = [_rst(f".. automodule:: {package}")]
    for name in order:
        blocks += _opening(package, name)
        blocks += [_documented(member) for member in groups[name]]
    return "\n\n".join(blocks) + "\n"


def members(package: ModuleType) -> Iterator[Member]:
    """Yield what the package's ``__all__`` names."""
    for name in getattr(package, "__all__", ()):
        thing = getattr(package, name)
        yield _member(name, package.__name__, thing)


def _defined(module: ModuleType) -> Iterator[Member]:
    for name, thing in vars(module).items():
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__:
            yield _member(name, module.__name__, thing)


def _member(name: str, package: str, thing: object) -> Member:
    if inspect.ismodule(thing):
        return Member(name, package, package, 0, "automodule")
    directive = "autodata"
    if inspect.isclass(thing):
        directive = "autoexception" if issubclass(thing, BaseException) else "autoclass"
    elif callable(thing) and hasattr(thing, "__module__"):
        directive = "autofunction"
    written = getattr(thing, "__module__", "") if directive != "autodata" else ""
    here = written if written and written.startswith(package.partition(".")[0]) else package
    return Member(name, package, here, _line(thing), directive)


def _line(thing: object) -> int:
    try:
        return inspect.getsourcelines(inspect.unwrap(thing))[1]  # type: ignore[arg-type]
    except (TypeError, OSError):
        return 0


def _place(chart: str, word: str) -> int:
    found = chart.find(f"`{word}")
    if found < 0:
        found = chart.find(word)
    return found if found >= 0 else len(chart)


def _opening(package: str, module: str) -> list[str]:
    """Return a module's heading and the rest of its docstring's first paragraph."""
    if module == package:
        return ["## In the package itself"]
    first = " ".join((inspect.getdoc(import_module(module)) or "").partition("\n\n")[0].split())
    subject, colon, rest = first.partition(": ")
    name = module.removeprefix(f"{package}.")
    if not colon or len(subject) > 60:
        subject, rest = name, first
    return [f"## {subject}", *([_rst(rest[0].upper() + rest[1:])] if rest else [])]


def _documented(member: Member) -> str:
    name = f"{member.package}.{member.name}"
    options = ""
    if member.directive in ("autoclass", "autoexception"):
        options = "\n   :members:\n   :exclude-members: model_config, model_post_init"
    return _rst(f".. {member.directive}:: {name}{options}")


def _rst(text: str) -> str:
    return f"```{{eval-rst}}\n{text}\n```"
