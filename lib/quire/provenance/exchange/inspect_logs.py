"""Inspect AI's logs, read without its models: a zip of JSON samples, each strictly parsed once."""

import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from quire.provenance.exchange.importers import _record, _step, as_list, as_object
from quire.provenance.schema.canonical import Limits, parse_json
from quire.provenance.schema.errors import Malformed
from quire.provenance.schema.records import Record
from quire.provenance.stores.files import open_document
from quire.signatures import checked

_ZSTD = 93
_UNREADABLE = (OSError, ValueError, struct.error, EOFError, RuntimeError, OverflowError)
"""What `zipfile` raises for an archive that was made to be wrong, besides its own."""
_LIMITS = Limits(string=16_000_000, document=256_000_000, values=20_000_000)


@checked
def read_samples(
    file: str | Path, unpack: Callable[[bytes, int], bytes] | None = None, limits: Limits = _LIMITS
) -> Iterator[dict[str, Any]]:
    """Yield every sample of a log (``.eval``), as JSON has it.

    Parameters
    ----------
    file
        The log.
    unpack
        Unpacks Zstandard data of a given size, where the log is packed by it.
    limits
        How large a sample may be.

    Yields
    ------
    dict[str, Any]
        One sample, with ``id``, ``epoch``, ``messages``.

    Raises
    ------
    Malformed
        For a file that is no log, or a sample that is too large or no JSON.
    """
    place = Path(file)
    found = open_document(place.resolve())
    if found is None:
        raise Malformed(place.name, "is no log: there is no such file")
    with os.fdopen(found, "rb") as raw:
        try:
            archive = zipfile.ZipFile(raw)
            held = archive.infolist()
        except (zipfile.BadZipFile, *_UNREADABLE) as fault:
            raise Malformed(place.name, f"is no log: {fault}") from None
        size = raw.seek(0, os.SEEK_END)
        samples = [i for i in held if i.filename.startswith("samples/") and not i.is_dir()]
        for info in sorted(samples, key=lambda i: i.filename):
            if info.file_size > limits.document:
                raise Malformed(info.filename, f"holds {info.file_size:,} bytes")
            sample = parse_json(_content(raw, size, info, unpack), info.filename, limits)
            if not isinstance(sample, dict):
                raise Malformed(info.filename, "must be an object")
            yield sample


def from_inspect(sample: Any) -> Record:
    """Return a sample as a record: one step per tool call, its message's text as intent.

    Raises
    ------
    Malformed
        When it has no messages.
    """
    told_messages = as_object(sample, "sample").get("messages")
    if told_messages is None:
        raise Malformed("messages", "is missing")
    messages = [
        as_object(m, f"messages[{k}]") for k, m in enumerate(as_list(told_messages, "messages"))
    ]
    outputs = {
        str(m.get("tool_call_id")): m.get("content") for m in messages if m.get("role") == "tool"
    }
    steps: list[dict[str, Any]] = []
    for k, message in enumerate(messages):
        for j, call in enumerate(as_list(message.get("tool_calls"), f"messages[{k}].tool_calls")):
            call = as_object(call, f"messages[{k}].tool_calls[{j}]")
            known = {"tool": call.get("function"), "input": call.get("arguments")}
            known["output"] = outputs.get(str(call.get("id")))
            steps.append(_step(len(steps) + 1, _text(message.get("content")), "", [known]))
    model = as_object(sample.get("output") or {}, "output").get("model") or "unknown"
    return _record(
        f"inspect-{sample.get('id')}-{sample.get('epoch', 1)}",
        {"source": "inspect", "reference": str(sample.get("id"))},
        {"model": str(model)},
        steps,
        {"scores": sample.get("scores"), "messages": len(messages)},
    )


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(p.get("text", "")) for p in content if isinstance(p, dict)).strip()
    return content or ""


def _content(
    raw: Any, size: int, info: zipfile.ZipInfo, unpack: Callable[[bytes, int], bytes] | None
) -> bytes:
    if info.flag_bits & 1:
        raise Malformed(info.filename, "is encrypted")
    if not (0 <= info.header_offset <= size and 0 <= info.compress_size <= size):
        raise Malformed(info.filename, "lies beyond the end of the archive")
    raw.seek(info.header_offset)
    header = raw.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise Malformed(info.filename, "has no header in the archive")
    name, extra = struct.unpack("<HH", header[26:30])
    raw.seek(name + extra, 1)
    packed = raw.read(info.compress_size)
    if info.compress_type == zipfile.ZIP_STORED:
        data = packed
    elif info.compress_type == zipfile.ZIP_DEFLATED:
        try:
            data = zlib.decompressobj(-15).decompress(packed, info.file_size + 1)
        except zlib.error as fault:
            raise Malformed(info.filename, f"does not unpack: {fault}") from None
    elif info.compress_type == _ZSTD and unpack is not None:
        try:
            data = unpack(packed, info.file_size)
        except Exception as fault:  # of whatever library unpacks
            raise Malformed(info.filename, f"does not unpack: {fault}") from None
    else:
        raise Malformed(info.filename, f"is packed by method {info.compress_type}")
    if len(data) != info.file_size:
        raise Malformed(info.filename, f"unpacks to another size than {info.file_size:,} bytes")
    if zlib.crc32(data) != info.CRC:
        raise Malformed(info.filename, "does not have the checksum that stands beside it")
    return data
