"""Parameters: what a notebook's parameters cell declares, and whether given values fit it."""

from __future__ import annotations

import ast
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import papermill
import yaml
from pydantic import TypeAdapter, ValidationError

from quire.workbook.cards import ProfileName, Range
from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError

_TYPES = {t.__name__: t for t in (bool, int, float, str, list, tuple, dict)}


@dataclass(frozen=True)
class Parameter:
    """One line of the parameters cell: ``name: type = default  # unit, meaning``."""

    name: str
    type: str
    default: Any
    help: str
    allowed: Range = field(default_factory=Range)

    def check(self, value: Any) -> Any:
        """Return ``value`` as this parameter's type; `UserError` when it does not fit.

        Numbers are not taken from words nor flags from numbers; a whole number does for a float.
        """
        adapter = TypeAdapter(eval(self.type, {"__builtins__": {}}, dict(_TYPES)))
        try:
            typed = adapter.validate_json(json.dumps(value), strict=True)
        except (ValidationError, TypeError, ValueError):
            raise UserError(
                f"parameter {self.name} = {value!r} is not of type {self.type}",
                f"give a value like {self.default!r}",
            ) from None
        self._check_range(typed)
        return typed

    def _check_range(self, value: Any) -> None:
        items = _leaves(value)
        choices = self.allowed.choices
        for item in items:
            if choices is not None and item not in choices:
                listed = ", ".join(map(str, choices))
                raise UserError(
                    f"parameter {self.name} = {item!r} is unknown", f"use one of {listed}"
                )
            if isinstance(item, str | bool):
                continue
            low, high = self.allowed.at_least, self.allowed.at_most
            # written so that NaN, which compares as false, is out of every range
            if (
                not (low is None or item >= low)
                or not (high is None or item <= high)
                or item != item
            ):
                raise UserError(
                    f"parameter {self.name} = {item!r} is out of range",
                    f"give a value from {_side(low)} to {_side(high)}",
                )


def declared(chapter: Chapter) -> dict[str, Parameter]:
    """Return what the parameters cell of ``chapter`` declares, by name, in order."""
    quiet = logging.getLogger("papermill")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        found = papermill.inspect_notebook(str(chapter.notebook))
    finally:
        quiet.setLevel(level)
    ranges = chapter.card.parameters
    return {
        name: Parameter(
            name=name,
            type=_type_of(line["inferred_type_name"], line["default"]),
            default=ast.literal_eval(line["default"]),
            help=line["help"],
            allowed=ranges.get(name, Range()),
        )
        for name, line in found.items()
    }


def resolve(
    chapter: Chapter, given: Mapping[str, Any], profile: ProfileName = "default"
) -> dict[str, Any]:
    """Return the parameters of a run that differ from the notebook's own cell, checked.

    ``given`` wins over the profile, the profile over the notebook. Values are plain JSON data.

    Raises
    ------
    UserError
        For an unknown profile, an unknown name, a wrong type, or a value out of range.
    """
    known = declared(chapter)
    try:
        chosen = dict(chapter.card.profiles[profile])
    except KeyError:
        listed = ", ".join(chapter.card.profiles)
        raise UserError(f"no profile {profile!r}", f"use one of {listed}") from None
    chosen.update(given)
    for name, value in chosen.items():
        if name not in known:
            raise UserError(
                f"{chapter.slug} has no parameter {name!r}",
                f"use one of {', '.join(known) or 'none'}",
            )
        known[name].check(value)
    return chosen


def parse_assignments(pairs: list[str]) -> dict[str, str]:
    """Split ``name=value`` words; `UserError` for a word without ``=`` or a name given twice."""
    parsed: dict[str, str] = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign or not name:
            raise UserError(f"-p {pair!r} has no value", "write -p name=value")
        if name in parsed:
            raise UserError(f"-p {name} is given twice", "give each parameter once")
        parsed[name] = text
    return parsed


def parse_value(text: str) -> Any:
    """Read a value as typed on a command line: a Python literal, or else YAML."""
    try:
        return _plain(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        pass
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _type_of(annotation: str, default: str) -> str:
    """Return the declared type, or the type of the default where none is declared."""
    return annotation if annotation != "None" else type(ast.literal_eval(default)).__name__


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


def _side(bound: float | None) -> str:
    return "any" if bound is None else f"{bound:g}"
