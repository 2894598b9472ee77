"""The ``quire`` command: every subcommand a few lines over the rooms of the workbook."""

from __future__ import annotations

import json
import logging
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from quire.workbook import exits
from quire.workbook.cards import ProfileName
from quire.workbook.chapters import Chapter, all_chapters, find_chapter
from quire.workbook.errors import UserError, check_timeout
from quire.workbook.home import check_user
from quire.workbook.numerals import printed
from quire.workbook.parameters import parse_assignments, parse_given, resolve
from quire.workbook.subcommands import AsJson, data, peers
from quire.workbook.terminal import print_changes, print_rows

if TYPE_CHECKING:
    from nbformat import NotebookNode

app = typer.Typer(
    name="quire",
    help="An executable workbook of systems papers: list, run, sweep and render its chapters.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(data, name="data")
app.add_typer(peers, name="peers")


def _tell_version(asked: bool) -> None:
    if asked:
        from quire import __version__

        typer.echo(f"quire {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version."),
    ] = False,
) -> None:
    pass


ChapterName = Annotated[str, typer.Argument(metavar="CHAPTER", help="Slug or number.")]
Profile = Annotated[str, typer.Option(help="smoke, default or full.")]
Given = Annotated[
    list[str] | None, typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Repeatable.")
]
Points = Annotated[
    list[str] | None,
    typer.Option(metavar="NUMBER=POINTS", help="Of an exercise, 1 by default. Repeatable."),
]
Timeout = Annotated[
    float | None, typer.Option(min=0.001, help="Seconds a chapter may take.", show_default=False)
]


@app.command()
def chapters(as_json: AsJson = False) -> None:
    """List the chapters: number, slug, title, paper, topic, part and profiles."""
    rows = [
        {
            "number": chapter.number,
            "slug": chapter.slug,
            "title": chapter.title,
            "arxiv": chapter.card.paper.arxiv,
            "topic": chapter.card.topic,
            "part": chapter.part,
            "profiles": chapter.card.profiles,
        }
        for chapter in all_chapters()
    ]
    print_rows(rows, as_json, ("number", "slug", "title", "arxiv", "topic"), keep="slug")


