"""Importers: runs that others published, as records. What a corpus does not hold stays empty.

An intent that nobody wrote is an empty text, never one that is made up from the tool's name.
"""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from quire.provenance.schema.canonical import Limits, check_json, parse_json
from quire.provenance.schema.errors import Malformed, UnsafeIdentifier, told
from quire.provenance.schema.records import Record, check_record
from quire.provenance.schema.shapes import check_id
from quire.signatures import checked

PLAN = {"plan_version": 1, "rationale": ""}
_LIMITS = Limits(string=16_000_000, document=256_000_000, values=20_000_000)
"""Others wrote it without limits; these keep a reader alive."""


def from_tau_bench(run: Any) -> Record:
    """Return a run of tau-bench: one step per tool call, its message's text as intent.

    Raises
    ------
    Malformed
        For another form.
    """
    task, trial = _need(run, "task_id", int), _need(run, "trial", int)
    messages = [as_object(m, f"traj[{k}]") for k, m in enumerate(_need(run, "traj", list))]
    outputs: dict[str, Any] = {}
    for message in messages:
        if message.get("role") == "tool":
            outputs.setdefault(str(message.get("tool_call_id")), message.get("content"))
    steps: list[dict[str, Any]] = []
    for k, message in enumerate(messages):
        for j, call in enumerate(as_list(message.get("tool_calls"), f"traj[{k}].tool_calls")):
            path = f"traj[{k}].tool_calls[{j}]"
            function = as_object(as_object(call, path).get("function"), f"{path}.function")
            arguments = parse_json(function.get("arguments"), f"{path}.function.arguments")
            steps.append(
                _step(
                    len(steps) + 1,
                    intent=message.get("content") or "",
                    observation="",
                    calls=[
                        {
                            "tool": function.get("name"),
                            "input": arguments,
                            "output": outputs.get(str(call.get("id"))),
                        }
                    ],
                )
            )
    reward = _need(run, "reward", (int, float))
    if not 0 <= reward <= 1:
        raise Malformed("reward", f"is {told(reward)}: must lie from 0 to 1")
    return _record(
        f"tau-airline-{task:03d}-{trial}",
        {"source": "tau-bench", "reference": f"task-{task}"},
        {"model": "gpt-4o"},
        steps,
        {"reward": float(reward), "messages": len(messages)},
    )


@checked
def from_swe_agent(trajectory: Any, name: str) -> Record:
    """Return a trajectory of SWE-agent: the thought is the intent, the action the call.

    A file that holds only ``history`` has no steps.

    Raises
    ------
    Malformed
        For another form.
    """
    trajectory = as_object(trajectory, "trajectory")
    if "trajectory" not in trajectory and "history" not in trajectory:
        raise Malformed("trajectory", "is missing, and so is history")
    steps = []
    for k, turn in enumerate(as_list(trajectory.get("trajectory"), "trajectory")):
        turn = as_object(turn, f"trajectory[{k}]")
        action = str(turn.get("action") or "").strip()
        tool = action.split(maxsplit=1)[0] if action else "none"
        steps.append(
            _step(
                k + 1,
                intent=str(turn.get("thought") or "").strip(),
                observation=str(turn.get("observation") or ""),
                calls=[{"tool": tool, "input": {"action": action}, "output": None}],
            )
        )
    return _record(name, {"source": "SWE-agent"}, {"model": "unknown"}, steps, {})


@checked
def from_who_and_when(log: Any, name: str) -> Record:
    """Return a failed multi-agent run of Who&When: one step per message, its speaker as target.

    ``metadata.mistake`` holds who erred, at which message (0-based), and why.

    Raises
    ------
    Malformed
        For another form.
    """
    steps = []
    for k, message in enumerate(_need(log, "history", list)):
        message = as_object(message, f"history[{k}]")
        steps.append(
            _step(
                k + 1,
                intent="",
                observation=str(message.get("content") or ""),
                calls=[],
                speaker=speaker_of(message),
            )
        )
    mistake = _need(log, "mistake_step", str)
    if not re.fullmatch("[0-9]{1,9}", mistake):
        raise Malformed("mistake_step", f"is {told(mistake)}: must be a whole number")
    return _record(
        name,
        {"source": "Who&When", "summary": str(log.get("question", ""))[:500]},
        {"model": "unknown"},
        steps,
        {
            "mistake": {
                "agent": str(_need(log, "mistake_agent", str)),
                "step": int(mistake),
                "reason": str(log.get("mistake_reason", "")),
            }
        },
    )


