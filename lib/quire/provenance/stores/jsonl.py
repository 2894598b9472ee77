"""Records read from folders of JSON lines, which a killed writer leaves readable at any byte.

A folder holds ``envelope.json``, ``plans.jsonl``, ``steps.jsonl``, ``chain.jsonl``, and once closed
``verdict.json`` and ``metadata.json``. A line that was cut off is told by `read_folder` and taken
off by `recover`.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
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
from quire.provenance.schema.errors import Malformed, RecordError
from quire.provenance.schema.records import Record, assemble, check_record, parse_record
from quire.provenance.stores.writer import STREAMS, chain_line


@dataclass(frozen=True)
class Recovery:
    """What `recover` did to a folder: bytes taken off, and chain entries written anew."""

    cut_bytes: int
    entered: int
    steps: int


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
    if not (place / "envelope.json").is_file():
        raise Malformed("envelope.json", f"is missing in {place.name!r}")
    envelope = _document(place, "envelope.json", limits)
    plans = tuple(lines(place / "plans.jsonl", limits))
    steps = tuple(lines(place / "steps.jsonl", limits))
    verdict = _document(place, "verdict.json", limits)
    metadata = _document(place, "metadata.json", limits)
    parts = {"envelope": envelope, "plans": plans, "steps": steps}
    record = assemble(parts | {"verdict": verdict, "metadata": metadata})
    if check:
        check_record(record)
    return record


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
    if not found.is_file():
        raise Malformed(found.name or str(found), "is neither a file nor a folder")
    return parse_record(_document(found.parent, found.name, limits), limits)


def read_store(root: str | Path, limits: Limits = LIMITS) -> Iterator[Record]:
    """Yield every record below a folder, by name; folders without an envelope are passed over.

    Yields
    ------
    Record
        In the order of their names.
    """
    for folder in sorted(Path(root).iterdir()):
        if not folder.is_symlink() and (folder / "envelope.json").is_file():
            yield read_folder(folder, limits)


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
    place = Path(folder)
    if not (place / "chain.jsonl").is_file():
        raise Malformed("chain.jsonl", f"is missing in {place.name!r}: nothing was hashed")
    record = read_folder(place, limits, check=False)
    entries, kinds = read_chain(place, limits)
    left = {"plan": list(record.plans), "step": list(record.steps)}
    left["verdict"] = [] if record.verdict is None else [record.verdict]
    documents = [left[kind].pop(0) for kind in kinds[1:] if left.get(kind)]
    for rest in left.values():
        documents += rest
    return verify(record.envelope, documents, entries, head)


def read_chain(folder: Path, limits: Limits = LIMITS) -> tuple[list[Entry], list[str]]:
    """Return a folder's chain, and the kind of document of every entry.

    Raises
    ------
    Malformed
        For a line that is no entry.
    """
    entries, kinds = [], []
    for k, line in enumerate(lines(folder / "chain.jsonl", limits)):
        try:
            number, leaf, link = line["number"], line["leaf"], line["link"]
            whole = len(bytes.fromhex(leaf)) == 32 == len(bytes.fromhex(link))
            entries.append(Entry(int(number), leaf.lower(), link.lower()))
            kinds.append(str(line["kind"]))
        except (KeyError, TypeError, ValueError, AttributeError):
            whole = False
        if not whole:
            raise Malformed(f"chain.jsonl:{k + 1}", "is no entry of a chain")
    return entries, kinds


def lines(file: Path, limits: Limits = LIMITS) -> Iterator[Any]:
    """Yield the objects of a file of JSON lines; a missing file holds none.

    Yields
    ------
    Any
        One object per line.

    Raises
    ------
    Malformed
        For a line that is no object, or a last line that was cut off.
    """
    if not file.is_file():
        return
    with file.open("rb") as stream:
        number = 0
        while line := stream.readline(limits.document + 2):
            number += 1
            path = f"{file.name}:{number}"
            if not line.endswith(b"\n"):
                if len(line) > limits.document:
                    raise Malformed(path, f"holds more than {limits.document:,} bytes")
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


def recover(folder: str | Path) -> Recovery:
    """Make a folder whole after its writer was killed: cut torn lines, enter what is not hashed.

    Only the last document can lack its entry, since a document is written just before it.

    Raises
    ------
    RecordError
        When more is wrong than a killed writer leaves.
    Malformed
        When there is no envelope.
    """
    place = Path(folder)
    cut = 0
    for name in (*STREAMS.values(), "chain.jsonl"):
        file = place / name
        if file.is_file():
            cut += _cut_torn(file)
    envelope = _document(place, "envelope.json", LIMITS)
    if envelope is None:
        raise Malformed("envelope.json", "is missing: the record was never opened")
    verdict = place / "verdict.json"
    if verdict.is_file() and not verdict.read_bytes().endswith(b"\n"):
        cut += verdict.stat().st_size
        verdict.unlink()
    (place / "chain.jsonl").touch()
    entries, kinds = read_chain(place)
    record = read_folder(place, check=False)
    counts = {"envelope": 1, "plan": len(record.plans), "step": len(record.steps)}
    counts["verdict"] = 0 if record.verdict is None else 1
    sources = {"envelope": (envelope,), "plan": record.plans, "step": record.steps}
    sources["verdict"] = () if record.verdict is None else (record.verdict,)
    missing = [(k, n - kinds.count(k)) for k, n in counts.items() if n != kinds.count(k)]
    if any(count != 1 for _, count in missing) or len(missing) > 1:
        raise RecordError("chain.jsonl", f"does not fit the documents: {dict(missing)} not entered")
    with (place / "chain.jsonl").open("ab") as out:
        for kind, _ in missing:
            payload = canonical_bytes(sources[kind][-1])
            leaf = leaf_hash(payload)
            link = (
                next_link(bytes.fromhex(entries[-1].link), leaf) if entries else first_link(payload)
            )
            out.write(chain_line(kind, leaf.hex(), link.hex(), len(entries)))
    return Recovery(cut, len(missing), len(record.steps))


def _document(place: Path, name: str, limits: Limits) -> Any:
    file = place / name
    if not file.is_file():
        return None
    if file.stat().st_size > limits.document:
        raise Malformed(name, f"holds {file.stat().st_size:,} bytes")
    return parse_json(file.read_bytes(), name, limits)


def _cut_torn(file: Path) -> int:
    """Cut a last line without its newline, and return the number of bytes taken off."""
    data = file.read_bytes()
    keep = data.rfind(b"\n") + 1
    if keep < len(data):
        os.truncate(file, keep)
    return len(data) - keep
