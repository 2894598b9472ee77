"""The recorder that an agent holds: a context manager, and a decorator for whole runs.

::

    with start_investigation(root, "DBINFRA-1458", trigger={"source": "alarm"},
                             agent={"model": "m-1"}) as run:
        run.log_plan("check DNS, then the listener")
        dns = run.tool(resolve)                      # calls are recorded where they happen
        dns("node-3")
        run.log_step(intent="rule out DNS", observation="resolves", inference="not DNS")
        run.record_verdict("Network > Listener", confidence=0.9, evidence=["step_001"])
"""

import functools
import reprlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from quire.provenance.chain.hash_chain import Head
from quire.provenance.schema.canonical import LIMITS, Limits, check_json
from quire.provenance.schema.errors import AuthorityExceeded, Malformed
from quire.provenance.schema.redaction import DEFAULT, Redaction
from quire.provenance.schema.rules import permitted
from quire.provenance.stores.writer import RecordWriter
from quire.signatures import checked


@checked
def start_investigation(
    root: str | Path,
    investigation_id: str,
    trigger: Mapping[str, Any],
    agent: Mapping[str, Any],
    *,
    redaction: Redaction = DEFAULT,
    limits: Limits = LIMITS,
    **envelope: Any,
) -> "Investigation":
    """Open a record and return the recorder.

    Parameters
    ----------
    root
        The folder that holds records.
    investigation_id
        Names the record's folder.
    trigger, agent
        As the envelope has them: ``source`` and ``model`` must be there.
    redaction
        What is taken out before anything is written.
    limits
        How large one document may be.
    **envelope
        Further fields, such as ``authority``, ``context_snapshot``, ``profile``.
    """
    told = {"investigation_id": investigation_id, "trigger": trigger, "agent": agent, **envelope}
    return Investigation(RecordWriter(root, told, redaction, limits))


