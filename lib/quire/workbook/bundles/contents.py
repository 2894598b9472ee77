"""Contents: what goes into a bundle, so that it can be read, cited and run without us.

The root of a bundle is a small checkout of the workbook: one chapter, the topic it uses, the
machinery, and the golden values it reads. Beside them stand the results in plain formats.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from importlib import metadata
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from quire.workbook import datasets, notebooks
from quire.workbook.bundles.archive import pack
from quire.workbook.bundles.crate import codecheck, describe
from quire.workbook.chapters import Chapter, all_chapters, find_chapter
from quire.workbook.entries import Entry
from quire.workbook.errors import UserError
from quire.workbook.files import check_writable, write_atomically
from quire.workbook.home import PACKAGE, home
from quire.workbook.imports import follow
from quire.workbook.ledger import read_ledger
from quire.workbook.provenance import DISTRIBUTIONS

RECORD = "run.json"
"""The member that says what was run: chapter, points, versions, machine, data."""

TABLE = "study.parquet"
_NEVER_RUN = "run it first: quire run"
_README = """\
# {title}

A run of one chapter of Quire, an executable workbook of systems papers, in a folder of its own.

- `notebooks/` the executed notebook and its card: what the paper claims, written down before it ran
- `ledger.json`, `ledger.csv` every claim with its measurement and verdict
- `{record}` parameters, versions, machine, and the datasets with their checksums
- `packages.txt` the packages of the run; `lib/` the source that it used
- `ro-crate-metadata.json`, `codecheck.yml` the same for machines and for reviewers

