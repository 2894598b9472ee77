"""The status page: which run made each chapter's page, on which machine, with what installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbformat import NotebookNode

from quire.workbook.book.pages.markup import linked, processor_of, raw
from quire.workbook.chapters import Chapter
from quire.workbook.shown import MISSING, in_words
from quire.workbook.text import markup

Records = Mapping[Chapter, Mapping[str, Any]]
"""What each executed notebook records of its run."""


def page(executed: Mapping[Chapter, NotebookNode]) -> str:
    """Return the status of all chapters as a MyST page."""
    records: Records = {
        chapter: notebook.metadata.get("quire", {}) for chapter, notebook in executed.items()
    }
    sections = [
        "# Status",
        "Which run made each chapter's page. Times are of that run, on the machine named beside "
        "it: what passed on the clock, and what the run's processes were given of the processors "
        "(more than the clock where two worked at once, less where the machine had other work). "
        "On another machine only cells marked as timings should come out otherwise "
        '([what "the same" means](rerun.md)).',
        raw(_runs(records)),
        "## Versions",
        _versions(records),
        "## Datasets",
        _datasets(records),
    ]
    return "\n\n".join(sections) + "\n"


def _runs(records: Records) -> str:
    numbers = ("time (s)", "processor time (s)", "peak memory (MiB)")
    heads = ("chapter", *numbers, "profile", "commit", "processor", "device")
    head = "".join(f'<th scope="col"{_kind(name in numbers)}>{markup(name)}</th>' for name in heads)
    rows = "".join(_row(chapter, record) for chapter, record in records.items())
    return (
        f'<div class="quire-table"><table class="quire-status"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(chapter: Chapter, record: Mapping[str, Any]) -> str:
    commit = str(record.get("commit") or "")
    short = commit[:9] + ("+" if len(commit) > 9 and commit.endswith("+") else "")
    memory = record.get("peak_memory_mib")
    cells = [
        (in_words(record.get("seconds")), True),
        (in_words(record.get("processor_seconds")), True),
        (in_words(round(memory) if isinstance(memory, int | float) else None), True),
        (str(record.get("profile") or MISSING), False),
        (short or MISSING, False),
        (processor_of(record) or MISSING, False),
        (str(record.get("device") or MISSING), False),
    ]
    rest = "".join(f"<td{_kind(number)}>{markup(text)}</td>" for text, number in cells)
    return f'<tr><th scope="row">{linked(chapter)}</th>{rest}</tr>'


def _kind(is_number: bool) -> str:
    return ' class="quire-number"' if is_number else ""


def _versions(records: Records) -> str:
    """Return the versions that runs shared as one list, and for each chapter only what differs."""
    told = {chapter: dict(record.get("packages") or {}) for chapter, record in records.items()}
    told = {chapter: versions for chapter, versions in told.items() if versions}
    if not told:
        return "No chapter has been run by `quire run`."
    first = next(iter(told.values()))
    shared = {
        name: version
        for name, version in first.items()
        if all(versions.get(name) == version for versions in told.values())
    }
    lines = [raw(f"<p>{_listed(shared) or 'No version is the same in all runs.'}</p>")]
    for chapter, versions in told.items():
        own = {name: version for name, version in versions.items() if name not in shared}
        if own:
            lines.append(raw(f"<p>Chapter {chapter.number} alone: {_listed(own)}</p>"))
    return "\n\n".join(lines)


def _listed(versions: Mapping[str, Any]) -> str:
    return ", ".join(f"{markup(name)}&nbsp;{markup(str(v))}" for name, v in versions.items())


def _datasets(records: Records) -> str:
    """Return, folded, the files that each chapter's run read."""
    folds = [
        _fold(chapter, sorted(record["datasets"].items()))
        for chapter, record in records.items()
        if record.get("datasets")
    ]
    if not folds:
        return "No run used data that others publish (`quire data fetch` brings them)."
    return raw("".join(folds))


def _fold(chapter: Chapter, files: Sequence[tuple[str, Any]]) -> str:
    rows = "".join(
        f"<li>chapter {chapter.number}: {markup(name)}, "
        f"sha256 <code>{markup(str(digest))}</code></li>"
        for name, digest in files
    )  # on paper, where nothing folds, a line has to name its chapter
    told = f"Chapter {chapter.number} read {len(files)} file{'s' * (len(files) > 1)}"
    return f'<details><summary>{told}</summary><ul class="quire-datasets">{rows}</ul></details>'
