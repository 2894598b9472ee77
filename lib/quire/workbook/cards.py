"""Cards: what a chapter's paper claims, written down before anything is measured.

A card is ``notebooks/NN_slug.yml``. It names the paper, the topic package, the part of the book,
the parameter profiles and every claim with how close is close enough. Cards hold no result:
verdicts are computed by `quire.workbook.verdicts` from what a notebook measured.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from quire.workbook.errors import UserError
from quire.workbook.yamlfiles import is_json, line_of, read_yaml

Role = Literal["claim", "finding", "check", "target"]
Kind = Literal["exact", "value", "bound", "order", "shape"]
Source = Literal["seen", "inferred"]
ProfileName = Literal["smoke", "default", "full"]
Part = Literal[
    "Learning together",
    "Serving models",
    "Running systems",
    "Machines",
    "Time, record, world",
]
Shape = Literal["increasing", "decreasing", "unimodal", "valley", "constant"]

ROLES: tuple[Role, ...] = get_args(Role)
NEEDS = ("dataset", "package", "program", "device", "peer")
"""What stands before the colon of a need that the machinery checks by itself."""

# The largest magnitude that a double can hold, and so a measurement, a table and a chart.
_LARGEST = 1.7976931348623157e308


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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
        if None not in (self.at_least, self.at_most) and self.at_least > self.at_most:  # type: ignore[operator]
            raise ValueError(f"no number is at least {self.at_least} and at most {self.at_most}")
        return self


class Difference(_Strict):
    """When a miss is a known difference: still inside this wider tolerance, for this reason."""

    tolerance: Tolerance
    because: str = Field(min_length=10)


class Claim(_Strict):
    """One statement, with what would count as meeting it and what would make it fail.

    Attributes
    ----------
    id
        ``"15.2"``: chapter, dot, running name.
    role
        ``claim`` the paper's statement; ``finding`` ours, about the paper; ``check`` ours, about
        this workbook; ``target`` ours, about speed. The four are never added up together.
    says
        What is claimed: one whole sentence that can be read alone.
    where
        Where the paper, or its authors' code or data, says it (role ``claim``).
    kind
        ``exact`` equal to `expect`; ``value`` equal within `tolerance`; ``bound`` inside a `Bound`;
        ``order`` the names of `expect` ranked as listed; ``shape`` a curve of the named shape.
    expect
        What was expected, in the form that `kind` asks for.
    tolerance
        How close is close enough; for ``order`` and ``shape`` the slack between neighbours.
    differs
        A wider tolerance inside which a miss is called *differs*, with its reason (roles ``claim``
        and ``finding``).
    source
        Whether the statement was ``seen`` in a source or ``inferred`` from seen facts (role
        ``claim``; the other roles are ours).
    fails_if
        Which result of the cell that measures it would make it fail.
    changed
        When the expectation was changed after a result was seen: what, when, and why.
    fair
        The budget and the tuning of the rivals, and how parameters were chosen.
    needs
        What must be there to measure it: ``dataset:NAME``, ``package:NAME``, ``program:NAME``,
        ``device:gpu``, ``peer:NAME``, or a condition in words that the notebook checks.
    unit
        Unit of the measured number, for the ledger.
    """

    id: str = Field(pattern=r"^\d\d\.[0-9a-zA-Z.-]+$")
    role: Role
    says: str = Field(min_length=10)
    where: str = ""
    kind: Kind
    expect: Any
    tolerance: Tolerance = Tolerance()
    differs: Difference | None = None
    source: Source | None = None
    fails_if: str = Field(min_length=10)
    changed: str = ""
    fair: str = ""
    needs: tuple[str, ...] = ()
    unit: str = ""

    @model_validator(mode="after")
    def _role_fits(self) -> Self:
        if self.role == "claim" and self.source is None:
            raise ValueError(f"claim {self.id}: role 'claim' needs a source, seen or inferred")
        if self.role == "claim" and not self.where:
            raise ValueError(f"claim {self.id}: role 'claim' needs 'where' the paper says it")
        if self.role != "claim" and self.source is not None:
            raise ValueError(f"claim {self.id}: role {self.role!r} is ours and has no source")
        if self.role in ("check", "target") and self.differs is not None:
            raise ValueError(f"claim {self.id}: a {self.role} holds or fails, it never differs")
        return self

    @model_validator(mode="after")
    def _expect_fits_kind(self) -> Self:
        expect = self.expect
        if not is_json(expect):
            raise ValueError(f"claim {self.id}: expect is not finite plain data")
        if self.kind == "value" and not _is_number(expect):
            raise ValueError(f"claim {self.id}: kind 'value' expects a number, not {expect!r}")
        if self.kind == "bound":
            Bound.model_validate(expect)
        if self.kind == "order" and not (
            isinstance(expect, list)
            and len(expect) > 1
            and all(isinstance(name, str) for name in expect)
            and len(set(expect)) == len(expect)
        ):
            raise ValueError(f"claim {self.id}: kind 'order' expects a list of names, best first")
        if self.kind == "shape" and expect not in get_args(Shape):
            raise ValueError(f"claim {self.id}: kind 'shape' expects one of {get_args(Shape)}")
        return self

    @model_validator(mode="after")
    def _needs_are_known(self) -> Self:
        for need in self.needs:
            kind, sign, name = need.partition(":")
            if sign and re.fullmatch(r"\w+", kind) and (kind not in NEEDS or not name):
                raise ValueError(
                    f"claim {self.id}: need {need!r} is unknown, use one of "
                    + ", ".join(f"{known}:NAME" for known in NEEDS)
                )
        return self


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= _LARGEST


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
    topic: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    part: Part
    summary: str = Field(min_length=20)
    finding: str = Field(default="", description="in one sentence, what the chapter found")
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
        """Return the claim called ``identifier``.

        Raises
        ------
        UserError
            When the card has none.
        """
        for claim in self.claims:
            if claim.id == identifier:
                return claim
        raise UserError(
            f"no claim {identifier!r} in the card",
            f"write it down first, or use one of {', '.join(c.id for c in self.claims)}",
        )


def read_card(path: Path) -> Card:
    """Read and validate a card.

    Raises
    ------
    UserError
        When it can not be read or is not valid; names file and line of the first fault.
    """
    data, tree = read_yaml(path, "mend the card's YAML")
    try:
        return Card.model_validate(data)
    except ValidationError as fault:
        # A misspelt field is also a missing one: name what was written, not what was not.
        first = min(fault.errors(), key=lambda error: error["type"] != "extra_forbidden")
        line = line_of(tree, first["loc"])
        where = ".".join(str(step) for step in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
    except RecursionError:
        line, where, message = 1, "", "it contains itself"
    raise UserError(
        f"{path.name}, line {line}: {where + ': ' if where else ''}{message}",
        "mend the card (the fields are documented in quire.workbook.cards)",
    ) from None