@app.command()
def claims(
    chapter: Annotated[str | None, typer.Argument(help="Only this chapter.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print every claim with its verdict, read from the committed notebooks."""
    from quire.workbook.entries import measurement
    from quire.workbook.ledger import read_ledger

    chosen = [find_chapter(chapter)] if chapter is not None else all_chapters()
    entries = [entry for each in chosen for entry in read_ledger(each)]
    if as_json:
        print_rows([asdict(entry) for entry in entries], as_json)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("id", "role", "verdict", "measured", "says")
    table.columns[0].no_wrap = True
    for entry in entries:
        measured = f"{measurement(entry)}\n{entry.reason}".strip()
        table.add_row(entry.id, entry.role, entry.verdict, escape(measured), escape(entry.says))
    Console().print(table)


@app.command()
def run(
    chapter: ChapterName,
    parameter: Given = None,
    profile: Profile = "default",
    output: Annotated[
        Path | None, typer.Option(help="Where to write; SLUG-PROFILE.ipynb here by default.")
    ] = None,
    timeout: Timeout = None,
    repeat: Annotated[
        int | None,
        typer.Option(min=2, metavar="N", help="Run N seeds, judge by all.", show_default=False),
    ] = None,
) -> None:
    """Run one chapter and write the executed notebook.

    With --repeat it runs with N seeds and tells of each claim how often it held; the notebook is
    that of the first seed.
    """
    started = time.monotonic()
    found = find_chapter(chapter)
    check_timeout(timeout)
    given = parse_given(found, parse_assignments(parameter or []))
    resolve(found, given, _profile(profile))
    target = output or Path(f"{found.slug}-{profile}.ipynb")
    check_user()
    # Loaded when all is well so far: a slip of the pen should not wait for papermill.
    from quire.workbook import execution
    from quire.workbook.entries import tally
    from quire.workbook.ledger import read_ledger
    from quire.workbook.progress import bar

    with bar(found.slug) as advance:
        if repeat is None:
            notebook = execution.run(
                found, target, given, _profile(profile), timeout, on_progress=advance
            )
        else:
            notebook = _repeat(found, target, given, _profile(profile), timeout, repeat, advance)
    counts = tally(read_ledger(found, notebook))
    typer.echo(f"{target}: {counts} ({time.monotonic() - started:.0f} s)")


@app.command()
def study(
    chapter: ChapterName,
    parameter: Given = None,
    profile: Profile = "default",
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler, tcp://host:port.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Local worker processes.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="The Parquet table; SLUG-study.parquet by default.")
    ] = None,
    timeout: Timeout = None,
) -> None:
    """Sweep a chapter over the product of values: -p a=1,2,4 -p b=0.1:0.9:5."""
    from quire.workbook.grids import parse_sweeps, points_of

    logging.disable(logging.CRITICAL)  # Dask's: what matters of it is one line, or in the table
    started = time.monotonic()
    found = find_chapter(chapter)
    check_timeout(timeout)
    grid = parse_sweeps(found, parse_assignments(parameter or []))
    points_of(found, grid, _profile(profile))
    check_user()
    from quire.workbook import studies
    from quire.workbook.progress import bar

    target = output or Path(f"{found.slug}-study.parquet")
    with bar(f"{found.slug} study") as advance:
        table = studies.study(
            found.slug,
            grid,
            profile=_profile(profile),
            scheduler=scheduler,
            workers=workers,
            output=target,
            timeout=timeout,
            on_progress=advance,
        )
    failed = int((table["state"] != "done").sum())
    took = time.monotonic() - started
    typer.echo(f"{target}: {len(table)} points, {failed} failed ({took:.0f} s)")
    if failed:
        raise typer.Exit(1)


@app.command()
def compare(
    one: Annotated[
        Path, typer.Argument(metavar="A", help="An executed notebook, a study, a bundle.")
    ],
    other: Annotated[Path, typer.Argument(metavar="B", help="Another of the same chapter.")],
    as_json: AsJson = False,
    chart: Annotated[
        Path | None, typer.Option(help="Draw how far numbers moved: .svg, .png or .html.")
    ] = None,
) -> None:
    """Tell what changed from A to B: verdicts, values, parameters, versions.

    The exit status is 1 when a verdict flipped, 0 otherwise.
    """
    from quire.workbook import changes

    found = changes.compare_files(one, other)
    if chart is not None:
        from quire.workbook.charts import save

        save(changes.chart(found), chart)
    if as_json:
        typer.echo(json.dumps(changes.as_data(found), indent=2, ensure_ascii=False))
    else:
        print_changes(found)
    if found.flipped:
        raise typer.Exit(1)


@app.command()
def bundle(
    what: Annotated[
        str,
        typer.Argument(metavar="CHAPTER|FILE", help="A chapter, an executed notebook, a study."),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The zip; SLUG.zip by default.")
    ] = None,
) -> None:
    """Pack a run into one zip that describes, proves and replays itself (an RO-Crate)."""
    from quire.workbook.bundles import bundle as pack

    made = pack(what, output)
    typer.echo(f"{made}: {made.stat().st_size / 1e6:.1f} MB; check it with 'quire verify {made}'")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A bundle.")],
    run: Annotated[bool, typer.Option(help="Replay it, or only check that it is whole.")] = True,
    here: Annotated[
        bool, typer.Option("--here", help="Replay in this environment, not in a fresh one.")
    ] = False,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Check a bundle and replay it: what came out again, claim by claim.

    A replay runs the code of the bundle. The exit status is 1 when a claim differs or could not
    run.
    """
    from quire.workbook.bundles import verify as check

    answers = check(file, run, not here, timeout, lambda line: typer.echo(line, err=True))
    rows = [asdict(answer) for answer in answers]
    if rows or as_json:
        print_rows(rows, as_json, ("id", "point", "answer", "before", "after", "why"), keep="id")
    if any(answer.answer in ("differs", "could not run") for answer in answers):
        raise typer.Exit(1)


@app.command()
def handout(
    chapter: ChapterName,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the copies.")
    ] = Path("handouts"),
    points: Points = None,
) -> None:
    """Write a chapter's student copy, instructor's copy and otter-grader autograder."""
    from quire.workbook.handouts import hand_out

    for path in hand_out(find_chapter(chapter), output, _points(points)):
        typer.echo(path)


@app.command()
def grade(
    chapter: ChapterName,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where returned notebooks lie.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The table of grades.")] = Path(
        "grades.csv"
    ),
    points: Points = None,
    seconds: Annotated[float, typer.Option(min=1, help="A notebook may take.")] = 120,
    memory: Annotated[float, typer.Option(min=0.5, help="GiB a notebook may take.")] = 8,
    processes: Annotated[int, typer.Option(min=1, help="Processes it may have.")] = 256,
    unconfined: Annotated[
        bool, typer.Option("--unconfined", help="Also where folders cannot be closed to it.")
    ] = False,
) -> None:
    """Grade a folder of returned notebooks, each in a process of its own, into a CSV."""
    from quire.workbook.files import check_writable
    from quire.workbook.handouts import grade as judge
    from quire.workbook.handouts.grading import write_table
    from quire.workbook.handouts.sandbox import Limits
    from quire.workbook.progress import bar

    found, target = find_chapter(chapter), check_writable(output)
    limits = Limits(seconds, int(memory * 2**30), processes)
    with bar(found.slug) as advance:
        grades = judge(found, folder, _points(points), limits, unconfined, advance)
    write_table(grades, target)
    typer.echo(
        f"{target}: {len(grades)} notebooks, {sum(bool(g.note) for g in grades)} with a note"
    )


@app.command()
def book(
    profile: Profile = "default",
    output: Annotated[Path, typer.Option(help="Folder for the pages.")] = Path("_build/html"),
    jobs: Annotated[int | None, typer.Option(min=1, help="Chapters run at once.")] = None,
    execute: Annotated[
        bool, typer.Option(help="Run the chapters, or render the committed outputs.")
    ] = True,
    repository: Annotated[
        str | None, typer.Option(metavar="URL", help="Link to this repository and to launchers.")
    ] = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch missing datasets first, if a network allows.")
    ] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="Print the book, too (Chromium).")] = False,
    epub: Annotated[
        bool, typer.Option("--epub", help="Make an EPUB of it, too (Chromium).")
    ] = False,
    notebooks: Annotated[
        bool, typer.Option("--notebooks", help="Zip the notebooks, too, with checksums.")
    ] = False,
) -> None:
    """Run every chapter and render the book; each step is told with its seconds.

    The PDF, the EPUB and the zip lie beside the pages, and the first page offers them.
    """
    # A shell lets its background jobs ignore SIGINT; whoever sends one to a build means it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from quire.workbook.book import build_book
    from quire.workbook.book.printing import Product
    from quire.workbook.progress import bar

    chosen: dict[Product, bool] = {"pdf": pdf, "epub": epub, "notebooks": notebooks}
    wanted = [product for product, given in chosen.items() if given]
    with bar("book") as advance:
        index = build_book(
            output,
            _profile(profile),
            execute=execute,
            jobs=jobs,
            on_progress=advance,
            tell=lambda line: typer.echo(line, err=True),
            repository=repository,
            fetch=fetch,
            products=wanted,
        )
    typer.echo(f"{index}: open it in a browser")


@app.command()
def lab(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8888,
    browser: Annotated[bool, typer.Option(help="Open a browser window.")] = True,
) -> None:
    """Open the notebooks in JupyterLab, prose rendered as in the book."""
    from quire.workbook.lab import open_lab

    open_lab(port, browser)


@app.command()
def new(
    arxiv_id: Annotated[str, typer.Argument(metavar="ARXIV_ID", help="Such as 2603.20966.")],
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="Such as my_paper.")],
    title: Annotated[str | None, typer.Option(help="The paper's title.")] = None,
) -> None:
    """Make the skeleton of a new chapter, which passes the tests as it stands."""
    from quire.workbook.progress import bar
    from quire.workbook.scaffold import new_chapter

    with bar(slug) as advance:
        made = new_chapter(arxiv_id, slug, title, on_progress=advance)
    for path in made:
        typer.echo(path)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; `quire.workbook.exits` says with which status it ends."""
    exits.run(typer.main.get_command(app), arguments)


def _points(given: Sequence[str] | None) -> dict[int, float]:
    found = {}
    for text in given or ():
        number, _, value = text.partition("=")
        try:
            found[int(number)] = float(value)
        except ValueError:
            raise UserError(f"points {text!r}", "write NUMBER=POINTS, such as 3=2.5") from None
    return found


def _repeat(
    chapter: Chapter,
    target: Path,
    given: dict[str, Any],
    profile: ProfileName,
    timeout: float | None,
    times: int,
    advance: Callable[[int, int], None],
) -> NotebookNode:
    from quire.workbook import repeats
    from quire.workbook.files import check_writable, write_atomically
    from quire.workbook.notebooks import dumps

    target = check_writable(target)
    notebook, found = repeats.repeat(chapter, times, given, profile, timeout, advance)
    write_atomically(target, dumps(notebook))
    rows = [
        {
            "id": each.id,
            "role": each.role,
            "held": each.steadiness,
            "verdicts": each.counts,
            "measured": "" if each.middle is None or each.low is None or each.high is None
            else f"{printed(each.middle)} ({printed(each.low)} to {printed(each.high)})",
        }
        for each in found
    ]  # fmt: skip
    print_rows(rows, False, ("id", "role", "held", "verdicts", "measured"), keep="id")
    return notebook


def _profile(name: str) -> ProfileName:
    if name not in ("smoke", "default", "full"):
        raise UserError(f"no profile {name!r}", "use smoke, default or full")
    return name  # type: ignore[return-value]
