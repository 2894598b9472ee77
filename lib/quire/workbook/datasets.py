"""Datasets: files that others made, named in ``data/registry.toml``, never part of the repository.

A dataset is looked for under ``data/`` of the workbook (or in the user's cache, where the workbook
can not be written), then in a mirror, a folder that stands in for the network: the one named by
``QUIRE_DATA_MIRROR``, or ``../shared/data`` beside the checkout. Nothing is used unless its sha256
is the registry's. Only `fetch` goes to the network.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quire.workbook.errors import UserError, first_complaint, plain_line, quoted
from quire.workbook.files import make_folder, replacing
from quire.workbook.home import cache_folder, home

State = Literal["here", "in mirror", "missing", "corrupt"]
Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all) while files come in."""

MIRROR_VARIABLE = "QUIRE_DATA_MIRROR"

_used: dict[str, str] = {}


class Dataset(BaseModel):
    """One external file, as the registry names it.

    Attributes
    ----------
    name
        ``"15/matmul-results.csv"``: chapter, slash, file.
    url
        Where it is public, at a fixed commit.
    sha256, bytes
        What the file must be.
    path
        Where it lies below ``data/`` and below a mirror.
    licence, citation
        The terms it comes under, and whom to cite.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^\d\d/[^/\s]+$")
    url: str = Field(pattern=r"^https?://\S+$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(gt=0, strict=True)
    path: str = Field(pattern=r"^\d\d-[a-z0-9-]+(/[^/]*[^/.][^/]*)+$")
    licence: str = Field(min_length=3)
    citation: str = Field(min_length=10)


@dataclass(frozen=True)
class Holding:
    """A dataset and what is held of it on this machine: nothing, a whole copy, or a corrupt one."""

    name: str
    state: State
    place: str
    bytes: int
    sha256: str
    licence: str
    citation: str
    url: str


def registered() -> dict[str, Dataset]:
    """Return every dataset of the registry by name.

    Raises
    ------
    UserError
        When ``data/registry.toml`` is missing or faulty; names the entry and the field.
    """
    registry = home() / "data" / "registry.toml"
    try:
        text = registry.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{registry} is missing", "restore it from git") from None
    except OSError as fault:
        raise UserError(f"{registry}: {fault.strerror}", "restore it from git") from None
    return dict(_parsed(text))


@functools.lru_cache(maxsize=8)
def _parsed(text: bytes) -> dict[str, Dataset]:
    """Return the entries of a registry; asked for at every use of a dataset, and read once.

    Raises
    ------
    UserError
        When it is not TOML, an entry is faulty, or two entries have one path.
    """
    try:
        tables = tomllib.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as fault:  # TOML, UTF-8, or nested without end
        said = "it is nested too deeply" if isinstance(fault, RecursionError) else str(fault)
        raise UserError(f"data/registry.toml: {said}", "mend the registry's TOML") from None
    found = {name: _entry(name, table) for name, table in tables.items()}
    owners: dict[str, str] = {}
    for name, dataset in found.items():
        first = owners.setdefault(dataset.path, name)
        if first != name:
            raise UserError(
                f'data/registry.toml: "{first}" and "{name}" have one path, {dataset.path}',
                "give each a path of its own",
            )
    return found


def find(name: str) -> Dataset:
    """Return the dataset called ``name``.

    Raises
    ------
    UserError
        When the registry has none.
    """
    known = registered()
    if name not in known:
        raise UserError(f"no dataset {quoted(name)}", "see 'quire data list' for the names")
    return known[name]


def available(name: str) -> bool:
    """Return whether ``name`` is here or in the mirror with the right checksum; no network."""
    dataset = find(name)
    return any(_is_whole(file, dataset) for file in _places(dataset))


def path(name: str) -> Path:
    """Return where ``name`` lies, its checksum verified, and remember that it was used.

    Raises
    ------
    UserError
        When it is neither here nor in the mirror, or only in a corrupted copy.
    """
    dataset = find(name)
    spoiled = None
    for file in _places(dataset):
        if _is_whole(file, dataset):
            _used[name] = dataset.sha256
            return file
        if file.is_file():
            spoiled = spoiled or file
    if spoiled is not None:
        raise UserError(
            f"{spoiled} does not have the registry's sha256", f"run 'quire data fetch {name}'"
        )
    raise UserError(f"dataset {name} is not here", f"run 'quire data fetch {name}'")


def used() -> dict[str, str]:
    """Return the datasets that this process took through `path`, with their sha256."""
    return dict(sorted(_used.items()))


def listing() -> tuple[Holding, ...]:
    """Return what is held of every registered dataset, without touching the network."""
    return tuple(_holding(dataset) for dataset in registered().values())


def verify() -> tuple[Holding, ...]:
    """Return the datasets of which there is a copy, each whole or *corrupt* by its sha256."""
    return tuple(holding for holding in listing() if holding.state != "missing")


def fetch(name: str | None = None, on_progress: Progress | None = None) -> tuple[Path, ...]:
    """Bring one dataset, or all that are missing, into ``data/``; from the mirror if it has them.

    A file arrives whole and verified, or not at all; one that does not arrive stops none of the
    others.

    Parameters
    ----------
    name
        A dataset of the registry; None for every one.
    on_progress
        Told how many bytes have come.

    Returns
    -------
    tuple of Path
        Where each of them lies.

    Raises
    ------
    UserError
        For an unknown dataset, and at the end for those that could not be had: no network, an
        answer other than the file, too many bytes or too few, a checksum mismatch, a folder that
        can not be written.
    """
    wanted = list(registered().values()) if name is None else [find(name)]
    bar = _Bar(sum(dataset.bytes for dataset in wanted), on_progress or (lambda done, total: None))
    paths: list[Path] = []
    faults: list[UserError] = []
    silent: set[str] = set()
    for dataset in wanted:
        try:
            paths.append(_fetch(dataset, bar, silent))
        except UserError as fault:
            faults.append(fault)
        bar.finish(dataset.bytes)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        told = "; ".join(f"{plain_line(fault.what)}" for fault in faults[:3])
        more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise UserError(
            f"{len(faults)} of {len(wanted)} datasets could not be fetched: {told}{more}",
            f"{faults[0].remedy}; the others are here",
        )
    return tuple(paths)


def _fetch(dataset: Dataset, bar: _Bar, silent: set[str]) -> Path:
    target = make_folder((_folder() / dataset.path).parent) / Path(dataset.path).name
    if _is_whole(target, dataset):
        return target
    copies = [copy for copy in _copies(dataset) if copy.is_file()]
    if copies:
        _copy(copies[0], dataset, target)
        return target
    host = urlsplit(dataset.url).netloc
    if host in silent:
        raise UserError(
            f"dataset {dataset.name}: no answer from {host}",
            f"check the network, or point {MIRROR_VARIABLE} at a copy",
        )
    from quire.workbook.downloads import Wanted, download  # requests: a kernel needs none

    try:
        download(
            Wanted(dataset.name, dataset.url, dataset.bytes, dataset.sha256), target, bar.update
        )
    except UserError as fault:
        if "no answer" in fault.what:
            silent.add(host)  # asked once, for every one of its files
        raise
    return target


def _copy(copy: Path, dataset: Dataset, target: Path) -> None:
    if not _is_whole(copy, dataset):
        raise UserError(
            f"{copy} does not have the registry's sha256",
            f"mend the mirror, or set {MIRROR_VARIABLE} to another",
        )
    with replacing(target) as file, copy.open("rb") as content:
        shutil.copyfileobj(content, file)


class _Bar:
    """How many bytes of all files of one fetch have come, told on to the caller."""

    def __init__(self, all_bytes: int, on_progress: Progress) -> None:
        self.all_bytes = all_bytes
        self.on_progress = on_progress
        self.finished = 0
        self.under_way = 0

    def update(self, more: int) -> None:
        self.under_way += more
        self.on_progress(min(self.finished + self.under_way, self.all_bytes), self.all_bytes)

    def finish(self, size: int) -> None:
        self.finished += size
        self.under_way = 0
        self.on_progress(self.finished, self.all_bytes)


def _entry(name: str, table: object) -> Dataset:
    fields = {"name": name, **table} if isinstance(table, dict) else {"name": name}
    try:
        return Dataset.model_validate(fields)
    except ValidationError as fault:
        raise UserError(
            f'data/registry.toml, entry "{name}": {first_complaint(fault)}',
            "give url, sha256, bytes, path, licence and citation",
        ) from None


def _holding(dataset: Dataset) -> Holding:
    state: State = "missing"
    place = ""
    local = _folder() / dataset.path
    for file in _places(dataset):
        if _is_whole(file, dataset):
            state, place = ("here" if file == local else "in mirror"), str(file)
            break
        if file.is_file() and not place:
            state, place = "corrupt", str(file)
    fields = dataset.model_dump(exclude={"path"})
    return Holding(state=state, place=place, **fields)


def _places(dataset: Dataset) -> Iterator[Path]:
    yield _folder() / dataset.path
    yield from _copies(dataset)


def _copies(dataset: Dataset) -> Iterator[Path]:
    """Yield where a mirror, the folder that stands in for the network, may hold a dataset.

    Raises
    ------
    UserError
        When ``QUIRE_DATA_MIRROR`` names the home of a user that there is not.
    """
    given = os.environ.get(MIRROR_VARIABLE)
    try:
        mirror = Path(given).expanduser() if given else home().parent / "shared"
    except RuntimeError as fault:
        raise UserError(
            f"{MIRROR_VARIABLE}={given}: {fault}", "point it at a folder, or unset it"
        ) from None
    yield mirror / dataset.path
    yield mirror / "data" / dataset.path


def _folder() -> Path:
    """Return where fetched files lie: ``data/`` of the workbook, or the user's cache."""
    data = home() / "data"
    return data if os.access(data, os.W_OK) else cache_folder()


def _is_whole(file: Path, dataset: Dataset) -> bool:
    try:
        known = file.stat()
        if known.st_size != dataset.bytes or not file.is_file():
            return False
        return _sha256(file, known.st_size, known.st_mtime_ns, known.st_ino) == dataset.sha256
    except OSError:
        return False


@functools.lru_cache(maxsize=4096)
def _sha256(file: Path, size: int, changed: int, inode: int) -> str:
    """Return a file's checksum, computed once for as long as its size, time and inode stay."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
