"""Writing one record as a folder of JSON lines, a line by one system call.

What a killed process had logged is there. Lines are canonical JSON: the bytes that are hashed are
the bytes that are written. Everything is checked and redacted before.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from quire.merkle import leaf_hash
from quire.provenance.chain.hash_chain import Head, first_link, next_link
from quire.provenance.schema.canonical import (
    LIMITS,
    Limits,
    canonical_bytes,
    check_json,
    check_size,
    checked_bytes,
)
from quire.provenance.schema.errors import (
    AuthorityExceeded,
    DanglingReference,
    EnvelopeSealed,
    PlanVersionGap,
    RecordClosed,
    SequenceOrder,
    UnsafeIdentifier,
)
from quire.provenance.schema.records import (
    check_envelope,
    check_plan,
    check_step,
    check_verdict,
    profile_of,
)
from quire.provenance.schema.redaction import DEFAULT, Redaction
from quire.provenance.schema.rules import permitted, reference_problems
from quire.provenance.schema.shapes import METADATA, check_id, check_shape
from quire.provenance.stores.files import write_new

STREAMS = {"plan": "plans.jsonl", "step": "steps.jsonl"}


class RecordWriter:
    """Writes one record, line by line; everything is checked and redacted before it is written.

    Parameters
    ----------
    root
        The folder that holds records; it is made where it is not there.
    envelope
        Written once; the record's folder is called by its ``investigation_id``.
    redaction
        What is taken out of every document.
    limits
        How large one document may be.

    Raises
    ------
    EnvelopeSealed
        When there is a record of that id.
    RecordError
        When the envelope is refused.
    """

    def __init__(
        self,
        root: str | Path,
        envelope: Mapping[str, Any],
        redaction: Redaction = DEFAULT,
        limits: Limits = LIMITS,
    ) -> None:
        check_json(dict(envelope), "envelope", limits)
        check_envelope(envelope)
        for fault in reference_problems(envelope, (), (), None, first=True):
            raise fault
        self.envelope = redaction.apply(envelope)
        check_envelope(self.envelope)
        self.head = Head(0, first_link(canonical_bytes(self.envelope)).hex())
        self.closed = False
        self._redaction, self._limits = redaction, limits
        self._profile = profile_of(envelope)
        self._plans: list[dict[str, Any]] = []
        self._places: dict[str, int] = {}
        self._permitted: dict[str, bool] = {}
        self._sequence = -1
        payload = canonical_bytes(self.envelope)
        self._bytes = check_size(payload, "envelope", limits)
        self.folder = _new_folder(Path(root), str(envelope["investigation_id"]))
        self._link = first_link(payload)
        self._files: dict[str, int] = {}
        self._written = dict.fromkeys((*STREAMS.values(), "chain.jsonl"), 0)
        try:
            for name in self._written:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
                self._files[name] = os.open(self.folder / name, flags, 0o600)
            write_new(self.folder / "envelope.json", payload + b"\n")
            self._enter("envelope", payload, 0)
        except BaseException:  # a record that could not be opened is not there
            self.close()
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def plan(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """Write a plan version and return it as written.

        Raises
        ------
        RecordError
            After the verdict (`RecordClosed`), or when the plan is refused.
        PlanVersionGap
            When it is not the next version.
        DanglingReference
            When its trigger names no step.
        """
        self._check_open("plans")
        path = f"plans[{len(self._plans)}]"
        payload = checked_bytes(plan, path, self._limits)
        check_plan(plan, path)
        trigger = plan.get("revision_trigger")
        if plan["plan_version"] != len(self._plans) + 1:
            raise PlanVersionGap(
                f"{path}.plan_version", f"is {plan['plan_version']}: must be {len(self._plans) + 1}"
            )
        if plan.get("supersedes") not in (None, len(self._plans)):
            raise PlanVersionGap(
                f"{path}.supersedes", f"is {plan['supersedes']}: must be {len(self._plans)}"
            )
        if trigger is not None and trigger not in self._places:
            raise DanglingReference(f"{path}.revision_trigger", f"{trigger!r} names no step")
        written = self._append("plan", plan, payload, len(self._plans))
        self._plans.append(written)
        return written

    def step(self, step: Mapping[str, Any]) -> dict[str, Any]:
        """Write a step and return it as written.

        Raises
        ------
        RecordError
            After the verdict (`RecordClosed`), or when the step is refused.
        SequenceOrder
            When its id or sequence number was given before.
        DanglingReference
            When it names no plan.
        AuthorityExceeded
            When a call is not permitted.
        """
        self._check_open("steps")
        place = len(self._places)
        path = f"steps[{place}]"
        payload = checked_bytes(step, path, self._limits)
        check_step(step, path, self._profile)
        if step["step_id"] in self._places:
            raise SequenceOrder(f"{path}.step_id", f"{step['step_id']!r} is given twice")
        if step["sequence"] <= self._sequence:
            raise SequenceOrder(
                f"{path}.sequence", f"is {step['sequence']} after {self._sequence}: must rise"
            )
        if not 1 <= step["plan_version"] <= len(self._plans):
            raise DanglingReference(f"{path}.plan_version", f"{step['plan_version']} names no plan")
        for j, call in enumerate(step.get("tool_calls") or ()):
            if not self._permits(call["tool"]):
                raise AuthorityExceeded(
                    f"{path}.tool_calls[{j}].tool", f"{call['tool']!r} is not permitted"
                )
        written = self._append("step", step, payload, place)
        self._places[step["step_id"]] = place
        self._sequence = step["sequence"]
        return written

    def verdict(
        self, verdict: Mapping[str, Any], metadata: Mapping[str, Any] | None = None
    ) -> Head:
        """Write the verdict and the metadata, close the record, and return its head.

        Keep the head elsewhere: without it nobody can see that the end was cut off.

        Raises
        ------
        RecordError
            After a verdict (`RecordClosed`), or when this one is refused.
        DanglingReference
            When it names a step that was not written.
        """
        self._check_open("verdict")
        check_json(verdict, "verdict", self._limits)
        check_verdict(verdict, "verdict", self._profile)
        for j, step_id in enumerate(verdict["evidence_chain"]):
            if step_id not in self._places:
                raise DanglingReference(
                    f"verdict.evidence_chain[{j}]", f"{step_id!r} names no step"
                )
        for j, rejected in enumerate(verdict.get("alternatives_rejected") or ()):
            if rejected["rejected_by"] not in self._places:
                raise DanglingReference(
                    f"verdict.alternatives_rejected[{j}].rejected_by",
                    f"{rejected['rejected_by']!r} names no step",
                )
        told = dict(metadata or {})
        check_json(told, "metadata", self._limits)
        check_shape(told, METADATA, "metadata")
        written = self._redaction.apply(verdict)
        if written.get("redacted") != verdict.get("redacted"):
            check_verdict(written, "verdict", self._profile)
        payload = canonical_bytes(written)
        check_size(payload, "verdict", self._limits, self._bytes)
        check_size(canonical_bytes(told), "metadata", self._limits)
        write_new(self.folder / "verdict.json", payload + b"\n")
        self._enter("verdict", payload, self.head.number + 1)
        self._finish(told)
        return self.head

    def close(self, metadata: Mapping[str, Any] | None = None) -> None:
        """Close the files; without a verdict the record stays an open one."""
        try:
            if metadata is not None and not self.closed:
                self._finish(dict(metadata))
        finally:
            self.closed = True
            while self._files:
                os.close(self._files.popitem()[1])

    def __enter__(self) -> "RecordWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _permits(self, tool: str) -> bool:
        """Whether the envelope's scope permits a tool; each tool is looked up once."""
        found = self._permitted.get(tool)
        if found is None:
            authority = self.envelope.get("authority") or {}
            scope, needed = authority.get("permissions_scope"), authority.get("tool_permissions")
            found = scope is None or permitted(
                tool, scope, needed if isinstance(needed, Mapping) else None
            )
            self._permitted[tool] = found
        return found

    def _check_open(self, path: str) -> None:
        if self.closed:
            raise RecordClosed(path, f"record {self.envelope['investigation_id']!r} is closed")

    def _append(
        self, kind: str, document: Mapping[str, Any], payload: bytes, place: int
    ) -> dict[str, Any]:
        if self._redaction.spares(payload):
            written = dict(document)
        else:
            written = self._redaction.apply(document)
            path = f"{kind}s[{place}]"  # an identifier that looks like a secret is none afterwards
            if written.get("redacted") != document.get("redacted"):
                if kind == "step":
                    check_step(written, path, self._profile)
                else:
                    check_plan(written, path)
            payload = canonical_bytes(written)
        self._bytes = check_size(payload, f"{kind}s[{place}]", self._limits, self._bytes)
        stream, head, link, sizes = STREAMS[kind], self.head, self._link, dict(self._written)
        try:
            self._write(stream, payload + b"\n")
            self._enter(kind, payload, self.head.number + 1)
        except BaseException:  # a disk that is full: the document and its entry stand, or neither
            for name in (stream, "chain.jsonl"):
                os.ftruncate(self._files[name], sizes[name])
            self.head, self._link, self._written = head, link, sizes
            raise
        return written

    def _enter(self, kind: str, payload: bytes, number: int) -> None:
        leaf = leaf_hash(payload)
        if number:
            self._link = next_link(self._link, leaf)
        link = self._link.hex()
        self._write("chain.jsonl", chain_line(kind, leaf.hex(), link, number))
        self.head = Head(number, link)

    def _write(self, name: str, line: bytes) -> None:
        left = line
        while left:
            left = left[os.write(self._files[name], left) :]
        self._written[name] += len(line)

    def _finish(self, metadata: dict[str, Any]) -> None:
        metadata = self._redaction.apply(metadata)
        metadata["head"] = asdict(self.head)
        write_new(self.folder / "metadata.json", canonical_bytes(metadata) + b"\n")
        self.close()


def chain_line(kind: str, leaf: str, link: str, number: int) -> bytes:
    """Return one line of ``chain.jsonl``."""
    return f'{{"kind":"{kind}","leaf":"{leaf}","link":"{link}","number":{number}}}\n'.encode()


def _new_folder(root: Path, name: str) -> Path:
    check_id(name, "envelope.investigation_id")
    root.mkdir(parents=True, exist_ok=True)
    folder = root / name.replace(":", "_")
    if folder.is_symlink():
        raise UnsafeIdentifier("envelope.investigation_id", f"{name!r} is a link in the store")
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        other = "" if folder.name == name else f" (its folder is called {folder.name!r})"
        raise EnvelopeSealed("envelope", f"there is a record {name!r}{other}") from None
    return folder
