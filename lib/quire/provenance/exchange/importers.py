"""Importers: runs that others published, as records. What a corpus does not hold stays empty.

An intent that nobody wrote is an empty text, never one that is made up from the tool's name.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from quire.provenance.schema.canonical import parse_json
from quire.provenance.schema.errors import Malformed
from quire.provenance.schema.records import Record, check_record

PLAN = {"plan_version": 1, "rationale": ""}


def from_tau_bench(run: Mapping[str, Any]) -> Record:
    """Return a run of tau-bench: one step per tool call, its message's text as intent.

    Raises
    ------
    Malformed
        For another form.
    """
    task, trial = _need(run, "task_id", int), _need(run, "trial", int)
    messages = _need(run, "traj", list)
    outputs: dict[str, Any] = {}
    for message in messages:
        if message.get("role") == "tool":
            outputs.setdefault(str(message.get("tool_call_id")), message.get("content"))
    steps: list[dict[str, Any]] = []
    for k, message in enumerate(messages):
        for call in message.get("tool_calls") or ():
            function = call["function"]
            arguments = parse_json(function["arguments"], f"traj[{k}].tool_calls")  # a JSON string
            steps.append(
                _step(
                    len(steps) + 1,
                    intent=message.get("content") or "",
                    observation="",
                    calls=[
                        {
                            "tool": function["name"],
                            "input": arguments,
                            "output": outputs.get(str(call.get("id"))),
                        }
                    ],
                )
            )
    reward = float(_need(run, "reward", (int, float)))
    return _record(
        f"tau-airline-{task:03d}-{trial}",
        {"source": "tau-bench", "reference": f"task-{task}"},
        {"model": "gpt-4o"},
        steps,
        {"reward": reward, "messages": len(messages)},
    )


def from_swe_agent(trajectory: Mapping[str, Any], name: str) -> Record:
    """Return a trajectory of SWE-agent: the thought is the intent, the action the call.

    A file that holds only ``history`` has no steps.

    Raises
    ------
    Malformed
        For another form.
    """
    if "trajectory" not in trajectory and "history" not in trajectory:
        raise Malformed("trajectory", "is missing, and so is history")
    steps = []
    for k, turn in enumerate(trajectory.get("trajectory") or ()):
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


def from_who_and_when(log: Mapping[str, Any], name: str) -> Record:
    """Return a failed multi-agent run of Who&When: one step per message, its speaker as target.

    ``metadata.mistake`` holds who erred, at which message (0-based), and why.

    Raises
    ------
    Malformed
        For another form.
    """
    steps = []
    for k, message in enumerate(_need(log, "history", list)):
        steps.append(
            _step(
                k + 1,
                intent="",
                observation=str(message.get("content") or ""),
                calls=[],
                speaker=speaker_of(message),
            )
        )
    return _record(
        name,
        {"source": "Who&When", "summary": str(log.get("question", ""))[:500]},
        {"model": "unknown"},
        steps,
        {
            "mistake": {
                "agent": str(_need(log, "mistake_agent", str)),
                "step": int(_need(log, "mistake_step", str)),
                "reason": str(log.get("mistake_reason", "")),
            }
        },
    )


def from_openrca(row: Mapping[str, str], system: str, number: int) -> Record:
    """Return an answer of OpenRCA's agent: no steps were published, only the prediction.

    A prediction that is no JSON is kept as text.

    Raises
    ------
    Malformed
        For another form.
    """
    try:
        score = float(row["score"])
        prediction: Any = parse_json(row["prediction"], "prediction")
    except Malformed:
        prediction = row["prediction"]
    except (KeyError, ValueError):
        raise Malformed("score", "is missing or no number") from None
    return _record(
        f"openrca-{system}-{number:03d}",
        {"source": "OpenRCA", "summary": row["instruction"]},
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
    intent: str,
    observation: str,
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
    safe = re.sub(r"[^A-Za-z0-9._:\-]+", "-", name).strip(".-")[:128] or "run"
    envelope = {"investigation_id": safe, "trigger": trigger, "agent": agent}
    record = Record(envelope, (PLAN,), tuple(steps), None, dict(metadata))
    check_record(record)
    return record


def _need(source: Mapping[str, Any], name: str, kind: Any) -> Any:
    value = source.get(name) if isinstance(source, Mapping) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Malformed(name, f"is {value!r:.60}: another form was expected")
    return value
