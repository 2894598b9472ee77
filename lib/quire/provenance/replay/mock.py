"""Mock replay: recorded tool outputs served again, and what happens where none was recorded."""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from quire.provenance.capture.fidelity import call_key, calls_of
from quire.provenance.schema.errors import ReplayMiss, told
from quire.provenance.schema.records import Record
from quire.signatures import checked


class RecordedTools:
    """Tools that answer from a record; nothing live can be reached.

    Outputs are keyed by tool, canonical arguments, and how often that call was made before. Each is
    served as a copy: what an agent does to it changes no record.

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
        self._left: dict[tuple[str, str], deque[int]] = defaultdict(deque)
        self._order: dict[str, deque[int]] = defaultdict(deque)
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
        place = self._next(self._left.get(call_key({"tool": tool, "input": arguments})))
        if place is not None:
            self.served += 1
            return deepcopy(self._outputs[place])
        self.missed += 1
        if self.on_miss == "stub":
            return self.stub
        if self.on_miss == "fifo":
            place = self._next(self._order.get(tool))
            if place is not None:
                self.drifted += 1
                return deepcopy(self._outputs[place])
        raise ReplayMiss(f"tools.{tool}", f"{told(arguments)} was not recorded, or not so often")

    def _next(self, places: deque[int] | None) -> int | None:
        """Return the first place that was not served; each is looked at once, however many."""
        while places:
            place = places.popleft()
            if place not in self._used:
                self._used.add(place)
                return place
        return None

    def tool(self, name: str) -> Callable[..., Any]:
        """Return a function in the place of a live tool, called with keyword arguments."""

        def recorded(**arguments: Any) -> Any:
            return self.call(name, arguments)

        return recorded


@checked
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
    return agent(deepcopy(dict(record.envelope)), tools), tools
