"""Fingerprints: everything that the result of a run depends on, found and not listed by hand.

=========  ========================================================================================
source     the notebook's code cells and their tags; the files of this project that they reach by
           import, and those that a run itself goes through; modules beside the notebook
packages   the versions of other people's packages that are imported on the way, of what these
           require, and of Python
data       the registry's entries, with checksum and whether the file is here, for the chapter and
           for every dataset that is named; the committed golden values; files that a text names
needs      whether what the card's claims need is here (packages, programs, devices, peers);
           environment variables that steer what computes
card       what a notebook can see of its card; an expectation judges a result, and changes none
=========  ========================================================================================
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from quire.workbook import datasets, peers
from quire.workbook.cards import Claim
from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError
from quire.workbook.home import PACKAGE
from quire.workbook.imports import follow, read_source
from quire.workbook.needs import missing
from quire.workbook.notebooks import tags
from quire.workbook.provenance import DISTRIBUTIONS, version

GROUPS = ("source", "packages", "data", "needs", "card")

_RUN_FROM = "workbook/execution.py"
_STEERING = ("JAX_", "XLA_", "NUMBA_", "OMP_", "OPENBLAS_", "MKL_")
_LARGEST = 1 << 30
_TEXT_IS_NO_PATH = 240


def fingerprint(chapter: Chapter) -> dict[str, str]:
    """Return the sha256 of each group of what a run of ``chapter`` depends on, in hex."""
    found = ingredients(chapter)
    return {
        group: hashlib.sha256(json.dumps(found[group], sort_keys=True).encode()).hexdigest()
        for group in GROUPS
    }


def ingredients(chapter: Chapter) -> dict[str, dict[str, Any]]:
    """Return what a run of ``chapter`` depends on: by group, each thing by name with its state."""
    cells = [cell for cell in chapter.cells() if cell["cell_type"] == "code"]
    code = [[cell["source"], sorted(tags(cell))] for cell in cells]
    local = _local_sources([cell["source"] for cell in cells], chapter.notebook.parent)
    texts = [*(cell["source"] for cell in cells), *local.values()]
    topic = [*(PACKAGE / chapter.card.topic).glob("__init__.py")]
    reach = follow(texts, [PACKAGE / _RUN_FROM, *topic], PACKAGE)
    own_texts = {text for source in texts for text in read_source(source).texts}
    own_names = {name for source in texts for name in read_source(source).names}
    return {
        "source": {
            "cells": code,
            **{f"beside: {name}": _digest(text.encode()) for name, text in local.items()},
            **{f.relative_to(PACKAGE).as_posix(): _file_digest(f) for f in sorted(reach.files)},
        },
        "packages": _packages(reach.foreign - set(local)),
        "data": _data(chapter, own_names, own_texts),
        "needs": {
            **_needs(chapter.card.claims),
            **_environment(own_texts),
            **_peers(chapter.card.claims, reach.texts),
        },
        "card": _card(chapter, own_names),
    }


def _local_sources(cells: list[str], folder: Path) -> dict[str, str]:
    """Return the modules beside the notebook that its code, or one of themselves, can run."""
    found: dict[str, str] = {}
    waiting = [read_source(text) for text in cells]
    beside = {path.stem: path for path in sorted(folder.glob("*.py"))}
    packages = {path.parent.name: path.parent for path in sorted(folder.glob("*/__init__.py"))}
    while waiting:
        source = waiting.pop()
        wanted = {module.split(".")[0] for module in source.modules} | {
            Path(text).stem for text in source.texts if len(text) < _TEXT_IS_NO_PATH
        }
        if source.runs_unseen_code and source.names & {"exec", "eval", "compile", "run_path"}:
            wanted |= beside.keys()  # which of them, only a run could tell
        files = [beside[name] for name in wanted & beside.keys()]
        files += [f for name in wanted & packages.keys() for f in packages[name].rglob("*.py")]
        for file in files:
            name = file.relative_to(folder).as_posix()
            if name not in found:
                found[name] = file.read_text(encoding="utf-8", errors="replace")
                waiting.append(read_source(found[name]))
    return found


def _packages(modules: Iterable[str]) -> dict[str, str]:
    """Return the versions of the distributions that hold ``modules`` and of what they require."""
    state = tuple((entry, _changed(entry)) for entry in sys.path)
    versions = dict(_versions(frozenset(modules), state))
    for module in modules:
        if module not in _holders(state) or _is_editable(_holders(state)[module], state):
            versions[f"module {module}"] = _module_digest(module)
    return versions


@functools.lru_cache(maxsize=16)
def _versions(modules: frozenset[str], state: tuple[Any, ...]) -> dict[str, str]:
    """Return the versions that `_packages` tells, read anew when something is installed."""
    versions: dict[str, str] = {"python": sys.version.split()[0]}
    waiting = [name for module in modules for name in _holders(state).get(module, ())]
    while waiting:
        name = _normal(waiting.pop())
        if name in versions or name in DISTRIBUTIONS:
            continue
        versions[name] = version(name) or "absent"
        with suppress(metadata.PackageNotFoundError):
            for line in metadata.requires(name) or ():
                required = re.match(r"[A-Za-z0-9._-]+", line)
                if required and "extra ==" not in line:
                    waiting.append(required[0])
    return versions


@functools.lru_cache(maxsize=4)
def _holders(state: tuple[Any, ...]) -> dict[str, tuple[str, ...]]:
    """Return which distributions hold each top-level module."""
    return {module: tuple(names) for module, names in metadata.packages_distributions().items()}


@functools.lru_cache(maxsize=1024)
def _is_editable(names: tuple[str, ...], state: tuple[Any, ...]) -> bool:
    """Return whether a package is installed from a folder whose files may change."""
    told = [metadata.distribution(name).read_text("direct_url.json") or "" for name in names]
    return any(re.search(r'"editable":\s*true', text) for text in told)


def _changed(folder: str) -> int:
    try:
        return os.stat(folder or ".").st_mtime_ns  # noqa: PTH116  sys.path holds texts
    except OSError:
        return 0


def _module_digest(name: str) -> str:
    """Return the digest of a module that no distribution holds, such as one on PYTHONPATH."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        spec = None
    if spec is None:
        return "absent"
    digest = hashlib.sha256()
    for folder in spec.submodule_search_locations or ():
        for file in sorted(Path(folder).rglob("*.py")):
            digest.update(_file_digest(file).encode())
    if spec.origin and Path(spec.origin).is_file():
        digest.update(_file_digest(Path(spec.origin)).encode())
    return digest.hexdigest()