class Investigation:
    """A record that is being written; one per run, safe to share between threads."""

    def __init__(self, writer: RecordWriter) -> None:
        self._writer = writer
        self._lock = threading.RLock()
        self._began = time.perf_counter()
        self._plans = self._steps = self._calls = 0
        self._pending: list[dict[str, Any]] = []
        self.intercepted: list[dict[str, Any]] = []

    @property
    def folder(self) -> Path:
        """Where the record lies."""
        return self._writer.folder

    @property
    def head(self) -> Head:
        """The chain's head so far: keep it elsewhere."""
        return self._writer.head

    def log_plan(self, rationale: str, trigger: str | None = None, **fields: Any) -> int:
        """Write the next plan version and return its number; ``trigger`` is the step behind it."""
        with self._lock:
            version = self._plans + 1
            plan: dict[str, Any] = {"plan_version": version, "rationale": rationale, **fields}
            if version > 1:
                plan.setdefault("supersedes", version - 1)
            if trigger is not None:
                plan["revision_trigger"] = trigger
            self._writer.plan(plan)
            self._plans = version
            return version

    def log_step(
        self,
        intent: str,
        observation: str,
        inference: str,
        tool_calls: Sequence[Mapping[str, Any]] | None = None,
        **fields: Any,
    ) -> str:
        """Write a step and return its id; calls through `tool` since the last one are its own."""
        with self._lock:
            if not self._plans:
                self.log_plan("none was logged")
            number = self._steps + 1
            step: dict[str, Any] = {
                "step_id": f"step_{number:03d}",
                "plan_version": self._plans,
                "sequence": number,
                "intent": intent,
                "observation": observation,
                "inference": inference,
                "tool_calls": list(self._pending if tool_calls is None else tool_calls),
                **fields,
            }
            if self._pending:
                step.setdefault("intercepted_call_ids", [c["call_id"] for c in self._pending])
            self._writer.step(step)
            self._steps, self._pending = number, []
            return str(step["step_id"])

    def record_verdict(
        self,
        root_cause_category: str,
        confidence: float,
        evidence: Sequence[str],
        metadata: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Head:
        """Write the verdict, close the record, and return the head to keep elsewhere."""
        with self._lock:
            verdict = {
                "root_cause_category": root_cause_category,
                "confidence": confidence,
                "evidence_chain": list(evidence),
                **fields,
            }
            return self._writer.verdict(verdict, {**self._measured(), **(metadata or {})})

    def tool(self, function: Callable[..., Any], name: str | None = None) -> Callable[..., Any]:
        """Return a tool that records each of its calls, permitted or refused, when it is made.

        This is the interceptor: what it saw does not depend on what the agent says it did.
        """
        title = str(name or getattr(function, "__name__", "tool"))

        @functools.wraps(function)
        def called(*arguments: Any, **named: Any) -> Any:
            authority = self._writer.envelope.get("authority") or {}
            scope = authority.get("permissions_scope")
            if scope is not None and not permitted(title, scope, authority.get("tool_permissions")):
                raise AuthorityExceeded("tool", f"{title!r} is not permitted")
            began = time.perf_counter()
            told = _as_json({**{f"arg{k}": a for k, a in enumerate(arguments)}, **named})
            output: Any = None
            try:
                output = function(*arguments, **named)
            except Exception as fault:
                output = {"error": f"{type(fault).__name__}: {fault}"}
                raise
            finally:
                with self._lock:
                    self._calls += 1
                    call = {
                        "call_id": f"call_{self._calls:04d}",
                        "tool": title,
                        "input": told,
                        "output": _as_json(output),
                        "duration_ms": round(1e3 * (time.perf_counter() - began), 3),
                    }
                    self._pending.append(call)
                    self.intercepted.append(call)
            return output

        return called

    def close(self, **metadata: Any) -> None:
        """Close the record without a verdict."""
        with self._lock:
            if not self._writer.closed:
                self._writer.close({**self._measured(), **metadata})

    def __enter__(self) -> "Investigation":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.close(failed=kind.__name__)

    def _measured(self) -> dict[str, Any]:
        return {"duration_ms": round(1e3 * (time.perf_counter() - self._began), 3)}


def _as_json(value: Any) -> Any:
    """Return a copy of a value that JSON can hold; of others, the words that Python has for them.

    A copy, since an agent may change what it gave or got before the step is written; and of a
    bounded number of values, since one object can hold another a million times.
    """
    left = [LIMITS.values]

    def copied(item: Any, depth: int) -> Any:
        left[0] -= 1
        if left[0] < 0 or depth < 0:
            raise Malformed("value", "holds too many values, or too deep")
        if type(item) is dict:
            return {name: copied(inside, depth - 1) for name, inside in item.items()}
        if type(item) is list or type(item) is tuple:
            return [copied(inside, depth - 1) for inside in item]
        return item

    try:
        return check_json(copied(value, LIMITS.depth))
    except Malformed:
        return _WORDS.repr(value)[:10_000]


class _Words(reprlib.Repr):
    """Python's words for a value, in bounded length and whatever the value does when asked."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 10_000
        self.maxlevel = 4
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = 20

    def repr_instance(self, x: Any, level: int) -> str:
        try:
            return repr(x)[:10_000]
        except Exception as fault:
            return f"<{type(x).__name__}, whose words are a {type(fault).__name__}>"

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if x.bit_length() < 10_000 else f"an integer of {x.bit_length():,} bits"


_WORDS = _Words()


@checked
def recorded(
    root: str | Path, trigger: Mapping[str, Any], agent: Mapping[str, Any], **envelope: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator: each call of the function is an investigation.

    The function takes the id of the investigation in ``investigation_id=`` (one is counted up
    otherwise) and receives the recorder as its first argument.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        counter = iter(range(1, 10**9))

        @functools.wraps(function)
        def run(*arguments: Any, investigation_id: str | None = None, **named: Any) -> Any:
            title = investigation_id or f"{function.__name__}-{next(counter):06d}"
            with start_investigation(root, title, trigger, agent, **envelope) as recorder:
                return function(recorder, *arguments, **named)

        return run

    return decorate
