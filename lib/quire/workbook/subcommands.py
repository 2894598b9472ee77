"""The commands that have commands of their own: ``quire data`` and ``quire peers``."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated

import typer

from quire.workbook.terminal import print_rows

data = typer.Typer(help="External datasets: list, fetch, verify.", no_args_is_help=True)
peers = typer.Typer(
    help="Peers with an environment of their own: list, install, run.", no_args_is_help=True
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

_HOLDING = ("name", "state", "bytes", "licence")


@data.command("list")
def data_list(as_json: AsJson = False) -> None:
    """List the registered datasets and whether each is here."""
    from quire.workbook import datasets

    print_rows([asdict(row) for row in datasets.listing()], as_json, _HOLDING, keep="name")


@data.command("fetch")
def data_fetch(
    name: Annotated[str | None, typer.Argument(help="One dataset; all without it.")] = None,
) -> None:
    """Fetch and verify datasets."""
    from quire.workbook import datasets
    from quire.workbook.progress import bar

    with bar("fetch") as advance:
        for path in datasets.fetch(name, on_progress=advance):
            typer.echo(path)


@data.command("verify")
def data_verify(as_json: AsJson = False) -> None:
    """Check the checksum of every dataset that is here."""
    from quire.workbook import datasets

    rows = datasets.verify()
    print_rows([asdict(row) for row in rows], as_json, _HOLDING, keep="name")
    if any(row.state == "corrupt" for row in rows):
        raise typer.Exit(1)


@peers.command("list")
def peers_list(as_json: AsJson = False) -> None:
    """List the peers and whether the environment of each is here."""
    from quire.workbook import peers as rooms

    rows = [asdict(peer) for peer in rooms.listing()]
    print_rows(rows, as_json, ("name", "state", "pins"), keep="name")


@peers.command("install")
def peers_install(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Make a peer's environment in the user's cache, from its pins."""
    from quire.workbook import peers as rooms

    started = time.monotonic()
    folder = rooms.install(name, on_line=typer.echo)
    typer.echo(f"{name}: {folder} ({time.monotonic() - started:.0f} s)")


@peers.command("run", context_settings={"ignore_unknown_options": True})
def peers_run(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[SCRIPT ARGUMENT...]", help="What it runs.")
    ] = None,
) -> None:
    """Run a script by the Python of a peer; without one, tell what the peer can be asked."""
    from quire.workbook import peers as rooms

    if arguments:
        raise typer.Exit(rooms.run(name, arguments))
    answer, _ = rooms.call(name, {"call": "calls"})
    for call, does in answer["calls"].items():
        typer.echo(f"{call}: {does}")
