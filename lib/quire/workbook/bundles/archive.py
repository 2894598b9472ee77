"""Archives: zip files with a list of checksums, opened only when they are what they say."""

from __future__ import annotations

import hashlib
import io
import re
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import NoReturn

from quire.workbook.errors import UserError, quoted

MANIFEST = "manifest-sha256.txt"
"""The member that lists the sha256 of every other one, as BagIt and ``sha256sum`` write it."""

_MOST_MEMBERS = 20_000
_MOST_BYTES = 1 << 30
_SMALL = 1 << 20
_MOST_TIMES = 200  # a text of zeros packs a thousand times, nothing honest above a megabyte does
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def pack(members: Mapping[str, bytes]) -> bytes:
    """Return a zip of ``members`` by name, with their manifest: the same bytes for the same input.

    Raises
    ------
    UserError
        When a name is none for a member of an archive.
    """
    for name in members:
        fault = _fault_of_name(name)
        if fault or name == MANIFEST:
            raise UserError(f"{quoted(name)} {fault or 'is ours'}", "give the member another name")
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}" for name, data in members.items()]
    everything = {**members, MANIFEST: ("\n".join(lines) + "\n").encode()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, data in everything.items():
            about = zipfile.ZipInfo(name, _EPOCH)
            about.compress_type = zipfile.ZIP_DEFLATED
            about.external_attr = 0o644 << 16
            file.writestr(about, data)
    return buffer.getvalue()


def unpack(path: Path) -> dict[str, bytes]:
    """Return the members of an archive by name, the manifest left out; nothing is written.

    Raises
    ------
    UserError
        When the file is no zip; when a member leaves the folder, is a link, is there twice or is
        packed beyond reason; when a member is missing, unlisted, or not what the manifest says.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder", "name a bundle, which is one zip file")
    try:
        with zipfile.ZipFile(path) as file:
            infos = [info for info in file.infolist() if not info.is_dir()]
            _check_infos(path, infos)
            members = {info.filename: _read(path, file, info) for info in infos}
    except FileNotFoundError:
        raise UserError(f"{path}: no such file", "name a bundle that is there") from None
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError) as fault:
        _refuse(path, f"is no whole zip file ({fault})")
    return _checked(path, members)


def _check_infos(path: Path, infos: list[zipfile.ZipInfo]) -> None:
    if len(infos) > _MOST_MEMBERS:
        _refuse(path, f"holds {len(infos)} members, more than {_MOST_MEMBERS}")
    seen: set[str] = set()
    for info in infos:
        fault = _fault_of_name(info.filename)
        if stat.S_ISLNK(info.external_attr >> 16):
            fault = "is a link"
        elif info.flag_bits & 1:
            fault = "is encrypted"
        elif info.filename.lower() in seen:
            fault = "is there twice"
        elif info.file_size > max(_SMALL, _MOST_TIMES * info.compress_size):
            fault = f"grows from {info.compress_size:,} to {info.file_size:,} bytes"
        if fault:
            _refuse(path, f"{quoted(info.filename)} {fault}")
        seen.add(info.filename.lower())
    total = sum(info.file_size for info in infos)
    if total > _MOST_BYTES:
        _refuse(path, f"unpacks to {total:,} bytes, more than {_MOST_BYTES:,}")


def _fault_of_name(name: str) -> str:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or "\\" in name or ":" in parts[0] or ".." in parts:
        return "leaves the folder"
    if any(ord(letter) < 32 for letter in name) or str(PurePosixPath(name)) != name:
        return "is no plain path"
    return ""


def _read(path: Path, file: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        with file.open(info) as member:
            data = member.read(info.file_size + 1)
    except (RuntimeError, zipfile.BadZipFile) as fault:
        _refuse(path, f"{quoted(info.filename)} is torn ({fault})")
    if len(data) != info.file_size:
        _refuse(path, f"{quoted(info.filename)} is not of the size it names")
    return data


def _checked(path: Path, members: dict[str, bytes]) -> dict[str, bytes]:
    if MANIFEST not in members:
        _refuse(path, f"has no {MANIFEST}")
    listed: dict[str, str] = {}
    for line in members.pop(MANIFEST).decode("utf-8", "replace").splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            _refuse(path, f"{MANIFEST} has a line that is none: {quoted(line)}")
        listed[found[2]] = found[1]
    for name, digest in listed.items():
        if name not in members:
            _refuse(path, f"{quoted(name)} is missing")
        if hashlib.sha256(members[name]).hexdigest() != digest:
            _refuse(path, f"{quoted(name)} was changed: it has another sha256")
    for name in members:
        if name not in listed:
            _refuse(path, f"{quoted(name)} is not in {MANIFEST}")
    return members


def _refuse(path: Path, reason: str) -> NoReturn:
    raise UserError(f"{path.name}: {reason}", "get the bundle anew from whoever made it") from None
