"""Imports: which files and which packages some Python source can reach, read and never run.

The walk starts at a source (a notebook's code) and follows every import, wherever it stands, to the
files of this project, to modules beside the notebook, and to other people's packages, which are
known by their version. A topic is reached as a whole: some of its files are run as programs. A
package that loads some of its names later (`quire.workbook` does) leads to the modules of those
names that are mentioned somewhere on the way.
"""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_PACKAGE_NAME = "quire"
_DOTTED = re.compile(r"\b(?:from|import)\s+([A-Za-z_][\w.]*)|\b([A-Za-z_]\w*(?:\.\w+)+)")
_NAME = re.compile(r"[A-Za-z_]\w*")
_MAGIC = re.compile(r"^\s*[%!]")


@dataclass(frozen=True)
class Source:
    """What one piece of source says: modules it imports, names it uses, texts it holds."""

    modules: frozenset[str]
    names: frozenset[str]
    texts: frozenset[str]
    runs_unseen_code: bool


@dataclass
class Reach:
    """Everything that is reached: files, the names of other people's top-level modules, texts."""

    files: set[Path] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)


def follow(starts: Iterable[str], roots: Iterable[Path], package: Path) -> Reach:
    """Return what sources reach.

    Parameters
    ----------
    starts
        Python sources, such as a notebook's code.
    roots
        Files that are reached whatever the sources say.
    package
        The folder of the package ``quire``.

    Returns
    -------
    Reach
        ``files`` holds those of ``quire`` alone.
    """
    reach = Reach()
    waiting = [read_source(text) for text in starts]
    later: dict[str, list[Path]] = {}
    queue = [file for file in roots if file.is_file()]
    while waiting or queue:
        while queue:
            file = queue.pop()
            if file not in reach.files:
                reach.files.add(file)
                text = file.read_text(encoding="utf-8", errors="replace")
                waiting.append(read_source(text, _package_of(file, package)))
                if file.name == "__init__.py":
                    _add_later(file, text, later)
                queue += _topic_of(file, package)
        while waiting:
            source = waiting.pop()
            reach.names |= source.names
            reach.texts |= source.texts
            for module in source.modules:
                if module.split(".")[0] == _PACKAGE_NAME:
                    queue += _files_of(module, package)
                elif module.split(".")[0] not in sys.stdlib_module_names:
                    reach.foreign.add(module.split(".")[0])
        for name in reach.names & later.keys():
            queue += later[name]
        queue = [file for file in queue if file not in reach.files]
    return reach


@functools.lru_cache(maxsize=4096)
def read_source(text: str, package: str = "") -> Source:
    """Return what a piece of source says; one that is no Python is read as words.

    Parameters
    ----------
    text
        Python, perhaps with lines of IPython's magic.
    package
        The dotted name of the package it is part of, from which relative imports go.
    """
    lines = ["" if _MAGIC.match(line) else line for line in text.splitlines()]
    magic = any(_MAGIC.match(line) for line in text.splitlines())
    try:
        tree = ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _read_as_words(text)
    modules, names, texts, unseen = set(), set(), set(), magic
    for node in _executed(tree):
        match node:
            case ast.Import(names=aliases):
                modules |= {alias.name for alias in aliases}
                names |= {part for alias in aliases for part in alias.name.split(".")}
            case ast.ImportFrom(module=module, names=aliases, level=level):
                base = _absolute(module or "", level, package)
                modules |= {base} | {f"{base}.{alias.name}" for alias in aliases}
                names |= {alias.name for alias in aliases}
            case ast.Attribute(attr=name):
                names.add(name)
                modules |= _dotted(node)
            case ast.Name(id=name):
                names.add(name)
                unseen |= name in ("exec", "eval", "compile", "__import__")
            case ast.Constant(value=str() as value):
                texts.add(value)
    if names & {"import_module", "run_path", "run_module", "spec_from_file_location"}:
        unseen = True
    if unseen:
        # A module named by a text: "quire.sketching", or the helper of a magic.
        modules |= {value for value in texts if re.fullmatch(r"[A-Za-z_]\w*(\.\w+)+", value)}
        texts |= set(re.findall(r"[\w./-]+", "\n".join(filter(_MAGIC.match, text.splitlines()))))
    return Source(frozenset(modules - {""}), frozenset(names), frozenset(texts), unseen)


def _executed(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the nodes of a module but for those that only a type checker sees."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                waiting += node.orelse
            case _:
                waiting += ast.iter_child_nodes(node)


def _read_as_words(text: str) -> Source:
    dotted = {a or b for a, b in _DOTTED.findall(text)}
    names = frozenset(_NAME.findall(text))
    quoted = {match[1] for match in re.finditer(r"(?:['\"])([^'\"\n]+)['\"]", text)}
    texts = frozenset({*quoted, *re.findall(r"[\w./-]+", text)})
    return Source(frozenset(dotted), names, texts, runs_unseen_code=True)


def _dotted(node: ast.Attribute) -> set[str]:
    """Return ``{"quire.a.b"}`` for the expression ``quire.a.b``, nothing for other expressions."""
    parts: list[str] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        parts.append(inner.attr)
        inner = inner.value
    if isinstance(inner, ast.Name) and inner.id == "quire":
        return {".".join([inner.id, *reversed(parts)])}
    return set()


def _absolute(module: str, level: int, package: str) -> str:
    if not level:
        return module
    parts = package.split(".")[: len(package.split(".")) - level + 1]
    return ".".join([*parts, module] if module else parts)


def _package_of(file: Path, package: Path) -> str:
    return ".".join([_PACKAGE_NAME, *file.relative_to(package).parent.parts])


def _files_of(module: str, package: Path) -> Iterator[Path]:
    """Yield the files that importing ``module``, or a name out of it, runs: packages on the way."""
    folder = package
    yield from _existing(folder / "__init__.py")
    for part in module.split(".")[1:]:
        if (folder / part).is_dir():
            folder = folder / part
            yield from _existing(folder / "__init__.py")
            continue
        yield from _existing(folder / f"{part}.py")
        return


def _topic_of(file: Path, package: Path) -> list[Path]:
    """Return all files of the topic that ``file`` is part of, none for the workbook's."""
    parts = file.relative_to(package).parts
    if len(parts) < 2 or parts[0] == "workbook":
        return []
    return list((package / parts[0]).rglob("*.py"))


def _existing(file: Path) -> Iterator[Path]:
    if file.is_file():
        yield file


def _add_later(file: Path, text: str, later: dict[str, list[Path]]) -> None:
    """Note which names of a package are loaded later: a mapping of names to its modules."""
    if "__getattr__" not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Dict):
            continue
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(value, ast.Constant):
                name, module = str(key.value), str(value.value).strip(".").split(".")
                folder = file.parent.joinpath(*module)
                for candidate in (folder.with_suffix(".py"), folder / "__init__.py"):
                    if candidate.is_file():
                        later.setdefault(name, []).append(candidate)
