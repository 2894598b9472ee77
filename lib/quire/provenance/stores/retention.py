"""Retention: which records are evicted by count and age, and the tombstone that stays of each."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from quire.checks import integer, non_negative, positive
from quire.provenance.chain.hash_chain import Head
from quire.provenance.schema.canonical import LIMITS, canonical_bytes, parse_json
from quire.provenance.schema.errors import Malformed
from quire.provenance.schema.shapes import check_id
from quire.provenance.stores.files import read_document, write_new
from quire.signatures import checked

DAY = 86_400.0


@dataclass(frozen=True)
class Kept:
    """A record in a store: its id, when it ended (seconds), and whether it is pinned."""

    id: str
    ended: float
    pinned: bool = False


@checked
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
    check_id(folder.name, "folder")
    if folder.is_symlink():
        raise Malformed(folder.name, "is a link in the store")
    if not (folder / "envelope.json").is_file():
        raise Malformed("envelope.json", f"is missing in {folder.name!r}")
    stone = folder.parent / f"{folder.name}.tombstone.json"
    text = {"investigation_id": folder.name, "evicted_at": now, "head": asdict(head)}
    write_new(stone, canonical_bytes(text) + b"\n")
    # what is half removed bears no record's name any more
    gone = folder.rename(folder.with_name(f".{folder.name}.evicted"))
    shutil.rmtree(gone)
    return stone


def read_tombstone(file: Path) -> tuple[str, Head]:
    """Return the id and the head that a tombstone keeps.

    Raises
    ------
    Malformed
        When the file is no tombstone.
    """
    data = read_document(file, LIMITS.document)
    if data is None:
        raise Malformed(file.name, "is missing")
    text = parse_json(data, file.name)
    head = text.get("head") if isinstance(text, dict) else None
    number, link = (head.get("number"), head.get("link")) if isinstance(head, dict) else (0, 0)
    if type(number) is not int or number < 0 or not isinstance(link, str):
        raise Malformed(file.name, "is no tombstone")
    return check_id(text.get("investigation_id"), f"{file.name}.investigation_id"), Head(
        number, link
    )
