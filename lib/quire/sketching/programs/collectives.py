"""The messages of a compiled program, read from its HLO text.

The compiled text is read, after XLA's passes have merged, replaced or removed collectives; what
the program asked for does not matter. A word counts once, where it is sent: under these algorithms
every rank sends as much as it receives. Costs are those of bandwidth-optimal algorithms over g
ranks: all-gather (1 - 1/g) of its result, reduce-scatter (1 - 1/g) of its operand, all-to-all (1
- 1/g) of the local data, all-reduce 2 (1 - 1/g) of its operand, permute its operand.
"""

import math
import re
from dataclasses import dataclass

from quire.signatures import checked

_KINDS = (
    "all-gather|reduce-scatter|all-to-all|ragged-all-to-all|all-reduce|collective-permute"
    "|collective-broadcast"
)
# "-done" halves of asynchronous pairs do not match: the pair is counted at its start
_INSTRUCTION = re.compile(rf"=\s+(?P<result>.*?)\s(?P<kind>{_KINDS})(?P<start>-start)?\(")
_ARRAY = re.compile(r"\b(pred|[a-z]+[0-9]+[a-z0-9]*)\[([0-9,]*)\]")
_IOTA = re.compile(r"replica_groups=\[([0-9,]+)\]<=\[")
_EXPLICIT = re.compile(r"replica_groups=\{(\{[0-9,{} ]*\})?\}")
_PARTITIONS = re.compile(r"num_partitions=(\d+)")
_REPLICAS = re.compile(r"replica_count=(\d+)")


@dataclass(frozen=True)
class Collective:
    """One collective operation of a compiled program, as one of its ranks sees it."""

    kind: str
    group: int  # ranks that take part together
    entries: int  # array entries in its result on one rank
    itemsize: float  # bytes per entry, the largest where they differ
    bytes: float  # sent per rank by a bandwidth-optimal algorithm, and as many received

    def words(self, word_bytes: int) -> float:
        """Return the bytes in words of ``word_bytes``."""
        return self.bytes / word_bytes


def _itemsize(kind: str) -> float:
    if kind == "pred":
        return 1.0
    digits = re.search(r"\d+", kind)
    assert digits is not None  # the pattern that found the type asks for digits
    return int(digits.group()) / 8


def _arrays(text: str) -> list[tuple[int, float]]:
    return [
        (math.prod(int(side) for side in sides.split(",") if side), _itemsize(kind))
        for kind, sides in _ARRAY.findall(text)
    ]


def _group_size(line: str, ranks: int) -> int:
    iota = _IOTA.search(line)
    if iota:
        return int(iota.group(1).split(",")[-1])
    explicit = _EXPLICIT.search(line)
    if explicit and explicit.group(1):
        groups = re.findall(r"\{([0-9, ]*)\}", explicit.group(0))
        return max(len(group.split(",")) for group in groups)
    return ranks


def _top_level(tuple_text: str) -> list[str]:
    """Return the elements of an HLO tuple type ``(a, (b, c), d)``."""
    parts, depth, begin = [], 0, 1
    inner = tuple_text[: tuple_text.rindex(")")]
    for position, letter in enumerate(inner):
        if letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == "," and depth == 1:
            parts.append(inner[begin:position])
            begin = position + 1
    return [*parts, inner[begin:]]


def ranks_of(hlo: str) -> int:
    """Return the number of ranks that a module runs on, from its header.

    Raises
    ------
    ValueError
        When the text has no module header (so that it cannot be HLO).
    """
    if "HloModule" not in hlo:
        raise ValueError("hlo = a text without HloModule: jitted.lower(...).compile().as_text()")
    partitions, replicas = _PARTITIONS.search(hlo), _REPLICAS.search(hlo)
    ranks = int(partitions.group(1)) if partitions else 1
    return ranks * (int(replicas.group(1)) if replicas else 1)


def without_metadata(line: str) -> str:
    """Return a line of HLO up to its metadata, in which names of the program stand as they are."""
    return line.split(", metadata={", 1)[0]


def collective_of(line: str, ranks: int) -> Collective | None:
    """Return the collective that one line of HLO issues among more than one rank, or None."""
    line = without_metadata(line)
    match = _INSTRUCTION.search(line)
    if not match:
        return None
    kind, result = match["kind"], match["result"]
    group = 2 if kind == "collective-permute" else _group_size(line, ranks)
    if group == 1:
        return None
    if match["start"] and result.startswith("(") and kind != "all-reduce":
        # a start's type is (operands, results, contexts): the results are its second element
        result = _top_level(result)[1]
    return _cost(kind, group, _arrays(result))


@checked
def read_collectives(hlo: str) -> tuple[Collective, ...]:
    """Return every collective that stands in compiled HLO text, among more than one rank.

    Each stands once, however often it runs: :func:`quire.sketching.certify` knows which branches
    exclude each other and refuses loops. Raises ``ValueError`` for text that is not HLO.
    """
    ranks = ranks_of(hlo)
    found = (collective_of(line, ranks) for line in hlo.splitlines())
    return tuple(collective for collective in found if collective is not None)


def _cost(kind: str, group: int, arrays: list[tuple[int, float]]) -> Collective:
    size = float(sum(entries * itemsize for entries, itemsize in arrays))
    share = 1 - 1 / group
    factor = {
        "reduce-scatter": share * group,  # its operand is g times its result
        "all-reduce": 2 * share,
        "collective-permute": 1.0,
        "collective-broadcast": 1.0,
    }.get(kind, share)
    entries = sum(count for count, _ in arrays)
    widest = max((itemsize for _, itemsize in arrays), default=0.0)
    return Collective(kind, group, entries, widest, factor * size)
