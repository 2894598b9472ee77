"""ngspice: the simulator that SPICE users run, called as a program in batch mode.

Results come back through ``wrdata``, with all digits that ngspice prints.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from quire.circuits.errors import CircuitError

TIGHT = ".options reltol=1e-7 abstol=1e-15 vntol=1e-10 chgtol=1e-18 gmin=1e-12"


def available() -> bool:
    """Return whether the program is on the PATH."""
    return shutil.which("ngspice") is not None


def version() -> str:
    """Return the first line in which ngspice names its version.

    Raises
    ------
    CircuitError
        When it cannot be run.
    """
    told = _execute(["--version"], Path.cwd(), 30.0)
    return next((line.strip("* ") for line in told.splitlines() if "ngspice" in line), "ngspice")


def simulate(deck: str, analysis: str, vectors: Sequence[str], timeout: float = 120.0) -> Any:
    """Run one analysis and return the axis and the vectors, one column each.

    Parameters
    ----------
    deck
        A deck; its own analyses are run over.
    analysis
        A command such as ``tran 1u 3m 0 1u``.
    vectors
        What to return, such as ``v(out)``; complex ones take two columns.
    timeout
        Seconds allowed.

    Raises
    ------
    CircuitError
        When ngspice fails, with what it said.
    """
    control = f"set numdgt=15\nset wr_singlescale\n{analysis}\nwrdata out.txt {' '.join(vectors)}\n"
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        said = run_control(deck, control, place, timeout)
        if not (place / "out.txt").exists():
            raise CircuitError(f"ngspice gave no result: {_fault(said)}")
        return np.loadtxt(place / "out.txt", ndmin=2)


def run_control(deck: str, control: str, folder: Path, timeout: float = 120.0) -> str:
    """Run a deck with a control block in a folder and return what ngspice said.

    Raises
    ------
    CircuitError
        When ngspice cannot be run, or takes longer.
    """
    body = deck.rstrip()
    lines = body.splitlines()
    kept = [line for line in lines if line.strip().lower() != ".end"]
    (folder / "deck.cir").write_text(
        "\n".join([*kept, ".control", control, "quit", ".endc", ".end", ""])
    )
    return _execute(["-b", "deck.cir"], folder, timeout)


def time_start(deck: str, timeout: float = 60.0) -> float:
    """Return the seconds in which a process starts, reads a deck and ends.

    Raises
    ------
    CircuitError
        When ngspice fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        said = run_control(deck, "echo all done", Path(folder), timeout)
        took = time.perf_counter() - start
    if "all done" not in said:
        raise CircuitError(f"ngspice did not start: {_fault(said)}")
    return took


def time_variants(
    deck: str,
    analysis: str,
    values: Mapping[str, Any],
    timeout: float = 300.0,
) -> float:
    """Return the seconds in which one process runs every variant, its start included.

    Each variant alters its elements and runs; nothing is written or printed.

    Parameters
    ----------
    deck, analysis
        As in `simulate`.
    values
        An array of values for each element that varies (``r1``, or ``@d1[is]``-like names).
    timeout
        Seconds allowed.

    Raises
    ------
    CircuitError
        When ngspice fails.
    """
    names = list(values)
    count = len(values[names[0]])
    lines = []
    for k in range(count):
        lines += [f"alter {name} = {float(values[name][k]):.12e}" for name in names]
        lines += [analysis, "destroy all"]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        said = run_control(deck, "\n".join([*lines, "echo all done"]), Path(folder), timeout)
        took = time.perf_counter() - start
    if "all done" not in said or "no simulations run" in said.lower():
        raise CircuitError(f"ngspice did not run the variants: {_fault(said)}")
    return took


def _execute(arguments: Sequence[str], folder: Path, timeout: float) -> str:
    program = shutil.which("ngspice")
    if program is None:
        raise CircuitError("the program ngspice is not on the PATH")
    try:
        done = subprocess.run(
            [program, *arguments], cwd=folder, capture_output=True, text=True, timeout=timeout,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise CircuitError(f"timeout = {timeout:g} s: ngspice needs more time") from late
    return done.stdout + done.stderr


def _fault(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    marked = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()]
    return (marked or lines or ["nothing was said"])[-1][:200]
