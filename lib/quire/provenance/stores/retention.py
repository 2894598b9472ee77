"""Retention: which records are evicted by count and age, and the tombstone that stays of each."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from quire.checks import integer, non_negative, positive
from quire.provenance.chain.hash_chain import Head
from quire.provenance.schema.canonical import canonical_bytes, parse_json
from quire.provenance.schema.errors import Malformed
from quire.provenance.schema.shapes import check_id

DAY = 86_400.0


@dataclass(frozen=True)
class Kept:
    """A record in a store: its id, when it ended (seconds), and whether it is pinned."""

    id: str
    ended: float
    pinned: bool = False


def to_evict(records: Sequence[Kept], now: float, count: int = 50, days: float = 14.0) -> list[str]:
    """Return the ids to evict: older than ``days``, and all but the newest ``count``.

    A pinned record is never evicted and does not count. Both defaults are the paper's.

    Parameters
    ----------
    records
        In any order.
    now
        Seconds on the clock of ``ended``.
    count
        How many unpinned records stay.
    days
        How old an unpinned record may get.
    """
    now = non_negative("now", now)
    count, days = integer("count", count, 0), positive("days", days)
    loose = sorted((r for r in records if not r.pinned), key=lambda r: (-r.ended, r.id))
    return [r.id for k, r in enumerate(loose) if k >= count or now - r.ended > days * DAY]


def leave_tombstone(folder: Path, head: Head, now: float) -> Path:
    """Replace a record's documents by a tombstone with its head, and return the tombstone's file.

    The chain of a store of records stays complete: what was evicted is still accounted for.

    Raises
    ------
    Malformed
        When the folder holds no record.
    """
    if not (folder / "envelope.json").is_file():
        raise Malformed("envelope.json", f"is missing in {folder.name!r}")
    check_id(folder.name, "folder")
    stone = folder.parent / f"{folder.name}.tombstone.json"
    text = {"investigation_id": folder.name, "evicted_at": now, "head": asdict(head)}
    stone.write_bytes(canonical_bytes(text) + b"\n")
    shutil.rmtree(folder)
    return stone


def read_tombstone(file: Path) -> tuple[str, Head]:
    """Return the id and the head that a tombstone keeps.

    Raises
    ------
    Malformed
        When the file is no tombstone.
    """
    text = parse_json(file.read_bytes(), file.name)
    try:
        return str(text["investigation_id"]), Head(
            int(text["head"]["number"]), str(text["head"]["link"])
        )
    except (KeyError, TypeError, ValueError):
        raise Malformed(file.name, "is no tombstone") from None
