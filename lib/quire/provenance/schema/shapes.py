"""What each document of a record must hold, field by field: the core schema, version 1.

A field is required or not, and of one kind. Fields that are not named here are kept as they are:
the core grows by addition only.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quire.provenance.schema.errors import ConfidenceRange, Malformed, UnsafeIdentifier, told

INTENT_CODES = ("verify", "rule_out", "localise", "explain", "gather", "act", "communicate")
"""Why a step is taken: what analytics count; the free text stands beside it."""

INFERENCE_CODES = ("supports", "refutes", "neutral", "replan", "conclude")
"""What a step did to the strategy."""

PRINCIPAL_TYPES = ("system", "team", "agent", "human")
"""Who may stand in a chain of authority."""


@dataclass(frozen=True)
class Field:
    """One field of a document: its kind, and whether it must be there.

    ``kind`` is one of ``text``, ``id``, ``whole``, ``number``, ``share`` (0 to 1), ``object``,
    ``any``, ``texts``, ``ids``, ``objects``, or ``code:NAME`` of a vocabulary.
    """

    kind: str
    required: bool = False


Shape = Mapping[str, Field]


def _shape(**kinds: str) -> dict[str, Field]:
    """Return a shape from kinds, where a closing ``!`` marks what must be there."""
    return {name: Field(kind.rstrip("!"), kind.endswith("!")) for name, kind in kinds.items()}


ENVELOPE = _shape(
    investigation_id="id!",
    trigger="object!",
    agent="object!",
    authority="object",
    context_snapshot="object",
    profile="text",
    profile_version="whole",
    schema_version="whole",
    started_at="number",
)
TRIGGER = _shape(source="text!", reference="text", summary="text", severity="any")
AGENT = _shape(agent_version="text", model="text!", prompt_version="text")
AUTHORITY = _shape(
    delegated_by="text",
    delegation_mechanism="text",
    permissions_scope="texts",
    authority_chain="objects",
)
PRINCIPAL = _shape(principal="text!", type="code:principal!", permissions_scope="texts")
PLAN = _shape(
    plan_version="whole!",
    supersedes="whole",
    revision_trigger="id",
    rationale="text!",
    steps_intended="any",
)
STEP = _shape(
    step_id="id!",
    plan_version="whole!",
    sequence="whole!",
    intent="text!",
    observation="text!",
    inference="text!",
    tool_calls="objects",
    tokens="object",
    intent_code="code:intent",
    inference_code="code:inference",
    target="text",
    hypothesis_id="text",
    beliefs="object",
    expected_outcome="object",
    intercepted_call_ids="texts",
    fidelity="share",
)
CALL = _shape(tool="text!", input="any", output="any", duration_ms="number", call_id="text")
VERDICT = _shape(
    root_cause_category="text!",
    root_cause_summary="text",
    confidence="share!",
    affected_components="texts",
    evidence_chain="ids!",
    alternatives_rejected="objects",
    remediation="any",
)
REJECTED = _shape(hypothesis="text!", rejected_by="id!", reason="text")
METADATA = _shape(duration_ms="number", cost="any", pinned="any", head="object")

VOCABULARIES = {
    "intent": INTENT_CODES,
    "inference": INFERENCE_CODES,
    "principal": PRINCIPAL_TYPES,
}

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}")
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def check_id(value: Any, path: str) -> str:
    """Return an identifier of letters, digits and ``. _ : -`` that no file system reads as a path.

    Raises
    ------
    UnsafeIdentifier
        For anything else: a slash, two dots, a name of a device, more than 128 characters.
    """
    if not isinstance(value, str):
        raise UnsafeIdentifier(path, f"is {told(value)}: must be a text")
    if (
        not _ID.fullmatch(value)
        or ".." in value
        or value.endswith(".")
        or _DEVICES.fullmatch(value)
    ):
        raise UnsafeIdentifier(
            path,
            f"is {told(value)}: letters, digits and . _ : - are allowed, at most 128, opening "
            "with a letter or digit, without two dots in a row",
        )
    return value


def check_shape(value: Any, shape: Shape, path: str) -> Mapping[str, Any]:
    """Return a document whose fields are those of its shape; others are kept.

    Raises
    ------
    Malformed
        For a value that is no object, a missing field, or a field of another kind.
    ConfidenceRange
        For a share that is no number from 0 to 1.
    UnsafeIdentifier
        For an identifier that could name a path.
    """
    if not isinstance(value, Mapping):
        raise Malformed(path, f"is {told(value)}: must be an object")
    for name, field in shape.items():
        found = value.get(name)
        if found is None:
            if field.required:
                raise Malformed(f"{path}.{name}", "is missing")
        else:
            _check_kind(found, field.kind, path, name)
    return value


def _check_kind(value: Any, kind: str, path: str, name: str) -> None:
    if kind == "text":
        if not isinstance(value, str):
            raise Malformed(f"{path}.{name}", f"is {told(value)}: must be a text")
    elif kind == "whole":
        if type(value) is not int or value < 0:
            raise Malformed(f"{path}.{name}", f"is {told(value)}: must be an integer, 0 or more")
    elif kind == "any":
        return
    elif kind == "objects":
        if not isinstance(value, list | tuple):
            raise Malformed(f"{path}.{name}", f"is {told(value)}: must be a list of objects")
        for k, item in enumerate(value):
            if not isinstance(item, Mapping):
                raise Malformed(f"{path}.{name}[{k}]", f"is {told(item)}: must be an object")
    elif kind == "id":
        check_id(value, f"{path}.{name}")
    elif kind == "object":
        if not isinstance(value, Mapping):
            raise Malformed(f"{path}.{name}", f"is {told(value)}: must be an object")
    elif kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e300:
            raise Malformed(f"{path}.{name}", f"is {told(value)}: must be a number, 0 or more")
    elif kind == "share":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ConfidenceRange(f"{path}.{name}", f"is {told(value)}: must lie from 0 to 1")
    elif kind in ("texts", "ids"):
        if not isinstance(value, list | tuple):
            raise Malformed(f"{path}.{name}", f"is {told(value)}: must be a list of texts")
        for k, item in enumerate(value):
            if kind == "ids":
                check_id(item, f"{path}.{name}[{k}]")
            elif not isinstance(item, str):
                raise Malformed(f"{path}.{name}[{k}]", f"is {told(item)}: must be a text")
    else:
        allowed = VOCABULARIES[kind.partition(":")[2]]
        if not isinstance(value, str) or value not in allowed:
            listed = ", ".join(allowed)
            raise Malformed(f"{path}.{name}", f"is {told(value)}: must be one of {listed}")
