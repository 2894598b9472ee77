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
from pathlib import Path
from typing import Literal

import pooch
import requests
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quire.workbook.errors import UserError
from quire.workbook.files import make_folder, write_atomically
from quire.workbook.home import home

State = Literal["here", "in the mirror", "missing", "corrupted"]
Progress = Callable[[str, int, int], None]
"""Called with (dataset, bytes done, bytes in all) while a file comes in."""

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


def verify() -> tuple[tuple[str, State], ...]:
    """Return (dataset, state) for every entry of the registry, without touching the network."""
    return tuple((name, _state(dataset)) for name, dataset in registered().items())


def fetch(name: str | None = None, progress: Progress | None = None) -> tuple[Path, ...]:
    """Bring one dataset, or all that are missing, into ``data/``; from the mirror if it has them.

    A file arrives whole and verified, or not at all.

    Parameters
    ----------
    name
        A dataset of the registry; None for every one.
    progress
        Told how many bytes of which file have come.

    Raises
    ------
    UserError
        For an unknown dataset, no network, an answer other than the file, a download cut short,
        a checksum mismatch, or a folder that can not be written.
    """
    wanted = registered().values() if name is None else (find(name),)
    return tuple(_fetch(dataset, progress or (lambda *_: None)) for dataset in wanted)


def _fetch(dataset: Dataset, progress: Progress) -> Path:
    target = make_folder((_folder() / dataset.path).parent) / Path(dataset.path).name
    if _is_whole(target, dataset):
        progress(dataset.name, dataset.bytes, dataset.bytes)
        return target
    for mirror in _mirrors():
        copy = mirror / dataset.path
        if copy.is_file():
            if not _is_whole(copy, dataset):
                raise UserError(
                    f"{copy} does not have the registry's sha256",
                    f"mend the mirror, or unset {MIRROR_VARIABLE}",
                )
            write_atomically(target, copy.read_bytes())
            progress(dataset.name, dataset.bytes, dataset.bytes)
            return target
    _download(dataset, target, progress)
    return target


def _download(dataset: Dataset, target: Path, progress: Progress) -> None:
    logging.getLogger("pooch").setLevel(logging.WARNING)
    downloader = pooch.HTTPDownloader(
        progressbar=_Bar(dataset, progress), chunk_size=1 << 16, timeout=_SECONDS_TO_ANSWER
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
    """What pooch takes for a progress bar, told on to the caller."""

    def __init__(self, dataset: Dataset, progress: Progress) -> None:
        self.dataset = dataset
        self.progress = progress
        self.total = 0.0
        self.done = 0

    def update(self, more: int) -> None:
        self.done += more
        self.progress(self.dataset.name, min(self.done, self.dataset.bytes), self.dataset.bytes)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        pass


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


def _state(dataset: Dataset) -> State:
    local = _folder() / dataset.path
    if _is_whole(local, dataset):
        return "here"
    if local.is_file():
        return "corrupted"
    copies = [mirror / dataset.path for mirror in _mirrors()]
    if any(_is_whole(copy, dataset) for copy in copies):
        return "in the mirror"
    return "corrupted" if any(copy.is_file() for copy in copies) else "missing"


def _places(dataset: Dataset) -> Iterator[Path]:
    yield _folder() / dataset.path
    for mirror in _mirrors():
        yield mirror / dataset.path


def _folder() -> Path:
    """Return where fetched files lie: ``data/`` of the workbook, or the user's cache."""
    data = home() / "data"
    return data if os.access(data, os.W_OK) else Path(pooch.os_cache("quire"))


def _mirrors() -> Iterator[Path]:
    """Yield the folders that may hold ``NN-*/`` in place of the network."""
    given = os.environ.get(MIRROR_VARIABLE)
    for mirror in [Path(given).expanduser()] if given else [home().parent / "shared"]:
        yield from (folder for folder in (mirror, mirror / "data") if folder.is_dir())


def _is_whole(file: Path, dataset: Dataset) -> bool:
    try:
        if file.stat().st_size != dataset.bytes:
            return False
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == dataset.sha256
    except OSError:
        return False
