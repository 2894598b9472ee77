"""Inspect AI's logs, read without its models: a zip of JSON samples, each strictly parsed once."""

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from quire.provenance.exchange.importers import _record, _step
from quire.provenance.schema.canonical import Limits, parse_json
from quire.provenance.schema.errors import Malformed
from quire.provenance.schema.records import Record

_ZSTD = 93
_LIMITS = Limits(depth=64, string=16_000_000, document=256_000_000)


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
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError) as fault:
        raise Malformed(Path(file).name, f"is no log: {fault}") from None
    with archive, Path(file).open("rb") as raw:
        found = [i for i in archive.infolist() if i.filename.startswith("samples/")]
        for info in sorted(found, key=lambda i: i.filename):
            if info.file_size > limits.document:
                raise Malformed(info.filename, f"holds {info.file_size:,} bytes")
            sample = parse_json(_content(raw, info, unpack), info.filename, limits)
            if not isinstance(sample, dict):
                raise Malformed(info.filename, "must be an object")
            yield sample


def from_inspect(sample: dict[str, Any]) -> Record:
    """Return a sample as a record: one step per tool call, its message's text as intent.

    Raises
    ------
    Malformed
        When it has no messages.
    """
    messages = sample.get("messages")
    if not isinstance(messages, list):
        raise Malformed("messages", "is missing")
    outputs = {m.get("tool_call_id"): m.get("content") for m in messages if m.get("role") == "tool"}
    steps: list[dict[str, Any]] = []
    for message in messages:
        for call in message.get("tool_calls") or ():
            told = {"tool": call["function"], "input": call.get("arguments")}
            told["output"] = outputs.get(call.get("id"))
            steps.append(_step(len(steps) + 1, _text(message.get("content")), "", [told]))
    model = (sample.get("output") or {}).get("model") or "unknown"
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
    raw: Any, info: zipfile.ZipInfo, unpack: Callable[[bytes, int], bytes] | None
) -> bytes:
    raw.seek(info.header_offset)
    header = raw.read(30)
    if header[:4] != b"PK\x03\x04":
        raise Malformed(info.filename, "has no header in the archive")
    name, extra = struct.unpack("<HH", header[26:30])
    raw.seek(name + extra, 1)
    packed = raw.read(info.compress_size)
    if info.compress_type == zipfile.ZIP_STORED:
        data = packed
    elif info.compress_type == zipfile.ZIP_DEFLATED:
        data = zlib.decompressobj(-15).decompress(packed, info.file_size + 1)
    elif info.compress_type == _ZSTD and unpack is not None:
        data = unpack(packed, info.file_size)
    else:
        raise Malformed(info.filename, f"is packed by method {info.compress_type}")
    if len(data) != info.file_size:
        raise Malformed(info.filename, f"unpacks to another size than {info.file_size:,} bytes")
    return data
