"""OpenTelemetry spans by the GenAI conventions, and a printed list of what they cannot hold.

Standard attributes alone are used (status: development; names as of semantic conventions 1.37 and
later). What the conventions have no name for is not smuggled in under one of ours: it is lost, and
`lost_fields` says so by reading the spans back.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from quire.provenance.schema.canonical import canonical_bytes, parse_json
from quire.provenance.schema.records import Record

SEMANTIC_CONVENTIONS = "1.37"
Span = Mapping[str, Any]


def to_spans(record: Record, start_ns: int = 0) -> list[dict[str, Any]]:
    """Return one span for the run, one per step, one per tool call; ids come from the record's id.

    Parameters
    ----------
    record
        What is exported.
    start_ns
        When the run began; steps follow one another by their calls' durations.
    """
    trace = _hash(record.id, "trace", 32)
    agent = record.envelope["agent"]
    root = _hash(record.id, "run", 16)
    clock = start_ns
    inner: list[dict[str, Any]] = []
    for step in record.steps:
        began, parent = clock, _hash(record.id, step["step_id"], 16)
        calls = []
        for j, call in enumerate(step.get("tool_calls") or ()):
            took = int(1e6 * float(call.get("duration_ms") or 0))
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


def fields_of_spans(spans: Sequence[Span]) -> dict[str, Any]:
    """Return what a reader of the spans knows of the record: parts of its documents, no more."""
    told: dict[str, Any] = {"envelope": {"agent": {}}, "steps": []}
    places: dict[str, int] = {}
    for span in spans:
        a = span["attributes"]
        operation = a.get("gen_ai.operation.name")
        if operation == "invoke_agent":
            told["envelope"]["investigation_id"] = a.get("gen_ai.conversation.id")
            told["envelope"]["agent"] = {"model": a.get("gen_ai.request.model")}
            if "gen_ai.agent.version" in a:
                told["envelope"]["agent"]["agent_version"] = a["gen_ai.agent.version"]
        elif operation == "chat":
            places[span["span_id"]] = len(told["steps"])
            step: dict[str, Any] = {"tool_calls": []}
            tokens = {
                side: a[f"gen_ai.usage.{side}_tokens"]
                for side in ("input", "output")
                if f"gen_ai.usage.{side}_tokens" in a
            }
            told["steps"].append(step | ({"tokens": tokens} if tokens else {}))
        elif operation == "execute_tool":
            call = {
                "tool": a["gen_ai.tool.name"],
                "duration_ms": (span["end_ns"] - span["start_ns"]) / 1e6,
                "call_id": a.get("gen_ai.tool.call.id"),
            }
            for field, name in (("input", "arguments"), ("output", "result")):
                if f"gen_ai.tool.call.{name}" in a:
                    call[field] = parse_json(a[f"gen_ai.tool.call.{name}"])
            told["steps"][places[span["parent_id"]]]["tool_calls"].append(call)
    return told


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