def _data(chapter: Chapter, names: set[str], texts: set[str]) -> dict[str, Any]:
    root = chapter.notebook.parents[1]
    state: dict[str, Any] = {}
    for dataset in _datasets(chapter, texts):
        whole = datasets.available(dataset.name)
        state[f"dataset {dataset.name}"] = [dataset.sha256, dataset.path, whole]
    golden = root / "data" / "golden"
    for file in sorted(path for path in golden.rglob("*") if path.is_file()):
        name = file.relative_to(golden).as_posix()
        mine = name.startswith(f"{chapter.number}-")
        if mine or "golden" in names or any("golden" in text for text in texts):
            state[f"golden {name}"] = _file_digest(file)
    for text in sorted(texts):
        for file in _named_files(text, (chapter.notebook.parent, root)):
            state[f"file {text}"] = _file_digest(file)
    return state


def _datasets(chapter: Chapter, texts: set[str]) -> Iterator[datasets.Dataset]:
    """Yield the registered datasets of the chapter, and those whose name or chapter is named."""
    try:
        known = datasets.registered()
    except UserError:
        return
    needed = {need for claim in chapter.card.claims for need in claim.needs}
    numbers = {chapter.number, *(text[:2] for text in texts if re.match(r"[0-9]{2}/", text))}
    for name, dataset in known.items():
        if name[:2] in numbers or f"dataset:{name}" in needed or name in texts:
            yield dataset


def _named_files(text: str, folders: Iterable[Path]) -> Iterator[Path]:
    """Yield the file that a text of the code names, if there is one of ordinary kind and size."""
    if not 0 < len(text) < _TEXT_IS_NO_PATH or "\n" in text or "." not in text:
        return
    for folder in folders:
        with suppress(OSError, ValueError):
            file = folder / text
            if file.is_file() and file.stat().st_size < _LARGEST and file.suffix != ".ipynb":
                yield file
                return


def _needs(claims: Iterable[Claim]) -> dict[str, str]:
    states = {}
    for claim in claims:
        if claim.needs:
            try:
                states[claim.id] = missing(claim) or "here"
            except UserError as fault:  # a dataset that the registry does not have
                states[claim.id] = str(fault)
    return states


def _peers(claims: Iterable[Claim], texts: set[str]) -> dict[str, Any]:
    """Return the state of the peers that a claim needs or a text names; they are called by name."""
    needed = {need.removeprefix("peer:") for claim in claims for need in claim.needs}
    chosen = [name for name in peers.names() if name in needed or name in texts]
    return {f"peer {name}": peers.state(name) for name in chosen}


def _environment(texts: set[str]) -> dict[str, str]:
    """Return the variables that steer what computes, and those that the notebook itself names."""
    named = {text for text in texts if re.fullmatch(r"[A-Z][A-Z0-9_]+", text)}
    chosen = {
        name: value
        for name, value in os.environ.items()
        if (name.startswith(_STEERING) or name in named) and name != "JAX_ENABLE_X64"
    }
    chosen["JAX_ENABLE_X64"] = os.environ.get("JAX_ENABLE_X64", "1")  # as the library sets it
    return {f"${name}": value for name, value in chosen.items()} | {"system": platform.system()}


def _card(chapter: Chapter, names: set[str]) -> dict[str, Any]:
    card = chapter.card
    seen: dict[str, Any] = {
        "topic": card.topic,
        "claims": {claim.id: [claim.kind, *claim.needs] for claim in card.claims},
    }
    if "card" in names:  # a cell looks at it, and may compute with an expectation
        seen["text"] = _file_digest(chapter.notebook.with_suffix(".yml"))
    return seen


def _file_digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