@checked
def from_openrca(row: Any, system: str, number: int) -> Record:
    """Return an answer of OpenRCA's agent: no steps were published, only the prediction.

    A prediction that is no JSON is kept as text.

    Raises
    ------
    Malformed
        For another form.
    """
    row = as_object(row, "row")
    texts = {name: _need(row, name, str) for name in ("score", "prediction", "instruction")}
    try:
        score = float(texts["score"])
    except ValueError:
        score = math.nan
    if not 0 <= score <= 1:
        raise Malformed("score", f"is {told(texts['score'])}: must lie from 0 to 1")
    try:
        prediction: Any = parse_json(texts["prediction"], "prediction")
    except Malformed:
        prediction = texts["prediction"]
    return _record(
        f"openrca-{system}-{number:03d}",
        {"source": "OpenRCA", "summary": texts["instruction"]},
        {"model": "unknown"},
        [],
        {"prediction": prediction, "score": score, "points": points_of(row)},
    )


def points_of(row: Mapping[str, str]) -> list[str]:
    """Return what an answer of OpenRCA is scored on: the lines of ``passed`` and ``failed``."""
    return [
        line.strip()
        for name in ("passed", "failed")
        for line in str(row.get(name) or "").splitlines()
        if line.strip()
    ]


def speaker_of(message: Mapping[str, Any]) -> str:
    """Return who speaks in a message of Who&When: its ``name``, or its role without an address."""
    if message.get("name"):
        return str(message["name"])
    return re.sub(r"\s*\(.*\)$", "", str(message.get("role") or "")).strip()


def _step(
    number: int,
    intent: Any,
    observation: Any,
    calls: Sequence[Mapping[str, Any]],
    speaker: str = "",
) -> dict[str, Any]:
    step = {
        "step_id": f"step_{number:03d}",
        "plan_version": 1,
        "sequence": number,
        "intent": intent,
        "observation": observation,
        "inference": "",
        "tool_calls": list(calls),
    }
    return step | ({"target": speaker} if speaker else {})


def _record(
    name: str,
    trigger: Mapping[str, Any],
    agent: Mapping[str, Any],
    steps: Sequence[Mapping[str, Any]],
    metadata: Mapping[str, Any],
) -> Record:
    envelope = {"investigation_id": safe_id(name), "trigger": trigger, "agent": agent}
    record = Record(envelope, (PLAN,), tuple(steps), None, dict(metadata))
    check_json(record.as_json(), "record", _LIMITS)
    check_record(record)
    return record


def safe_id(name: str) -> str:
    """Return an identifier for a run that others named: the name, or one with a hash of it.

    Where the name could be read as a path, two names must not become one.
    """
    try:
        return check_id(name, "name")
    except UnsafeIdentifier:
        plain = re.sub(r"[^A-Za-z0-9_:\-]+", "-", name).strip("-_:")[:100]
        told_apart = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        return f"{plain or 'run'}-{told_apart}"


def as_object(value: Any, path: str) -> Mapping[str, Any]:
    """Return an object.

    Raises
    ------
    Malformed
        For anything else.
    """
    if not isinstance(value, Mapping):
        raise Malformed(path, f"is {told(value)}: must be an object")
    return value


def as_list(value: Any, path: str) -> Sequence[Any]:
    """Return a list; nothing is an empty one.

    Raises
    ------
    Malformed
        For anything else.
    """
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise Malformed(path, f"is {told(value)}: must be a list")
    return value


def _need(source: Any, name: str, kind: Any) -> Any:
    value = source.get(name) if isinstance(source, Mapping) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Malformed(name, f"is {told(value)}: another form was expected")
    return value
