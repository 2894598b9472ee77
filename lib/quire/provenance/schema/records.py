"""One agent execution record: envelope, plans, steps, verdict and metadata, checked as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quire.provenance.schema import shapes
from quire.provenance.schema.canonical import (
    LIMITS,
    Limits,
    canonical_bytes,
    check_json,
    parse_json,
)
from quire.provenance.schema.errors import Malformed, RecordError
from quire.provenance.schema.profiles import Profile, check_domain, find_profile
from quire.provenance.schema.rules import reference_problems
from quire.provenance.schema.shapes import check_id, check_shape
from quire.signatures import checked

Document = Mapping[str, Any]


@checked
@dataclass(frozen=True)
class Record:
    """One investigation as the agent recorded it.

    Attributes
    ----------
    envelope
        Who acts, on whose authority, triggered by what; written once.
    plans
        Plan versions 1, 2, 3, in order.
    steps
        What was done: intent, calls, observation, inference.
    verdict
        The conclusion with its evidence; None while the investigation is open.
    metadata
        Duration, cost, pin, review; may change after the verdict.
    """

    envelope: Document
    plans: tuple[Document, ...] = ()
    steps: tuple[Document, ...] = ()
    verdict: Document | None = None
    metadata: Document = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The investigation's identifier."""
        return str(self.envelope["investigation_id"])

    def step(self, step_id: str) -> Document:
        """Return the step of that id.

        Raises
        ------
        KeyError
            When there is none.
        """
        for step in self.steps:
            if step["step_id"] == step_id:
                return step
        raise KeyError(step_id)

    def evidence(self) -> tuple[Document, ...]:
        """Return the steps that carry the verdict, in the order of its evidence chain."""
        chain = () if self.verdict is None else self.verdict["evidence_chain"]
        return tuple(self.step(step_id) for step_id in chain)

    def as_json(self) -> dict[str, Any]:
        """Return the record as one JSON object."""
        return {
            "envelope": dict(self.envelope),
            "plans": [dict(plan) for plan in self.plans],
            "steps": [dict(step) for step in self.steps],
            "verdict": None if self.verdict is None else dict(self.verdict),
            "metadata": dict(self.metadata),
        }

    def to_bytes(self) -> bytes:
        """Return the record's canonical bytes."""
        return canonical_bytes(self.as_json())


@checked
def parse_record(source: Any, limits: Limits = LIMITS) -> Record:
    """Return the record that a JSON object, or its text, holds, checked against every rule.

    Parameters
    ----------
    source
        Bytes or text of one JSON object with ``envelope``, ``plans``, ``steps``, ``verdict`` and
        ``metadata``, or such a mapping.
    limits
        How large it may be.

    Raises
    ------
    RecordError
        The first fault in reading order, of the class that names its kind, with its path.
    """
    if isinstance(source, bytes | bytearray | str):
        source = parse_json(source, "record", limits)
    elif isinstance(source, Mapping):
        check_json(dict(source), "record", limits)
    record = assemble(source)
    check_record(record)
    return record


def assemble(source: Any) -> Record:
    """Return the record of an object without looking at its fields.

    Raises
    ------
    Malformed
        When a part is missing or is of another kind.
    """
    if not isinstance(source, Mapping):
        raise Malformed("record", f"is a {type(source).__name__}: must be an object")
    if "envelope" not in source:
        raise Malformed("record.envelope", "is missing")
    for name in ("plans", "steps"):
        documents = source.get(name, ())
        if not isinstance(documents, list | tuple):
            raise Malformed(name, f"is a {type(documents).__name__}: must be a list")
        for k, document in enumerate(documents):
            _object(document, f"{name}[{k}]")
    _object(source["envelope"], "envelope")
    metadata = source.get("metadata")
    for name in ("verdict", "metadata"):
        if source.get(name) is not None:
            _object(source[name], name)
    return Record(
        source["envelope"],
        tuple(source.get("plans", ())),
        tuple(source.get("steps", ())),
        source.get("verdict"),
        {} if metadata is None else metadata,
    )


@checked
def check_record(record: Record) -> None:
    """Check a record's shapes, then its references.

    Raises
    ------
    RecordError
        The first fault.
    """
    found = problems(record, first=True)
    if found:
        raise found[0]


