"""Which cells of a notebook depend on which, told from their source alone.

A cell depends on another when it uses a name that the other bound or changed. The graph is an
over-estimate: a method called on a name counts as a change of it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_PROVIDERS = ("datasets", "peers")
"""Modules through which a cell asks what is there; their answer is another where it is absent."""


@dataclass(frozen=True)
class _Names:
    """What one cell does with names, and its texts.

    ``renewed`` are names that its top level binds in any case, ``changed`` all that it may bind or
    change in place.
    """

    used: frozenset[str]
    renewed: frozenset[str]
    changed: frozenset[str]
    imported: frozenset[str]
    texts: frozenset[str]


def dependent_cells(
    cells: Sequence[Any], roots: Iterable[str], texts: Iterable[str] = ()
) -> set[str]:
    """Return the ids of the cells whose outputs may depend on the ``roots``, the roots among them.

    Parameters
    ----------
    cells
        The notebook's cells in order, each with ``id``, ``cell_type`` and ``source``.
    roots
        Ids of cells that depend on what is absent.
    texts
        A cell that holds one of these as a string is a root, too; when there is any, so is a cell
        that asks ``datasets`` or ``peers``.
    """
    wanted, found, tainted = frozenset(texts), set(roots), set[str]()
    machinery: set[str] = set()
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        names = _names(cell["source"])
        machinery |= names.imported | _ledgers(cell["source"])
        asks = bool(wanted) and not names.used.isdisjoint(_PROVIDERS)
        if cell["id"] in found or asks or names.texts & wanted or names.used & tainted:
            found.add(cell["id"])
            tainted |= names.changed - machinery
        else:
            tainted -= names.renewed
    return found


def _names(source: str) -> _Names:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a line of IPython's own: nothing is known of such a cell
        return _Names(*(frozenset[str]() for _ in range(5)))
    used, changed, imported, texts = (set[str]() for _ in range(4))
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                imported |= {(a.asname or a.name).partition(".")[0] for a in aliases}
            case ast.Name(id=name, ctx=ast.Load()):
                used.add(name)
            case ast.Name(id=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                changed.add(name)
            case ast.Subscript(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()):
                changed |= _base(node)
            case ast.Call(func=ast.Attribute(value=value)):
                changed |= _base(value)
            case ast.Constant(value=str(text)):
                texts.add(text)
    return _Names(*map(frozenset, (used, _renewed(tree), changed, imported, texts)))


def _renewed(tree: ast.Module) -> set[str]:
    names = set[str]()
    for statement in tree.body:
        match statement:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=targets):
                names |= {n.id for t in targets for n in _flat(t) if isinstance(n, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                names.add(name)
    return names


def _flat(target: ast.expr) -> list[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        return [leaf for item in target.elts for leaf in _flat(item)]
    return [target]


def _base(node: ast.AST) -> set[str]:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def _ledgers(source: str) -> set[str]:
    """Return the names that a cell binds to ``workbook.begin(...)``."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set()
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if isinstance(target, ast.Name)
        and getattr(node.value.func, "attr", getattr(node.value.func, "id", "")) == "begin"
    }
