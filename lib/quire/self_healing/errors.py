"""Checks that this topic's public edges share; those of numbers stand in ``quire.checks``."""

from collections.abc import Mapping, Sequence
from typing import Any

from quire.signatures import shown


def sequence_of_text(name: str, values: Any) -> list[str]:
    """Return ``values`` as a list of text, one a line.

    Raises
    ------
    ValueError
        For a single text, an empty sequence, or an entry that is no text.
    """
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise ValueError(f"{name} = {type(values).__name__}: must be a sequence of text")
    if not len(values):
        raise ValueError(f"{name} = an empty sequence: must hold at least one line")
    for number, value in enumerate(values):
        if not isinstance(value, str):
            raise ValueError(f"{name}[{number}] = {value!r}: must be text")
    return list(values)


def same_length(name: str, one: Sequence[Any], other_name: str, other: Sequence[Any]) -> None:
    """Check that two sequences have an entry for each other, and at least one.

    Raises
    ------
    ValueError
        For two lengths, or none.
    """
    for called, value in ((name, one), (other_name, other)):
        if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__len__"):
            raise ValueError(f"{called} = {shown(value)}: must be a sequence")
    if len(one) != len(other):
        raise ValueError(
            f"{name} = {len(one)} entries: must be as many as {other_name} has, {len(other)}"
        )
    if not len(one):
        raise ValueError(f"{name} = an empty sequence: must hold at least one entry")


def one_of(name: str, value: Any, allowed: Sequence[str]) -> str:
    """Return a word that is allowed.

    Raises
    ------
    ValueError
        For any other.
    """
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} = {value!r}: must be one of {', '.join(allowed)}")
    return value
