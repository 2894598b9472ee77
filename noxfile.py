"""The sessions of the workbook: ``nox -s book``, ``nox -s tests``, and the others.

Each makes its own environment, with uv where it is installed and with virtualenv otherwise.
"""

import os
import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "tests"]
nox.options.reuse_existing_virtualenvs = True


def install(session: nox.Session, extras: str) -> None:
    session.install("-e", f".[{extras}]", "-c", "constraints.txt")
    # A peer of chapter 07, without its dependencies: they need a C library, and serve other uses.
    session.install("--no-deps", "psitip==1.1.7")


def processors() -> int:
    """Return on how many processors this process may run."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


@nox.session
def book(session: nox.Session) -> None:
    """Run every chapter and render the book into _build/html; -- --pdf --epub prints it, too."""
    printed = {"--pdf", "--epub"} & set(session.posargs)
    install(session, "workbook,print,peers" if printed else "workbook,peers")
    session.run("quire", "book", "--fetch", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests."""
    install(session, "workbook,print,peers,tests")
    # Two processes, one on one processor: a test that is given half of one runs into its limit.
    # tests/conftest.py says which tests share a process: a file, the book, a chapter.
    session.run("pytest", "-n", str(min(2, processors())), "--dist", "loadgroup", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types."""
    install(session, "workbook,print,peers,tests,lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def bench(session: nox.Session) -> None:
    """Time the library against its peers, in one run; -- --keep NAME keeps it as golden rows."""
    install(session, "workbook,peers,tests")
    words = list(session.posargs)
    if "--keep" not in words:
        session.run("pytest", "benchmarks", *words)
        return
    place = words.index("--keep")
    (name,) = words[place + 1 : place + 2] or session.error("--keep needs a name")
    made = str(Path(session.create_tmp()) / "session.json")
    session.run(
        "pytest", "benchmarks", "--benchmark-json", made, *words[:place], *words[place + 2 :]
    )
    session.run("python", "benchmarks/record.py", made, name)


@nox.session
def lab(session: nox.Session) -> None:
    """Open the notebooks in JupyterLab."""
    install(session, "workbook,peers")
    session.run("quire", "lab", *session.posargs)


@nox.session
def study(session: nox.Session) -> None:
    """Sweep a chapter: nox -s study -- 15 -p seed=1,2,3."""
    install(session, "workbook,peers")
    session.run("quire", "study", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Kill, fill, load and feed the machinery, and print the table of what it withstood."""
    install(session, "workbook,tests")
    session.run("python", "benchmarks/faults.py", *session.posargs)


@nox.session
def grading(session: nox.Session) -> None:
    """Grade right, blank and wrong homework of every chapter; -- --keep for the teaching page."""
    install(session, "workbook,peers")
    session.run("python", "benchmarks/grading.py", *session.posargs)


@nox.session
def gpu(session: nox.Session) -> None:
    """Hold the library's kernels against the processor's on a GPU, and keep their times."""
    if shutil.which("nvidia-smi") is None:
        session.skip("no GPU here: there is no nvidia-smi on the PATH")
    install(session, "workbook,peers,tests")
    session.install("jax[cuda12]", "-c", "constraints.txt")
    session.run("python", "benchmarks/gpu.py", *session.posargs)
