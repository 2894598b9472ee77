"""Mock replay: recorded tool outputs served again, and what happens where none was recorded."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from quire.provenance.capture.fidelity import call_key, calls_of
from quire.provenance.schema.errors import ReplayMiss
from quire.provenance.schema.records import Record


class RecordedTools:
    """Tools that answer from a record; nothing live can be reached.

    Outputs are keyed by tool, canonical arguments, and how often that call was made before.

    Parameters
    ----------
    record
        Whose tool calls are served.
    on_miss
        ``strict``: raise `ReplayMiss`; ``fifo``: serve the tool's next output that was not served,
        whatever its arguments, and count the drift; ``stub``: return ``stub``.
    stub
        What a stub returns.

    Raises
    ------
    ValueError
        For another policy.
    """

    def __init__(self, record: Record, on_miss: str = "strict", stub: Any = None) -> None:
        if on_miss not in ("strict", "fifo", "stub"):
            raise ValueError(f"on_miss = {on_miss!r}: must be 'strict', 'fifo' or 'stub'")
        self.on_miss, self.stub = on_miss, stub
        self.served = self.missed = self.drifted = 0
        self._left: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._order: dict[str, list[int]] = defaultdict(list)
        self._outputs: list[Any] = []
        for place, call in enumerate(calls_of(record)):
            self._outputs.append(call.get("output"))
            self._left[call_key(call)].append(place)
            self._order[call["tool"]].append(place)
        self._used: set[int] = set()

    def call(self, tool: str, arguments: Any = None) -> Any:
        """Return the recorded output of a call.

        Raises
        ------
        ReplayMiss
            Under ``strict``, and under ``fifo`` when the tool has no output left.
        """
        left = [
            k
            for k in self._left.get(call_key({"tool": tool, "input": arguments}), ())
            if k not in self._used
        ]
        if left:
            self._used.add(left[0])
            self.served += 1
            return self._outputs[left[0]]
        self.missed += 1
        if self.on_miss == "stub":
            return self.stub
        if self.on_miss == "fifo":
            rest = [k for k in self._order.get(tool, ()) if k not in self._used]
            if rest:
                self._used.add(rest[0])
                self.drifted += 1
                return self._outputs[rest[0]]
        raise ReplayMiss(f"tools.{tool}", f"{arguments!r:.120} was not recorded, or not so often")

    def tool(self, name: str) -> Callable[..., Any]:
        """Return a function in the place of a live tool, called with keyword arguments."""

        def recorded(**arguments: Any) -> Any:
            return self.call(name, arguments)

        return recorded


def mock_replay(
    record: Record,
    agent: Callable[[Mapping[str, Any], RecordedTools], Record],
    on_miss: str = "strict",
    stub: Any = None,
) -> tuple[Record, RecordedTools]:
    """Run an agent against a record's outputs, and return its new record and the tools it used.

    Parameters
    ----------
    record
        Whose envelope and outputs the agent gets: none of its intents, observations, inferences.
    agent
        Takes the envelope and the tools, and returns the record of what it did.
    on_miss, stub
        As `RecordedTools` has them.
    """
    tools = RecordedTools(record, on_miss, stub)
    return agent(dict(record.envelope), tools), tools
