"""Semantic noise: lines reworded as another version of the software might word them.

The tables are ours; their form and their probabilities are those of the paper's code: packs of
rules, the more the higher the level, drawn from a generator seeded by the line itself. Digits are
never touched, so that identities of blocks, instances and attempts stay.
"""

import hashlib
import re
from typing import Any

import numpy as np

from quire import checks
from quire.self_healing.errors import one_of

LEVELS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

# Packs in the order in which a higher level adds them; each rule is (words, what they become).
PACKS: dict[str, tuple[tuple[tuple[str, str], ...], ...]] = {
    "HDFS": (
        (("terminating", "shutting down"), ("Verification succeeded", "Checksum confirmed")),
        (("Received", "Obtained"), ("Receiving", "Obtaining"), ("Served", "Delivered")),
        (("PacketResponder", "AckWorker"), ("of size", "with length"), ("Deleting", "Removing")),
        (("block", "chunk"), ("blk_", "chunk-id:"), ("blockMap updated", "chunk table changed")),
        (
            ("src:", "origin="), ("dest:", "goal="), ("NameSystem", "Directory"),
            ("is added to", "now belongs to"), ("addStoredBlock", "registerStoredChunk"),
        ),
    ),
    "OpenStack": (
        (("instance", "server"), ("Terminating", "Stopping for good")),
        (("VM", "Guest"), ("Lifecycle Event", "State Change"), ("Creating", "Building")),
        (("seconds", "s"), ("hypervisor", "compute host"), ("status:", "code=")),
        (("image", "disk template"), ("base file", "backing file"), ("Deleting", "Removing")),
        (
            ("memory limit", "RAM cap"), ("vcpu", "core"), ("Claim", "Reservation"),
            ("len:", "bytes="),
        ),
    ),
    "Hadoop": (
        (("TaskAttempt", "TryOfTask"), ("Transitioned", "Moved"), ("attempt", "try")),
        (("container", "slot"), ("Retrying connect", "Connecting again"), ("server", "peer")),
        (("Failed", "Could not"), ("Progress of", "Advance of"), ("scheduled", "planned")),
    ),
}  # fmt: skip


def add_noise(system: Any, text: Any, level: Any, seed: Any = 2026) -> str:
    """Return a line as a noisy version of the system would write it.

    Parameters
    ----------
    system
        HDFS, OpenStack or Hadoop.
    text
        The line.
    level
        From 0, which changes nothing, to 1.
    seed
        Together with system, level and text it decides what is changed.

    Raises
    ------
    ValueError
        For another system, a level outside [0, 1], or something else than text.
    """
    one_of("system", system, tuple(PACKS))
    level = checks.non_negative("level", level)
    if level > 1:
        raise ValueError(f"level = {level:g}: must be at most 1")
    checks.integer("seed", seed, 0)
    if not isinstance(text, str):
        raise ValueError(f"text = {text!r}: must be text")
    if level == 0:
        return text
    digest = hashlib.sha256(f"{seed}|{system}|{level:.6f}|{text}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    packs = PACKS[system]
    if system == "HDFS":
        if rng.random() >= level:
            return text
        chosen = packs[: max(1, round(level * len(packs)))]
    else:
        if rng.random() >= min(1.0, 0.25 + 0.65 * level):
            return text
        hits = [pack for pack in packs if any(_rule(word).search(text) for word, _ in pack)]
        order = rng.permutation(len(hits))[: max(1, round(level * len(packs)))]
        chosen = tuple(hits[k] for k in order)
    for pack in chosen:
        for word, other in pack:
            text = _rule(word).sub(other, text)
    return text


def _rule(word: str) -> re.Pattern[str]:
    end = "" if word[-1] in "_:" else r"(?![A-Za-z])"
    return re.compile(rf"(?<![A-Za-z]){re.escape(word)}{end}")
