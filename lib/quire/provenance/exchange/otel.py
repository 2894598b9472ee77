"""OpenTelemetry spans by the GenAI conventions, and a printed list of what they cannot hold.

Standard attributes alone are used (status: development; names as of semantic conventions 1.37 and
later). What the conventions have no name for is not smuggled in under one of ours: it is lost, and
`lost_fields` says so by reading the spans back.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from quire.checks import integer
from quire.provenance.exchange.importers import as_list, as_object
from quire.provenance.schema.canonical import canonical_bytes, parse_json
from quire.provenance.schema.errors import DanglingReference, Malformed, told
from quire.provenance.schema.records import Record
from quire.signatures import checked

_LATEST_NS = 2**63 - 1
Span = Mapping[str, Any]


@checked
def to_spans(record: Record, start_ns: int = 0) -> list[dict[str, Any]]:
    """Return one span for the run, one per step, one per tool call; ids come from the record's id.

    Parameters
    ----------
    record
        What is exported.
    start_ns
        When the run began; steps follow one another by their calls' durations.

    Raises
    ------
    Malformed
        When a call lasts beyond what nanoseconds in 64 bits can hold.
    """
    start_ns = integer("start_ns", start_ns, 0, _LATEST_NS)
    trace = _hash(record.id, "trace", 32)
    agent = record.envelope["agent"]
    root = _hash(record.id, "run", 16)
    clock = start_ns
    inner: list[dict[str, Any]] = []
    for k, step in enumerate(record.steps):
        began, parent = clock, _hash(record.id, step["step_id"], 16)
        calls = []
        for j, call in enumerate(step.get("tool_calls") or ()):
            took = int(1e6 * float(call.get("duration_ms") or 0))
            if clock + took > _LATEST_NS:
                path = f"steps[{k}].tool_calls[{j}].duration_ms"
                raise Malformed(path, "ends beyond what nanoseconds in 64 bits hold")
            attributes = {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": call["tool"],
                "gen_ai.tool.call.id": call.get("call_id") or f"{step['step_id']}.{j}",
            }
            for field, name in (("input", "arguments"), ("output", "result")):
                if field in call:
                    attributes[f"gen_ai.tool.call.{name}"] = canonical_bytes(call[field]).decode()
            calls.append(
                _span(trace, _hash(record.id, f"{step['step_id']}/{j}", 16), parent,
                      f"execute_tool {call['tool']}", clock, clock + took, attributes)
            )  # fmt: skip
            clock += took
        chat: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": agent["model"],
        }
        tokens = step.get("tokens") or {}
        for side in ("input", "output"):
            if isinstance(tokens.get(side), int):
                chat[f"gen_ai.usage.{side}_tokens"] = tokens[side]
        inner.append(_span(trace, parent, root, f"chat {agent['model']}", began, clock, chat))
        inner += calls
    run = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.conversation.id": record.id,
        "gen_ai.request.model": agent["model"],
    }
    if agent.get("agent_version"):
        run["gen_ai.agent.version"] = agent["agent_version"]
    return [_span(trace, root, None, "invoke_agent", start_ns, clock, run), *inner]


def fields_of_spans(spans: Any) -> dict[str, Any]:
    """Return what a reader of the spans knows of the record: parts of its documents, no more.

    Raises
    ------
    Malformed
        For a span without what it must have, one that ends before it begins, or an id given twice.
    DanglingReference
        For a span whose parent is none of those before it that may have such children.
    """
    known: dict[str, Any] = {"envelope": {"agent": {}}, "steps": []}
    run: str | None = None
    places: dict[str, int] = {}
    ids: set[str] = set()
    for k, span in enumerate(as_list(spans, "spans")):
        at = f"spans[{k}]"
        a = as_object(as_object(span, at).get("attributes"), f"{at}.attributes")
        own, parent = _need(span, "span_id", str, at), span.get("parent_id")
        if own in ids:
            raise Malformed(f"{at}.span_id", f"{told(own)} is given twice")
        ids.add(own)
        began, ended = (_need(span, name, int, at) for name in ("start_ns", "end_ns"))
        if not 0 <= began <= ended <= _LATEST_NS:
            raise Malformed(f"{at}.end_ns", f"is {told(ended)}, and start_ns {told(began)}")
        operation = a.get("gen_ai.operation.name")
        if operation == "invoke_agent":
            run = own
            known["envelope"]["investigation_id"] = a.get("gen_ai.conversation.id")
            known["envelope"]["agent"] = {"model": a.get("gen_ai.request.model")}
            if "gen_ai.agent.version" in a:
                known["envelope"]["agent"]["agent_version"] = a["gen_ai.agent.version"]
        elif operation == "chat":
            if parent not in (run, None):
                raise DanglingReference(f"{at}.parent_id", f"{told(parent)} names no run before it")
            places[own] = len(known["steps"])
            step: dict[str, Any] = {"tool_calls": []}
            tokens = {
                side: a[f"gen_ai.usage.{side}_tokens"]
                for side in ("input", "output")
                if f"gen_ai.usage.{side}_tokens" in a
            }
            known["steps"].append(step | ({"tokens": tokens} if tokens else {}))
        elif operation == "execute_tool":
            if not isinstance(parent, str) or parent not in places:
                raise DanglingReference(f"{at}.parent_id", f"{told(parent)} names no chat span")
            call = {
                "tool": _need(a, "gen_ai.tool.name", str, f"{at}.attributes"),
                "duration_ms": (ended - began) / 1e6,
                "call_id": a.get("gen_ai.tool.call.id"),
            }
            for field, name in (("input", "arguments"), ("output", "result")):
                title = f"gen_ai.tool.call.{name}"
                if title in a:
                    call[field] = parse_json(a[title], f"{at}.attributes.{title}")
            known["steps"][places[parent]]["tool_calls"].append(call)
    return known


@checked
def lost_fields(record: Record, spans: Sequence[Span]) -> list[str]:
    """Return every kind of field that a record's spans do not carry, such as ``steps[].intent``.

    A field is lost when one of its values cannot be read back from the spans.
    """
    kept = dict(_leaves(fields_of_spans(spans)))
    lost = {
        re.sub(r"\[\d+\]", "[]", path)
        for path, value in _leaves(record.as_json())
        if path not in kept or not _same(kept[path], value)
    }
    return sorted(lost)


def _need(source: Mapping[str, Any], name: str, kind: type, path: str) -> Any:
    value = source.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Malformed(f"{path}.{name}", f"is {told(value)}: must be of {kind.__name__}")
    return value


def _leaves(value: Any, path: str = "") -> Any:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for k, item in enumerate(value):
            yield from _leaves(item, f"{path}[{k}]")
    elif value is not None:
        yield path, value


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) or isinstance(b, float):
        return isinstance(a, int | float) and isinstance(b, int | float) and abs(a - b) < 1e-6
    return bool(a == b)


def _span(
    trace: str, name: str, parent: str | None, title: str, start: int, end: int, attributes: Any
) -> dict[str, Any]:
    return {
        "trace_id": trace,
        "span_id": name,
        "parent_id": parent,
        "name": title,
        "start_ns": start,
        "end_ns": end,
        "attributes": attributes,
    }


def _hash(record: str, part: str, length: int) -> str:
    return hashlib.sha256(f"{record}\x00{part}".encode()).hexdigest()[:length]
