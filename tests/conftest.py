"""Shapes are checked in tests: every topic is imported through jaxtyping and beartype.

Eight host devices stand for processors. They have to be asked for before JAX's backend starts, and
collecting a test may start it, so they are asked for here, where pytest comes first.

A job in the background ignores Ctrl-C, and its children inherit that; the tests that interrupt a
child would wait for ever, so the signal is given back here.
"""

import os

# Idle threads of OpenBLAS sleep at once: they would take the cores from the other tests.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

# isort: split
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import jax
import pytest
from hypothesis import settings
from jaxtyping import config, install_import_hook

import quire
from quire.workbook.compiled import keep_bytecode

keep_bytecode()  # it serves the processes that tests start, too

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.default_int_handler)

jax.config.update("jax_num_cpu_devices", 8)

settings.register_profile("patient", settings(), deadline=None)  # a slow machine is no fault
settings.load_profile("patient")

LIBRARY = Path(quire.__file__).parent
TOPICS = sorted(
    folder.name
    for folder in LIBRARY.iterdir()
    if (folder / "__init__.py").exists() and folder.name not in {"workbook", "_checkout"}
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say what runs in one process under ``--dist loadgroup``: a file, one book, one chapter."""
    for item in items:
        folder, name = item.path.parent.name, item.path.stem.removeprefix("test_")
        group = "book" if folder == "book" else f"{folder}-{name}"
        if item.get_closest_marker("chapter") and hasattr(item, "callspec"):
            group = item.callspec.id
        item.add_marker(pytest.mark.xdist_group(group))


install_import_hook([f"quire.{topic}" for topic in TOPICS], "beartype.beartype")


@pytest.fixture
def unchecked_types() -> Iterator[None]:
    """Call the library as its users do: without the type checker that stands before it in tests."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)