@checked
def problems(record: Record, first: bool = False) -> list[RecordError]:
    """Return every fault of a record, each with its path; references only when the shapes hold.

    Parameters
    ----------
    record
        Any record.
    first
        Stop at the first fault.
    """
    found: list[RecordError] = []
    profile: Profile | None = None

    def told(check: Any, *arguments: Any) -> None:
        if not (first and found):
            try:
                check(*arguments)
            except RecordError as fault:
                found.append(fault)

    told(check_envelope, record.envelope)
    if isinstance(record.envelope, Mapping) and record.envelope.get("profile") is not None:
        try:
            profile = profile_of(record.envelope)
        except RecordError as fault:
            found.append(fault)
    for k, plan in enumerate(record.plans):
        told(check_plan, plan, f"plans[{k}]")
    for k, step in enumerate(record.steps):
        told(check_step, step, f"steps[{k}]", profile)
    if record.verdict is not None:
        told(check_verdict, record.verdict, "verdict", profile)
    told(check_shape, record.metadata, shapes.METADATA, "metadata")
    if not found:
        found += reference_problems(
            record.envelope, record.plans, record.steps, record.verdict, first
        )
    return _once(found[:1] if first else found)


def profile_of(envelope: Document) -> Profile | None:
    """Return the profile that an envelope names, None where it names none.

    Raises
    ------
    ProfileUnknown
        When it is not registered.
    """
    if envelope.get("profile") is None:
        return None
    return find_profile(envelope["profile"], envelope.get("profile_version"))


def check_envelope(envelope: Any, path: str = "envelope") -> None:
    """Check an envelope's shape, its profile, and its chain of authority's shape.

    Raises
    ------
    Malformed
        For a missing field or a field of another kind, or a schema newer than this reader.
    """
    check_shape(envelope, shapes.ENVELOPE, path)
    check_shape(envelope["trigger"], shapes.TRIGGER, f"{path}.trigger")
    check_shape(envelope["agent"], shapes.AGENT, f"{path}.agent")
    if envelope.get("schema_version") == 0:
        raise Malformed(f"{path}.schema_version", "is 0: versions count from 1")
    if envelope.get("authority") is not None:
        authority = check_shape(envelope["authority"], shapes.AUTHORITY, f"{path}.authority")
        for k, principal in enumerate(authority.get("authority_chain") or ()):
            check_shape(principal, shapes.PRINCIPAL, f"{path}.authority.authority_chain[{k}]")
    profile_of(envelope)


def check_plan(plan: Any, path: str) -> None:
    """Check a plan's shape.

    Raises
    ------
    Malformed
        For a missing field or a field of another kind.
    """
    check_shape(plan, shapes.PLAN, path)
    if isinstance(plan.get("steps_intended"), str):
        raise Malformed(f"{path}.steps_intended", "is a text: must be a list or a number")


def check_step(step: Any, path: str, profile: Profile | None = None) -> None:
    """Check a step's shape, its calls' and its domain's.

    Raises
    ------
    Malformed
        For a missing field or a field of another kind.
    """
    check_shape(step, shapes.STEP, path)
    for k, call in enumerate(step.get("tool_calls") or ()):
        check_shape(call, shapes.CALL, f"{path}.tool_calls[{k}]")
        if not call["tool"]:
            raise Malformed(f"{path}.tool_calls[{k}].tool", "is empty")
    if profile is not None:
        check_domain(step, profile.step, path)


def check_verdict(verdict: Any, path: str = "verdict", profile: Profile | None = None) -> None:
    """Check a verdict's shape.

    Raises
    ------
    Malformed
        For a missing field or a field of another kind.
    """
    check_shape(verdict, shapes.VERDICT, path)
    for k, rejected in enumerate(verdict.get("alternatives_rejected") or ()):
        check_shape(rejected, shapes.REJECTED, f"{path}.alternatives_rejected[{k}]")
    levels = [level.strip() for level in verdict["root_cause_category"].split(">")]
    if not all(levels):
        raise Malformed(f"{path}.root_cause_category", "has an empty level: write A > B > C")
    if profile is not None:
        check_domain(verdict, profile.verdict, path)


def merged(records: Sequence[Record]) -> dict[str, Record]:
    """Return records by id.

    Raises
    ------
    Malformed
        When two have the same id and differ.
    """
    found: dict[str, Record] = {}
    for k, record in enumerate(records):
        check_id(record.envelope.get("investigation_id"), f"records[{k}].investigation_id")
        if record.id in found and found[record.id] != record:
            raise Malformed(f"records[{k}]", f"is another record of {record.id!r}")
        found[record.id] = record
    return found


def _object(value: Any, path: str) -> None:
    if not isinstance(value, Mapping):
        raise Malformed(path, f"is a {type(value).__name__}: must be an object")


def _once(found: list[RecordError]) -> list[RecordError]:
    seen: set[str] = set()
    return [f for f in found if str(f) not in seen and not seen.add(str(f))]  # type: ignore[func-returns-value]
