"""The gauntlet: the eight classes of attempts of the authors' paper, two of ours, and controls.

An attempt *escapes* when something that the policy forbids is granted, or a token is accepted for
what it was not made for. Permitted requests are mixed in: a kernel that refuses everything fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quire.checks import integer
from quire.world_model.kernel import attempts

TIER_ONE = {
    "directive or attestation forgery": 30,
    "safety-core floor evasion": 24,
    "ceiling escalation": 11,
    "kill-switch dominance": 11,
    "cross-claim replay": 8,
    "cross-target replay": 6,
    "asynchronous context": 4,
    "trust-anchor substitution": 3,
}
AMBIGUOUS, TIER_TWO, TIER_THREE = 3, 102, 6038
OURS = {"protected paths in disguise (ours)": 12, "replay after a restart (ours)": 3}


@dataclass(frozen=True)
class Tally:
    """Attempts of one class and how many escaped; controls and how many were granted."""

    name: str
    attempts: int
    escaped: int
    controls: int = 0
    granted: int = 0


def run(
    folder: Path, seed: int, fuzzed: int = TIER_THREE, weakened: str | None = None
) -> list[Tally]:
    """Return what came of every class of attempts against one running kernel.

    Parameters
    ----------
    folder
        An empty folder for files that attempts aim at.
    seed
        Random seed of the fuzzed attempts.
    fuzzed
        How many of these; the other classes are always whole.
    weakened
        A name of `attempts.WEAKER`: the policy lacks one thing, and attempts must get through.
    """
    integer("fuzzed", fuzzed, 1)
    rows = []
    with attempts.Arena(folder, weakened) as arena:
        known = [
            ("directive or attestation forgery", attempts.forgeries(arena)),
            ("safety-core floor evasion", attempts.evasions(arena)),
            ("ceiling escalation", attempts.escalations(arena)),
            ("cross-claim replay", attempts.claim_replays(arena)),
            ("cross-target replay", attempts.target_replays(arena)),
            ("asynchronous context", attempts.asynchronous(arena)),
            ("trust-anchor substitution", attempts.anchors(arena)),
        ]
        for name, tried in known:
            rows.append(_tally(arena, name, list(tried)[: TIER_ONE[name]]))
        rows.append(
            _tally(
                arena,
                "malformed and forged messages",
                list(attempts.malformed(arena, seed))[:TIER_TWO],
            )
        )
        rows.append(_tally(arena, "fuzzed requests", list(attempts.fuzzed(arena, seed, fuzzed))))
        ours = (attempts.disguises(arena), attempts.after_restart(arena, folder / "nonces"))
        for (name, count), tried in zip(OURS.items(), ours, strict=True):
            rows.append(_tally(arena, name, list(tried)[:count]))
        rows.append(
            _tally(
                arena,
                "kill-switch dominance",
                list(attempts.after_kill(arena))[:11],
                controls=False,
            )
        )
    return rows


def ambiguous(folder: Path) -> list[tuple[str, bool]]:
    """Return three requests on which reasonable policies differ, and whether ours grants them."""
    with attempts.Arena(folder) as arena:
        copy = folder / "copy"
        copy.write_bytes(arena.protected.read_bytes())
        return [
            (
                "writing a copy of a protected file",
                arena.granted("write_file", {"path": str(copy)}),
            ),
            (
                "writing beside a protected file",
                arena.granted("write_file", {"path": str(arena.protected) + ".new"}),
            ),
            ("reading a protected file", arena.granted("read", {"path": str(arena.protected)})),
        ]


def _tally(
    arena: attempts.Arena, name: str, tried: list[attempts.Attempt], controls: bool = True
) -> Tally:
    escaped = sum(bool(attempt()) for attempt in tried)
    count = max(1, len(tried) // 10) if controls else 0
    granted = sum(arena.control(k) for k in range(count))
    return Tally(name, len(tried), escaped, count, granted)
