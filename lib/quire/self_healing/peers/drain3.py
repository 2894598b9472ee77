"""drain3: the practitioners' template miner, run as logparser's benchmark runs Drain."""

import re
from collections.abc import Sequence
from typing import Any

from quire.self_healing.errors import one_of, sequence_of_text
from quire.self_healing.perception.induction import Parse
from quire.self_healing.perception.masking import BENCHMARK

# (similarity threshold, depth) of logparser's benchmark; drain3 counts two more levels of its tree.
SETTINGS = {
    "Windows": (0.7, 5), "Linux": (0.39, 6), "Android": (0.2, 6), "HealthApp": (0.2, 4),
    "Proxifier": (0.6, 3), "OpenSSH": (0.6, 5), "OpenStack": (0.5, 5), "Mac": (0.7, 6),
}  # fmt: skip


def drain(system: str, contents: Sequence[str]) -> Parse:
    """Parse a log with the benchmark's masks and settings of its system.

    Raises
    ------
    ValueError
        For an unknown system, no line, or something else than text.
    """
    from drain3.drain import Drain

    one_of("system", system, tuple(BENCHMARK))
    lines = sequence_of_text("contents", contents)
    threshold, depth = SETTINGS.get(system, (0.5, 4))
    patterns = [re.compile(pattern) for pattern in BENCHMARK[system]]
    miner: Any = Drain(depth=depth, sim_th=threshold, max_children=100)
    clusters = []
    for line in lines:
        for pattern in patterns:
            line = pattern.sub("<*>", line)
        clusters.append(miner.add_log_message(line.strip())[0])
    numbers: dict[int, int] = {}
    groups = tuple(numbers.setdefault(c.cluster_id, len(numbers)) for c in clusters)
    texts = {c.cluster_id: c.get_template() for c in clusters}
    return Parse(groups, tuple(texts[number] for number in numbers))
