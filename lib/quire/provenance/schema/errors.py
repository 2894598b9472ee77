"""What a record may break, as errors that carry the path of the field.

Every error reads ``path: what is wrong``, in one line that a terminal can print; ``path`` is a JSON
pointer in dotted form, such as ``steps[2].plan_version``, and each kind of fault has a class of its
own.
"""

from collections.abc import Mapping
from typing import Any

_LONGEST_PATH, _LONGEST_WHY = 200, 400


def told(value: Any, longest: int = 60) -> str:
    """Return a value as an error shows it: short, in one line, in bounded time."""
    if isinstance(value, str | bytes | bytearray):
        text = repr(value[: longest + 1])
    elif isinstance(value, Mapping):
        text = f"an object of {len(value)} fields"
    elif isinstance(value, list | tuple | set | frozenset):
        text = f"a list of {len(value)}"
    elif isinstance(value, int) and value.bit_length() > 200:
        text = f"an integer of {value.bit_length():,} bits"
    else:
        try:
            text = repr(value)
        except Exception:  # whatever an object of somebody else's does
            text = f"a {type(value).__name__}"
    return _line(text, longest)


def _line(text: str, longest: int) -> str:
    text = text if len(text) <= longest else f"{text[: longest - 3]}..."
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class RecordError(ValueError):
    """A record that is refused; ``path`` names the field and ``why`` says what is wrong with it."""

    def __init__(self, path: str, why: str) -> None:
        self.path = _line(path, _LONGEST_PATH)
        self.why = _line(why, _LONGEST_WHY)
        super().__init__(f"{self.path}: {self.why}")


class Malformed(RecordError):
    """A text that is no JSON of this format: syntax, depth, size, a wrong type, a missing field."""


class DuplicateKey(Malformed):
    """An object that names one key twice: two readers would read two records."""


class DanglingReference(RecordError):
    """A step or a plan is named that the record does not hold."""


class ConfidenceRange(RecordError):
    """A confidence that is no number from 0 to 1."""


class PlanVersionGap(RecordError):
    """Plan versions that do not run 1, 2, 3, or a plan that supersedes another than the last."""


class SequenceOrder(RecordError):
    """Steps whose sequence numbers or plan versions do not go forward, or an id given twice."""


class AuthorityExceeded(RecordError):
    """A call, or a delegated scope, beyond what was permitted."""


class UnsafeIdentifier(RecordError):
    """An identifier that could name a path, hides characters, or is too long."""


class EnvelopeSealed(RecordError):
    """A second envelope for an investigation that has one."""


class RecordClosed(RecordError):
    """A write after the verdict."""


class ProfileUnknown(RecordError):
    """A domain profile, or a version of one, that is not registered."""


class NonAdditiveChange(RecordError):
    """A newer schema that drops a field or changes what a field may hold."""


class ReplayMiss(RecordError):
    """A replayed agent asked for an output that was never recorded."""