Check and replay it in a fresh environment: `quire verify FILE`. That runs the code in here: read it
first if you do not know who made it.
"""


@dataclass(frozen=True)
class _Subject:
    """What a bundle is about: a chapter, one executed notebook or the points of a study."""

    chapter: Chapter
    notebook: NotebookNode
    record: Mapping[str, Any]
    points: tuple[Mapping[str, Any], ...]
    table: bytes | None = None


def bundle(what: str, output: Path | None = None) -> Path:
    """Write a bundle and return its path.

    Parameters
    ----------
    what
        A chapter by slug or number (its committed run), an executed notebook (``.ipynb``), or the
        table of a study (``.parquet``).
    output
        Where to write; ``SLUG.zip`` or ``SLUG-study.zip`` in the current folder by default.

    Raises
    ------
    UserError
        When there is no such chapter or file, when it was never run, or ``output`` can not be
        written.
    """
    subject = _subject(what)
    name = f"{subject.chapter.slug}{'-study' if subject.table else ''}.zip"
    target = check_writable(output or Path(name))
    if target.suffix != ".zip":
        raise UserError(f"{target} is no name for a bundle", "let it end in .zip")
    write_atomically(target, pack(members(subject)))
    return target


def members(subject: _Subject) -> dict[str, bytes]:
    """Return every member of a bundle by name, but for the manifest."""
    chapter, root = subject.chapter, home()
    entries = read_ledger(chapter, subject.notebook)
    held = _datasets(subject.record)
    found = {
        f"notebooks/{chapter.slug}.ipynb": notebooks.dumps(subject.notebook).encode(),
        f"notebooks/{chapter.slug}.yml": chapter.notebook.with_suffix(".yml").read_bytes(),
        "ledger.json": _json([asdict(entry) for entry in entries]),
        "ledger.csv": _csv(entries),
        RECORD: _json(
            {
                **subject.record,
                "chapter": chapter.slug,
                "points": list(subject.points),
                "datasets": held,
            }
        ),
        "packages.txt": _packages(subject.record.get("packages") or {}),
        **({TABLE: subject.table} if subject.table else {}),
        "_toc.yml": _contents(chapter),
        **_files(root, _wanted(chapter, root)),
    }
    found["README.md"] = _README.format(title=chapter.title, record=RECORD).encode()
    found["codecheck.yml"] = codecheck(chapter, found)
    found = dict(sorted(found.items()))
    return {"ro-crate-metadata.json": describe(chapter, subject.record, held, found), **found}


def _subject(what: str) -> _Subject:
    path = Path(what)
    if path.suffix == ".parquet":
        return _study(path)
    if path.suffix != ".ipynb":
        if path.suffix or len(path.parts) > 1:
            raise UserError(
                f"{what} can not be bundled",
                "name a chapter, an executed notebook (.ipynb) or a study's table (.parquet)",
            )
        chapter = find_chapter(what)
        return _run_of(chapter, chapter.read(), f"{_NEVER_RUN} {chapter.slug}")
    notebook = notebooks.read(path)
    slug = notebook.metadata.get("quire", {}).get("chapter", "")
    if slug not in {chapter.slug for chapter in all_chapters()}:
        raise UserError(f"{path.name} was not made by 'quire run'", "run the chapter first")
    return _run_of(find_chapter(slug), notebook, f"{_NEVER_RUN} {slug}")


def _run_of(chapter: Chapter, notebook: NotebookNode, remedy: str) -> _Subject:
    record = dict(notebook.metadata.get("quire", {}))
    if not record:
        raise UserError(f"{chapter.slug} was never run", remedy)
    return _Subject(chapter, notebook, record, (record.get("parameters") or {},))


def _study(path: Path) -> _Subject:
    from quire.workbook.runs import read_study

    rows = read_study(path)
    if not rows:
        raise UserError(f"{path.name} has no point", "sweep at least one value")
    first = next(iter(rows.values()))
    chapter = find_chapter(first.chapter)
    points = tuple(dict(run.parameters) for run in rows.values())
    return _Subject(chapter, chapter.read(), dict(first.record), points, path.read_bytes())


def _wanted(chapter: Chapter, root: Path) -> set[Path]:
    """Return the files of the checkout that a replay needs."""
    code = [cell["source"] for cell in chapter.cells() if cell["cell_type"] == "code"]
    machinery = [*(PACKAGE / "workbook").rglob("*"), *PACKAGE.glob("*.py"), PACKAGE / "py.typed"]
    topic = PACKAGE / chapter.card.topic
    reach = follow(code, [topic / "__init__.py"], PACKAGE).files
    wanted = {file for file in (*machinery, *reach) if file.is_file()}
    golden = set((root / "data" / "golden").glob(f"{chapter.number}-*/**/*"))
    peers = set((root / "peers").glob("*"))
    single = {root / name for name in ("pyproject.toml", "LICENSE", "constraints.txt")}
    registry = {root / "data" / "registry.toml"}
    beside = set(chapter.notebook.parent.glob("*.py"))
    return wanted | golden | peers | single | registry | beside


def _files(root: Path, wanted: Iterable[Path]) -> dict[str, bytes]:
    found = {}
    for file in wanted:
        if not file.is_file() or "__pycache__" in file.parts:
            continue
        inside = file.is_relative_to(PACKAGE)
        name = Path("lib/quire") / file.relative_to(PACKAGE) if inside else file.relative_to(root)
        found[name.as_posix()] = file.read_bytes()
    return found


def _contents(chapter: Chapter) -> bytes:
    return f"format: jb-book\nroot: notebooks/{chapter.slug}\n".encode()


def _datasets(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the datasets that the run used: name, checksum, and where they are public."""
    known = datasets.registered()
    return [
        {
            "name": name,
            "sha256": digest,
            **({"url": known[name].url, "licence": known[name].licence} if name in known else {}),
        }
        for name, digest in sorted((record.get("datasets") or {}).items())
    ]


def _packages(versions: Mapping[str, str]) -> bytes:
    """Return the versions of the run, as requirements: what runs a chapter, nothing for tests."""
    keep = _running_packages()
    lines = [f"{n}=={v}" for n, v in versions.items() if n != "python" and (not keep or n in keep)]
    told = f"# Python {versions.get('python', 'of unknown version')}\n"
    return (told + "\n".join(lines) + "\n").encode()


def _running_packages() -> set[str]:
    found = set()
    for distribution in DISTRIBUTIONS:
        try:
            lines = metadata.requires(distribution) or []
        except metadata.PackageNotFoundError:
            continue
        for line in lines:
            extra = re.search(r"extra == ['\"](\w+)['\"]", line)
            if extra is None or extra[1] in ("workbook", "peers"):
                found.add(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0])
        break
    return found


def _json(data: Any) -> bytes:
    return (json.dumps(data, indent=1, ensure_ascii=False, default=str) + "\n").encode(
        "utf-8", "replace"
    )


def _csv(entries: Iterable[Entry]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = [field.name for field in fields(Entry)]
    writer.writerow(names)
    for entry in entries:
        values = asdict(entry)
        writer.writerow(
            value if isinstance(value := values[name], str | int | float) else json.dumps(value)
            for name in names
        )
    return buffer.getvalue().encode("utf-8", "replace")
