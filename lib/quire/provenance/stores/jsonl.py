"""Records read from folders of JSON lines, which a killed writer leaves readable at any byte.

A folder holds ``envelope.json``, ``plans.jsonl``, ``steps.jsonl``, ``chain.jsonl``, and once closed
``verdict.json`` and ``metadata.json``. A line that was cut off is told by `read_folder` and taken
off by `recover`.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from quire.merkle import leaf_hash
from quire.provenance.chain.hash_chain import (
    Entry,
    Head,
    Verification,
    first_link,
    next_link,
    verify,
)
from quire.provenance.schema.canonical import LIMITS, Limits, canonical_bytes, parse_json
from quire.provenance.schema.errors import Malformed, RecordError, told
from quire.provenance.schema.records import Record, assemble, check_record, parse_record
from quire.provenance.stores.files import open_document, read_document
from quire.provenance.stores.writer import STREAMS, chain_line
from quire.signatures import checked

_HASH = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class Recovery:
    """What `recover` did to a folder: bytes taken off, and chain entries written anew."""

    cut_bytes: int
    entered: int
    steps: int


@checked
def read_folder(folder: str | Path, limits: Limits = LIMITS, check: bool = True) -> Record:
    """Return the record of a folder, checked against every rule.

    Parameters
    ----------
    folder
        Holds ``envelope.json`` and the rest; missing plans, steps or metadata are empty.
    limits
        How large one document may be.
    check
        Whether the rules are checked.

    Raises
    ------
    RecordError
        The first fault, with its file, line and field.
    Malformed
        When there is no envelope.
    """
    place = Path(folder)
    envelope = _document(place, "envelope.json", limits)
    if envelope is None:
        raise Malformed("envelope.json", f"is missing in {told(place.name)}")
    plans = tuple(lines(place / "plans.jsonl", limits))
    steps = tuple(lines(place / "steps.jsonl", limits))
    verdict = _document(place, "verdict.json", limits)
    metadata = _document(place, "metadata.json", limits)
    parts = {"envelope": envelope, "plans": plans, "steps": steps}
    record = assemble(parts | {"verdict": verdict, "metadata": metadata})
    if check:
        check_record(record)
    return record


@checked
def read_record(place: str | Path, limits: Limits = LIMITS) -> Record:
    """Return the record of a folder, or of a file that holds it as one JSON object; checked.

    Raises
    ------
    RecordError
        The first fault, with its file, line and field.
    Malformed
        When there is nothing, or a file that is too large.
    """
    found = Path(place)
    if found.is_dir():
        return read_folder(found, limits)
    data = read_document(found.resolve(), limits.document)
    if data is None:
        raise Malformed(found.name or str(found), "is neither a file nor a folder")
    return parse_record(parse_json(data, found.name, limits), limits)


@checked
def read_store(root: str | Path, limits: Limits = LIMITS) -> Iterator[Record]:
    """Yield every record below a folder, by name; folders without an envelope are passed over.

    Yields
    ------
    Record
        In the order of their names.

    Raises
    ------
    RecordError
        The first fault, with its folder, file, line and field.
    Malformed
        When there is no such folder.
    """
    place = Path(root)
    if not place.is_dir():
        raise Malformed(place.name or str(place), "is no folder of records")
    for folder in sorted(place.iterdir()):
        if not folder.is_symlink() and (folder / "envelope.json").is_file():
            try:
                record = read_folder(folder, limits)
            except RecordError as fault:
                raise type(fault)(f"{folder.name}/{fault.path}", fault.why) from None
            yield record


@checked
def verify_folder(
    folder: str | Path, head: Head | None = None, limits: Limits = LIMITS
) -> Verification:
    """Return whether a folder's documents and its chain agree.

    Parameters
    ----------
    folder
        A record's folder.
    head
        What was kept elsewhere; without it a cut-off end is not seen.
    limits
        How large one document may be.

    Raises
    ------
    Malformed
        When the folder holds no chain.
    """
    return _verified(folder, head, limits)[1]


@checked
def read_verified(folder: str | Path, head: Head | None, limits: Limits = LIMITS) -> Record:
    """Return the record of a folder, checked, whose chain fits it and a head.

    What is returned is what was verified: a folder that is read twice may have changed in between.

    Raises
    ------
    RecordError
        The first fault of the record.
    Malformed
        When the chain is missing or broken, with the place and the kind.
    """
    record, found = _verified(folder, head, limits)
    if not found.intact:
        raise Malformed("chain.jsonl", f"is {found}")
    check_record(record)
    return record


def _verified(folder: str | Path, head: Head | None, limits: Limits) -> tuple[Record, Verification]:
    place = Path(folder)
    record = read_folder(place, limits, check=False)
    if not (place / "chain.jsonl").exists():
        raise Malformed("chain.jsonl", f"is missing in {told(place.name)}: nothing was hashed")
    entries, kinds = read_chain(place, limits)
    left = {"plan": iter(record.plans), "step": iter(record.steps)}
    left["verdict"] = iter(() if record.verdict is None else (record.verdict,))
    documents: list[Any] = []
    for kind in kinds[1:]:
        documents += islice(left.get(kind, ()), 1)
    for rest in left.values():
        documents += rest
    return record, verify(record.envelope, documents, entries, head)


def read_chain(
    folder: Path, limits: Limits = LIMITS, torn: bool = False
) -> tuple[list[Entry], list[str]]:
    """Return a folder's chain, and the kind of document of every entry.

    Parameters
    ----------
    folder
        A record's folder.
    limits
        How large the chain may be.
    torn
        Whether a last line without its newline is left out.

    Raises
    ------
    Malformed
        For a line that is no entry.
    """
    entries, kinds = [], []
    for k, line in enumerate(lines(folder / "chain.jsonl", limits, torn)):
        number, leaf, link, kind = (line.get(name) for name in ("number", "leaf", "link", "kind"))
        whole = type(number) is int and isinstance(kind, str)
        if not whole or not all(isinstance(x, str) and _HASH.fullmatch(x) for x in (leaf, link)):
            raise Malformed(f"chain.jsonl:{k + 1}", "is no entry of a chain")
        entries.append(Entry(number, leaf.lower(), link.lower()))
        kinds.append(kind)
    return entries, kinds


def lines(file: Path, limits: Limits = LIMITS, torn: bool = False) -> Iterator[Any]:
    """Yield the objects of a file of JSON lines; a missing file holds none.

    Parameters
    ----------
    file
        A file, no link to one.
    limits
        How large a line, and all of them together, may be.
    torn
        Whether a last line without its newline is left out.

    Yields
    ------
    Any
        One object per line.

    Raises
    ------
    Malformed
        For a line that is no object, or a last line that was cut off.
    """
    found = open_document(file)
    if found is None:
        return
    number = total = 0
    with os.fdopen(found, "rb") as stream:
        while line := stream.readline(limits.document + 2):
            number += 1
            total += len(line)
            path = f"{file.name}:{number}"
            if total > limits.record:
                raise Malformed(path, f"stands beyond {limits.record:,} bytes")
            if not line.endswith(b"\n"):
                if len(line) > limits.document:
                    raise Malformed(path, f"holds more than {limits.document:,} bytes")
                if torn:
                    return
                # a file that another tool wrote may lack the last newline: whole JSON is read
                try:
                    value = parse_json(line, path, limits)
                except Malformed as fault:
                    raise Malformed(
                        path, f"was cut off, recover() takes it off ({fault.why})"
                    ) from None
            elif not line.strip():
                continue
            else:
                value = parse_json(line, path, limits)
            if not isinstance(value, dict):
                raise Malformed(path, f"is a {type(value).__name__}: must be an object")
            yield value


@checked
def recover(folder: str | Path) -> Recovery:
    """Make a folder whole after its writer was killed: cut torn lines, enter what is not hashed.

    Only the last document can lack its entry, since a document is written just before it. Nothing
    is changed before all of it was found to be right.

    Raises
    ------
    RecordError
        When more is wrong than a killed writer leaves.
    Malformed
        When there is no envelope, or a link or a file of two names among the files.
    """
    place = Path(folder)
    envelope = _document(place, "envelope.json", LIMITS)
    if envelope is None:
        raise Malformed("envelope.json", "is missing: the record was never opened")
    cuts = {}
    for name in (*STREAMS.values(), "chain.jsonl"):
        cuts[name] = _torn_bytes(place / name)
    verdict, torn_verdict = _verdict_or_torn(place)
    entries, kinds = read_chain(place, LIMITS, torn=True)
    plans = tuple(lines(place / "plans.jsonl", LIMITS, torn=True))
    steps = tuple(lines(place / "steps.jsonl", LIMITS, torn=True))
    assemble({"envelope": envelope, "plans": plans, "steps": steps, "verdict": verdict})
    sources = {"envelope": (envelope,), "plan": plans, "step": steps}
    sources["verdict"] = () if verdict is None else (verdict,)
    missing = [
        (kind, len(held) - kinds.count(kind))
        for kind, held in sources.items()
        if len(held) != kinds.count(kind)
    ]
    if any(count != 1 for _, count in missing) or len(missing) > 1:
        raise RecordError("chain.jsonl", f"does not fit the documents: {dict(missing)} not entered")
    added = b""
    for kind, _ in missing:
        payload = canonical_bytes(sources[kind][-1])
        leaf = leaf_hash(payload)
        link = next_link(bytes.fromhex(entries[-1].link), leaf) if entries else first_link(payload)
        added += chain_line(kind, leaf.hex(), link.hex(), len(entries))
    changed = [name for name, torn in cuts.items() if torn or (added and name == "chain.jsonl")]
    for name in changed:  # one that may not be written is told before another is
        _close(open_document(place / name, os.O_RDWR))
    for name in changed:
        _mend(place / name, cuts[name], added if name == "chain.jsonl" else b"")
    if torn_verdict:
        (place / "verdict.json").unlink()
    return Recovery(sum(cuts.values()) + torn_verdict, len(missing), len(steps))


def _document(place: Path, name: str, limits: Limits) -> Any:
    data = read_document(place / name, limits.document)
    return None if data is None else parse_json(data, name, limits)


def _verdict_or_torn(place: Path) -> tuple[Any, int]:
    """Return a folder's verdict; or the bytes of one that was cut off, which is none.

    Raises
    ------
    Malformed
        For a whole line that is none.
    """
    data = read_document(place / "verdict.json", LIMITS.document)
    if data is None:
        return None, 0
    try:
        return parse_json(data, "verdict.json"), 0
    except Malformed:
        if data.endswith(b"\n"):
            raise
        return None, len(data)


def _torn_bytes(file: Path) -> int:
    """Return the bytes of a last line without its newline."""
    found = open_document(file)
    if found is None:
        return 0
    with os.fdopen(found, "rb") as stream:
        size = at = stream.seek(0, os.SEEK_END)
        while at:
            low = max(0, at - 65_536)
            stream.seek(low)
            newline = stream.read(at - low).rfind(b"\n")
            if newline >= 0:
                return size - (low + newline + 1)
            at = low
        return size


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)


def _mend(file: Path, torn: int, added: bytes) -> None:
    """Take bytes off the end of a file and write others there."""
    found = open_document(file, os.O_RDWR | os.O_CREAT)
    assert found is not None
    with os.fdopen(found, "r+b") as stream:
        stream.truncate(stream.seek(0, os.SEEK_END) - torn)
        stream.seek(0, os.SEEK_END)
        stream.write(added)
