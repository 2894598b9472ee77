"""Cards: what a chapter's paper claims, written down before anything is measured.

A card is ``notebooks/NN_slug.yml``. It names the paper, the topic package, the part of the book,
the parameter profiles and every claim with how close is close enough. Cards hold no result:
verdicts are computed by `quire.workbook.verdicts` from what a notebook measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from quire.workbook.errors import UserError

Kind = Literal["exact", "value", "bound", "order", "shape"]
Source = Literal["seen", "inferred", "ours"]
ProfileName = Literal["smoke", "default", "full"]
Part = Literal[
    "Learning together",
    "Serving models",
    "Running systems",
    "Machines",
    "Time, record, world",
]
Shape = Literal["increasing", "decreasing", "unimodal", "valley", "constant"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tolerance(_Strict):
    """How far a measured number may lie from the expected one: ``abs + rel * |expected|``."""

    abs: float = Field(default=0.0, ge=0)
    rel: float = Field(default=0.0, ge=0)

    def margin(self, expected: float) -> float:
        """Return the allowed distance from ``expected``, in its units."""
        return self.abs + self.rel * abs(expected)


class Bound(_Strict):
    """An expectation of kind *bound*: the measured number lies in ``[at_least, at_most]``."""

    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a bound needs 'at_least' or 'at_most'")
        return self


class Difference(_Strict):
    """When a miss is a known difference: still inside this wider tolerance, for this reason."""

    tolerance: Tolerance
    because: str = Field(min_length=10)


class Claim(_Strict):
    """One statement of a paper (or of ours), with what would count as reproducing it.

    Attributes
    ----------
    id
        ``"15.2"``: chapter, dot, running name.
    says
        What is claimed, with its section or table, or "ours".
    kind
        ``exact`` equal to `expect`; ``value`` equal within `tolerance`; ``bound`` inside a `Bound`;
        ``order`` the names of `expect` ranked as listed; ``shape`` a curve of the named shape.
    expect
        What was expected, in the form that `kind` asks for.
    tolerance
        How close is close enough; for ``order`` and ``shape`` the slack between neighbours.
    differs
        A wider tolerance inside which a miss is called *differs*, with its reason.
    source
        ``seen`` in a source, ``inferred`` from seen facts, or ``ours``.
    needs
        What must be there to measure it: ``dataset:NAME``, ``package:NAME``, ``program:NAME``,
        ``device:gpu``, or a condition in words that the notebook checks.
    unit
        Unit of the measured number, for the ledger.
    """

    id: str = Field(pattern=r"^\d\d\.[0-9a-zA-Z.-]+$")
    says: str = Field(min_length=10)
    kind: Kind
    expect: Any
    tolerance: Tolerance = Tolerance()
    differs: Difference | None = None
    source: Source
    needs: tuple[str, ...] = ()
    unit: str = ""

    @model_validator(mode="after")
    def _expect_fits_kind(self) -> Self:
        expect = self.expect
        if self.kind == "value" and (
            isinstance(expect, bool) or not isinstance(expect, int | float)
        ):
            raise ValueError(f"claim {self.id}: kind 'value' expects a number, not {expect!r}")
        if self.kind == "bound":
            Bound.model_validate(expect)
        if self.kind == "order" and not (isinstance(expect, list) and len(expect) > 1):
            raise ValueError(f"claim {self.id}: kind 'order' expects a list of names, best first")
        if self.kind == "shape" and expect not in get_args(Shape):
            raise ValueError(f"claim {self.id}: kind 'shape' expects one of {get_args(Shape)}")
        return self


class Range(_Strict):
    """Which values a parameter (or each item of a list) may take: bounds, or choices."""

    at_least: float | None = None
    at_most: float | None = None
    choices: tuple[Any, ...] | None = None


class Paper(_Strict):
    """The paper a chapter reads."""

    title: str
    authors: tuple[str, ...]
    arxiv: str = Field(pattern=r"^\d{4}\.\d{4,5}$")
    cite: str = Field(description="key in book/references.bib")
    venue: str = ""


Profile = dict[str, Any]


class Card(_Strict):
    """Everything the machinery knows of a chapter besides its notebook."""

    paper: Paper
    topic: str = Field(pattern=r"^[a-z_]+$")
    part: Part
    summary: str = Field(min_length=20)
    profiles: dict[ProfileName, Profile]
    parameters: dict[str, Range] = {}
    claims: Annotated[tuple[Claim, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        missing = {"smoke", "default", "full"} - set(self.profiles)
        if missing:
            raise ValueError(f"profiles lack {', '.join(sorted(missing))}")
        if self.profiles["default"]:
            raise ValueError("profile 'default' is the notebook's own cell and must be {}")
        ids = [claim.id for claim in self.claims]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"claim id {', '.join(twice)} is used twice")
        return self

    def claim(self, identifier: str) -> Claim:
        """Return the claim called ``identifier``; `UserError` when the card has none."""
        for claim in self.claims:
            if claim.id == identifier:
                return claim
        raise UserError(
            f"no claim {identifier!r} in the card",
            f"write it down first, or use one of {', '.join(c.id for c in self.claims)}",
        )


def read_card(path: Path) -> Card:
    """Read and validate a card; a fault becomes one `UserError` that names file and line."""
    text = path.read_text(encoding="utf-8")
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(fault, "problem", None) or "not YAML"
        raise UserError(f"{path.name}, line {line}: {problem}", "mend the card's YAML") from None
    try:
        return Card.model_validate(data)
    except ValidationError as fault:
        # A misspelt field is also a missing one: name what was written, not what was not.
        first = min(fault.errors(), key=lambda error: error["type"] != "extra_forbidden")
        line = _line_of(tree, first["loc"])
        where = ".".join(str(step) for step in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise UserError(
            f"{path.name}, line {line}: {where + ': ' if where else ''}{message}",
            "mend the card (the fields are documented in quire.workbook.cards)",
        ) from None


def _line_of(tree: yaml.Node | None, location: tuple[int | str, ...]) -> int:
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


def _children(node: yaml.Node) -> Iterator[tuple[int | str, yaml.Node, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key.value, value, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield index, value, value.start_mark.line + 1
