"""The library reference: one page per package, generated from ``__all__`` and the docstrings.

A topic that appears under ``quire`` gets its page by being there. A hand-written opening may stand
in ``book/library/<package>.md``; it is put before the generated part, and may hold a
``{quire-table}`` of the package's own data.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from textwrap import indent
from types import ModuleType

from quire.workbook.home import PACKAGE

_NOT_TOPICS = {"workbook", "_checkout"}
# An author of cards and charts needs more of the workbook than a reader of chapters does.
_FOR_AUTHORS = ("quire.workbook.cards", "quire.workbook.charts")


@dataclass(frozen=True)
class Member:
    """A public name: where it is imported from, where it is written, and how it is documented.

    `told` is the documentation of a constant; everything else tells Sphinx itself.
    """

    name: str
    package: str
    module: str
    line: int
    directive: str
    told: str = ""


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
    if inspect.isclass(thing):
        directive = "autoexception" if issubclass(thing, BaseException) else "autoclass"
    elif callable(thing) and hasattr(thing, "__module__"):
        directive = "autofunction"
    else:
        return _datum(name, package)
    written = thing.__module__
    here = written if written.startswith(package.partition(".")[0]) else package
    return Member(name, package, here, _line(thing), directive)


def _datum(name: str, package: str) -> Member:
    """Return a constant as a member, documented by the string that follows its assignment.

    An instance carries no docstring of its own: Python and Sphinx would give its class's.
    """
    home = Path(inspect.getfile(import_module(package)))
    files = sorted(home.parent.rglob("*.py")) if home.name == "__init__.py" else [home]
    for path in files:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for statement, after in zip(body, [*body[1:], None], strict=True):
            if name in _assigned(statement):
                inner = path.relative_to(home.parent).with_suffix("").parts
                module = package if len(files) == 1 else ".".join((package, *inner))
                said = after.value if isinstance(after, ast.Expr) else None
                words = said.value if isinstance(said, ast.Constant) else ""
                told = inspect.cleandoc(words) if isinstance(words, str) else ""
                return Member(name, package, module, statement.lineno, "data", told)
    return Member(name, package, package, 0, "data")


def escape_bars(lines: Sequence[str]) -> list[str]:
    """Return a docstring's lines with ``|x|`` as mathematics: to Sphinx it is a substitution."""
    escaped, literal = [], -1  # the indentation of the paragraph that opened a literal block
    for line in lines:
        indented = len(line) - len(line.lstrip())
        if line.strip() and indented <= literal:
            literal = -1
        if literal >= 0 or line.lstrip().startswith((">>>", "...")):
            escaped.append(line)
            continue
        parts = re.split(r"(``.*?``|`[^`]*`)", line)
        escaped.append(
            "".join(part if part[:1] == "`" else part.replace("|", r"\|") for part in parts)
        )
        if line.rstrip().endswith("::"):
            literal = indented
    return escaped


def _assigned(statement: ast.stmt) -> set[str]:
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    names = [each for target in targets for each in ast.walk(target)]
    return {name.id for name in names if isinstance(name, ast.Name)}


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
    return [f"## {subject}", *([_rst(*escape_bars([rest[0].upper() + rest[1:]]))] if rest else [])]


def _documented(member: Member) -> str:
    name = f"{member.package}.{member.name}"
    if member.directive == "data":
        told = indent("\n".join(escape_bars(member.told.splitlines())), "   ")
        return _rst(f".. py:data:: {name}\n\n{told}")
    options = ""
    if member.directive in ("autoclass", "autoexception"):
        options = "\n   :members:\n   :exclude-members: model_config, model_post_init"
    return _rst(f".. {member.directive}:: {name}{options}")


def _rst(text: str) -> str:
    return f"```{{eval-rst}}\n{text}\n```"
