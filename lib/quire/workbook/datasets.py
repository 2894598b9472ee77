"""Datasets: files that others made, named in ``data/registry.toml``, never part of the repository.

A dataset is looked for under ``data/`` of the workbook (or in the user's cache, where the workbook
can not be written), then in a mirror, a folder that stands in for the network: the one named by
``QUIRE_DATA_MIRROR``, or ``../shared/data`` beside the checkout. Nothing is used unless its sha256
is the registry's. Only `fetch` goes to the network.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pooch
import requests
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quire.workbook.errors import UserError
from quire.workbook.files import make_folder, write_atomically
from quire.workbook.home import home

State = Literal["here", "in mirror", "missing", "corrupt"]
Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all) while files come in."""

MIRROR_VARIABLE = "QUIRE_DATA_MIRROR"
_SECONDS_TO_ANSWER = 20

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
    bytes: int = Field(gt=0)
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
        tables = tomllib.loads(registry.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{registry} is missing", "restore it from git") from None
    except tomllib.TOMLDecodeError as fault:
        raise UserError(f"data/registry.toml: {fault}", "mend the registry's TOML") from None
    return {name: _entry(name, table) for name, table in tables.items()}


def find(name: str) -> Dataset:
    """Return the dataset called ``name``; `UserError` when the registry has none."""
    known = registered()
    if name not in known:
        raise UserError(f"no dataset {name!r}", "see 'quire data list' for the names")
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

    A file arrives whole and verified, or not at all.

    Parameters
    ----------
    name
        A dataset of the registry; None for every one.
    on_progress
        Told how many bytes have come.

    Raises
    ------
    UserError
        For an unknown dataset, no network, an answer other than the file, a download cut short,
        a checksum mismatch, or a folder that can not be written.
    """
    wanted = list(registered().values()) if name is None else [find(name)]
    bar = _Bar(sum(dataset.bytes for dataset in wanted), on_progress or (lambda done, total: None))
    return tuple(_fetch(dataset, bar) for dataset in wanted)


def _fetch(dataset: Dataset, bar: _Bar) -> Path:
    target = make_folder((_folder() / dataset.path).parent) / Path(dataset.path).name
    if not _is_whole(target, dataset):
        copies = [copy for copy in _copies(dataset) if copy.is_file()]
        if copies:
            _copy(copies[0], dataset, target)
        else:
            _download(dataset, target, bar)
    bar.finish(dataset.bytes)
    return target


def _copy(copy: Path, dataset: Dataset, target: Path) -> None:
    if not _is_whole(copy, dataset):
        raise UserError(
            f"{copy} does not have the registry's sha256",
            f"mend the mirror, or set {MIRROR_VARIABLE} to another",
        )
    write_atomically(target, copy.read_bytes())


def _download(dataset: Dataset, target: Path, bar: _Bar) -> None:
    logging.getLogger("pooch").setLevel(logging.WARNING)
    downloader = pooch.HTTPDownloader(
        progressbar=bar, chunk_size=1 << 16, timeout=_SECONDS_TO_ANSWER
    )
    try:
        pooch.retrieve(
            dataset.url,
            known_hash=f"sha256:{dataset.sha256}",
            fname=target.name,
            path=target.parent,
            downloader=downloader,
        )
        target.chmod(0o644)
    except requests.HTTPError as fault:
        status = fault.response.status_code if fault.response is not None else "an error"
        raise UserError(
            f"dataset {dataset.name}: {dataset.url} answered {status}",
            f"try later, or point {MIRROR_VARIABLE} at a copy",
        ) from None
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
        raise UserError(
            f"dataset {dataset.name}: the download from {dataset.url} was cut short",
            "try again; nothing was kept",
        ) from None
    except (requests.ConnectionError, requests.Timeout):
        raise UserError(
            f"dataset {dataset.name}: no answer from {dataset.url}",
            f"check the network, or point {MIRROR_VARIABLE} at a copy",
        ) from None
    except ValueError:  # pooch's word for a hash that does not match
        raise UserError(
            f"dataset {dataset.name}: what {dataset.url} sent does not have the registry's sha256",
            "try again; nothing was kept",
        ) from None
    except OSError as fault:
        raise UserError(
            f"could not write {target} ({fault.strerror})", "free some space, then fetch again"
        ) from None


class _Bar:
    """What pooch takes for a progress bar, over all files of one fetch, told on to the caller."""

    def __init__(self, all_bytes: int, on_progress: Progress) -> None:
        self.all_bytes = all_bytes
        self.on_progress = on_progress
        self.finished = 0
        self.under_way = 0
        self.total = 0.0  # set by pooch, from the server's word: the registry knows better

    def update(self, more: int) -> None:
        self.under_way += more
        self.on_progress(min(self.finished + self.under_way, self.all_bytes), self.all_bytes)

    def reset(self) -> None:
        self.under_way = 0

    def close(self) -> None:
        self.under_way = 0

    def finish(self, size: int) -> None:
        self.finished += size
        self.under_way = 0
        self.on_progress(self.finished, self.all_bytes)


def _entry(name: str, table: object) -> Dataset:
    fields = {"name": name, **table} if isinstance(table, dict) else {"name": name}
    try:
        return Dataset.model_validate(fields)
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise UserError(
            f'data/registry.toml, entry "{name}": {where}: {first["msg"]}',
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
    """Yield where a mirror, the folder that stands in for the network, may hold a dataset."""
    given = os.environ.get(MIRROR_VARIABLE)
    mirror = Path(given).expanduser() if given else home().parent / "shared"
    yield mirror / dataset.path
    yield mirror / "data" / dataset.path


def _folder() -> Path:
    """Return where fetched files lie: ``data/`` of the workbook, or the user's cache."""
    data = home() / "data"
    return data if os.access(data, os.W_OK) else Path(pooch.os_cache("quire"))


def _is_whole(file: Path, dataset: Dataset) -> bool:
    try:
        if file.stat().st_size != dataset.bytes:
            return False
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == dataset.sha256
    except OSError:
        return False
