"""YAML as people read it: YAML 1.2's numbers and flags, no key twice, one line for every fault.

PyYAML reads YAML 1.1, where ``1e6`` is a text, ``yes`` a flag, ``0123`` is 83, ``1:20`` is 80 and
``2024-01-31`` a date. Here ``1e6`` is a number, and a scalar that the two versions read in
different ways is refused unless it is quoted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from quire.workbook.errors import UserError

DEEPEST = 40
"""Levels of nesting that are still read; a file of ours needs fewer than ten."""

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_AMBIGUOUS = (
    (re.compile(r"(?i)y|n|yes|no|on|off"), "write true or false, or quote the text"),
    (re.compile(r"[-+]?0[0-9_]+(\.[0-9]*)?"), "write the number without a leading zero, or quote"),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"), "quote it"),
    (re.compile(r"[-+]?0b[01_]+|[-+]?(?=[0-9._]*_)[0-9][0-9._]*"), "write plain digits, or quote"),
    (re.compile(r"\d{4}-\d\d?-\d\d?([Tt ].*)?"), "quote the date"),
)


class _Loader(yaml.SafeLoader):
    """The safe loader with the scalars of YAML 1.2's core schema."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", _INTEGER.pattern, list("-+0123456789")),
    ("float", rf"{_FLOAT.pattern}|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.0123456789")),
    ("merge", "<<", ["<"]),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first
    )


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = node.value.replace("_", "")
    if text.startswith(("0x", "0o")):
        return int(text, 0)
    if len(text) > 400:
        raise yaml.constructor.ConstructorError(
            None, None, f"a number of {len(text)} digits", node.start_mark
        )
    return int(text)


def _float(loader: _Loader, node: yaml.ScalarNode) -> float:
    text = node.value.lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


def read_yaml(path: Path, remedy: str = "mend the file's YAML") -> tuple[Any, yaml.Node | None]:
    """Read a YAML file as plain data and as the tree of nodes that knows its lines.

    Raises
    ------
    UserError
        For a file that is not UTF-8 or not YAML, nests too deep, has a key twice, or holds a scalar
        that YAML 1.1 and 1.2 read in different ways; the message names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as fault:
        line = path.read_bytes()[: fault.start].count(b"\n") + 1
        raise UserError(f"{path.name}, line {line}: not UTF-8", "save the file as UTF-8") from None
    return parse_yaml(text, path.name, remedy)


def parse_yaml(
    text: str, name: str, remedy: str = "mend the file's YAML"
) -> tuple[Any, yaml.Node | None]:
    """Read YAML text as `read_yaml` reads a file; ``name`` is what the messages call it.

    Raises
    ------
    UserError
        As `read_yaml`.
    """
    try:
        loader = _Loader(text)
        tree = loader.get_single_node()
        if tree is None:
            return None, None
        problem = next(_problems(tree), None)
        if problem is None:
            return loader.construct_document(tree), tree
        line, what = problem
    except RecursionError:
        line, what = _too_deep(text), f"nested deeper than {DEEPEST} levels"
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        if isinstance(fault, yaml.reader.ReaderError):
            line = text[: fault.position].count("\n") + 1
            what = "a character that YAML does not allow"
        else:
            what = getattr(fault, "problem", None) or "not YAML"
    except ValueError:
        line, what = 1, "a value that cannot be read"
    raise UserError(f"{name}, line {line}: {what}", remedy) from None


def line_of(tree: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """Return the line of the deepest node of ``tree`` that ``location`` reaches."""
    if tree is None:
        return 1
    node = tree
    line = node.start_mark.line + 1
    for step in location:
        for key, value, key_line in _children(node):
            if key == step:
                node, line = value, key_line
                break
        else:
            break
    return line


def is_json(value: Any) -> bool:
    """Return whether a value that YAML gave is finite JSON data."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(map(is_json, value))
    if isinstance(value, dict):
        return all(isinstance(k, str) and is_json(v) for k, v in value.items())
    return value is None or isinstance(value, str | bool | int)


def _too_deep(text: str) -> int:
    """Return the line where ``text`` opens one collection too many inside each other."""
    depth = 0
    for event in yaml.parse(text):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            return event.start_mark.line + 1 if event.start_mark else 1
    return 1


def _problems(
    node: yaml.Node, above: tuple[yaml.Node, ...] = (), seen: set[yaml.Node] | None = None
) -> Iterator[tuple[int, str]]:
    """Yield line and words of what is not allowed, in the order of the text."""
    seen = set() if seen is None else seen
    line = node.start_mark.line + 1
    if node in above:
        yield line, "a value that contains itself"
    elif len(above) > DEEPEST:
        yield line, f"nested deeper than {DEEPEST} levels"
    elif isinstance(node, yaml.ScalarNode):
        yield from _ambiguities(node, line)
    elif node not in seen:
        seen.add(node)
        keys = []
        for key, value, key_line in _children(node):
            if isinstance(key, str) and key != "<<" and key in keys:
                yield key_line, f"the key {key!r} is used twice"
            keys.append(key)
            yield from _problems(value, (*above, node), seen)
        if isinstance(node, yaml.MappingNode):
            for key_node, _ in node.value:
                yield from _problems(key_node, (*above, node), seen)


def _ambiguities(node: yaml.ScalarNode, line: int) -> Iterator[tuple[int, str]]:
    if node.style is not None:
        return
    for pattern, remedy in _AMBIGUOUS:
        if pattern.fullmatch(node.value):
            yield line, f"{node.value} is read differently by different programs: {remedy}"
            return


def _children(node: yaml.Node) -> Iterator[tuple[int | str, yaml.Node, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = key.value if isinstance(key.value, str) else "?"
            yield name, value, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield index, value, value.start_mark.line + 1
