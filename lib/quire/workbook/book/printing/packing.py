"""Packing: the executed notebooks as one zip that says what each file's checksum is."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from quire.workbook.files import replacing, write_atomically

SUMS = "SHA256SUMS"
"""The file of checksums, in the form that ``sha256sum --check`` reads."""

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same notebooks give the same zip


def write_notebooks(pages: Path, root: Path, path: Path) -> int:
    """Write the notebooks of a built book and their cards into the zip ``path``.

    Parameters
    ----------
    pages
        The built book, whose pages offer the executed notebooks.
    root
        The workbook, which has the cards.
    path
        The zip.

    Returns
    -------
    int
        How many notebooks it holds.
    """
    sources = pages / "_sources"
    notebooks = {
        file.relative_to(sources).as_posix(): file.read_bytes()
        for file in sorted(sources.rglob("*.ipynb"))
    }
    cards = {
        name: (root / name).read_bytes()
        for name in (str(Path(each).with_suffix(".yml")) for each in notebooks)
        if (root / name).is_file()
    }
    files = {**notebooks, **cards}
    write_zip({**files, SUMS: sums(files).encode()}, path)
    return len(notebooks)


def write_zip(files: Mapping[str, bytes], path: Path, plain: Iterable[str] = ()) -> None:
    """Write files into a zip, in their order, always with the same bytes; ``plain`` unpacked."""
    stored = set(plain)
    with replacing(path) as target, zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.external_attr = 0o644 << 16
            kind = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            archive.writestr(entry, content, compress_type=kind)


def sums(files: Mapping[str, bytes]) -> str:
    """Return the checksums of files, a line each."""
    lines = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    return "".join(lines)


def write_sums(paths: Iterable[Path], folder: Path) -> None:
    """Write the checksums of files that lie in ``folder`` beside them."""
    write_atomically(folder / SUMS, sums({each.name: each.read_bytes() for each in paths}))
