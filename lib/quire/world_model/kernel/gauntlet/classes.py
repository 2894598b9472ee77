"""The gauntlet: the eight classes of attempts of the authors' paper, three of ours, and controls.

An attempt *escapes* when something that the policy forbids is granted, or a token is accepted for
what it was not made for. Permitted requests are mixed in: a kernel that refuses everything fails.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from quire.checks import integer
from quire.world_model.kernel.gauntlet import arena as arenas
from quire.world_model.kernel.gauntlet import directives, messages, paths, replays

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
OURS = {
    "protected paths in disguise (ours)": 12,
    "links and readings of paths (ours)": 58,
    "replay after a restart (ours)": 3,
}


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
        A name of `arena.WEAKER`: the policy lacks one thing, and attempts must get through.
    """
    integer("fuzzed", fuzzed, 1)
    rows = []
    with arenas.Arena(folder, weakened) as arena:
        known = [
            ("directive or attestation forgery", directives.forgeries(arena)),
            ("safety-core floor evasion", paths.evasions(arena)),
            ("ceiling escalation", directives.escalations(arena)),
            ("cross-claim replay", replays.claim_replays(arena)),
            ("cross-target replay", replays.target_replays(arena)),
            ("asynchronous context", replays.asynchronous(arena)),
            ("trust-anchor substitution", replays.anchors(arena)),
        ]
        for name, tried in known:
            rows.append(_tally(arena, name, list(tried)[: TIER_ONE[name]]))
        rows.append(
            _tally(
                arena,
                "malformed and forged messages",
                list(messages.malformed(arena, seed))[:TIER_TWO],
            )
        )
        rows.append(_tally(arena, "fuzzed requests", list(messages.fuzzed(arena, seed, fuzzed))))
        ours = (
            paths.disguises(arena),
            paths.readings(arena),
            replays.after_restart(arena, folder / "nonces"),
        )
        for (name, count), tried in zip(OURS.items(), ours, strict=True):
            rows.append(_tally(arena, name, list(tried)[:count]))
        rows[-2] = _also_granted(rows[-2], list(paths.harmless(arena)))
        rows.append(
            _tally(
                arena,
                "kill-switch dominance",
                list(directives.after_kill(arena))[:11],
                controls=False,
            )
        )
    return rows


def ambiguous(folder: Path) -> list[tuple[str, bool]]:
    """Return three requests on which reasonable policies differ, and whether ours grants them."""
    with arenas.Arena(folder) as arena:
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


def _also_granted(row: Tally, good: list[arenas.Attempt]) -> Tally:
    """Return a row with more controls: what a kernel that refuses too much would refuse."""
    granted = row.granted + sum(bool(attempt()) for attempt in good)
    return replace(row, controls=row.controls + len(good), granted=granted)


def _tally(
    arena: arenas.Arena, name: str, tried: list[arenas.Attempt], controls: bool = True
) -> Tally:
    escaped = sum(bool(attempt()) for attempt in tried)
    count = max(1, len(tried) // 10) if controls else 0
    granted = sum(arena.control(k) for k in range(count))
    return Tally(name, len(tried), escaped, count, granted)
