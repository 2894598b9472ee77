"""Compiled programs are kept between runs, and change no output, damaged or not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from quire.workbook import compiled
from quire.workbook.chapters import Chapter
from quire.workbook.execution import execute
from quire.workbook.machine import arithmetic

from .conftest import write_chapter

WORK = """\
import jax
import jax.numpy as jnp

answers = []
jax.monitoring.register_event_listener(lambda name, **_: answers.append(name))
print(jax.jit(lambda x: jnp.sin(x) * size)(jnp.arange(3.0)))
claims.measure("99.1", True)
hits = answers.count("/jax/compilation_cache/cache_hits")
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QUIRE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_rerun_compiles_nothing_and_a_damaged_entry_is_compiled_again(
    tiny: Chapter, cache: Path
) -> None:
    chapter = write_chapter(tiny.notebook.parents[1], work=f"{WORK}assert hits == 0, hits\n")
    first = execute(chapter)
    entries = list(cache.glob("compiled/*/*-cache"))
    assert entries
    chapter = write_chapter(tiny.notebook.parents[1], work=f"{WORK}assert hits > 0, answers\n")
    assert _shown(execute(chapter)) == _shown(first)
    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:50])
    chapter = write_chapter(tiny.notebook.parents[1], work=f"{WORK}assert hits == 0, hits\n")
    assert _shown(execute(chapter)) == _shown(first)


def test_another_processor_and_other_settings_have_another_folder(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = compiled.settings()["JAX_COMPILATION_CACHE_DIR"]
    assert here.startswith(str(cache))
    assert compiled.settings()["JAX_COMPILATION_CACHE_DIR"] == here
    other = arithmetic() | {"instructions": "sse4_2"}
    monkeypatch.setattr(compiled, "arithmetic", lambda: other)
    assert compiled.settings()["JAX_COMPILATION_CACHE_DIR"] != here


@pytest.mark.usefixtures("cache")
def test_without_a_place_or_by_the_user_s_own_choice_nothing_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("QUIRE_CACHE", str(tmp_path / "file" / "below"))
    assert compiled.settings() == {}
    monkeypatch.setenv("QUIRE_CACHE", str(tmp_path))
    assert compiled.settings()
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/elsewhere")
    assert compiled.settings() == {}


def test_the_older_half_goes_when_there_is_too_much(tmp_path: Path) -> None:
    for age, name in enumerate("dcba"):
        (tmp_path / name).write_bytes(b"x" * 10)
        os.utime(tmp_path / name, (age, age))
    compiled.trim(tmp_path, 40)
    assert len(list(tmp_path.iterdir())) == 4
    compiled.trim(tmp_path, 39)
    assert {file.name for file in tmp_path.iterdir()} == {"a", "b"}
    compiled.trim(tmp_path / "nowhere", 1)


def test_where_no_bytecode_may_lie_beside_sources_a_kernel_keeps_it_in_the_cache(
    tiny: Chapter, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    folder = tiny.notebook.parent
    (folder / "beside.py").write_text("SIZE = 3\n")
    told = "import sys, beside\nprint(sys.dont_write_bytecode)\nclaims.measure('99.1', True)\n"
    chapter = write_chapter(tiny.notebook.parents[1], work=told)
    execute(chapter)
    (kept,) = cache.glob("bytecode/**/beside.*.pyc")
    assert str(folder).strip(os.sep) in str(kept)
    assert not (folder / "__pycache__").exists()


@pytest.mark.usefixtures("cache")
def test_bytecode_is_python_s_own_business_where_nobody_forbids_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    assert compiled.bytecode() == {}
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert compiled.bytecode()["PYTHONPYCACHEPREFIX"].startswith(str(tmp_path))
    (tmp_path / "file").touch()
    monkeypatch.setenv("QUIRE_CACHE", str(tmp_path / "file" / "below"))
    assert compiled.bytecode() == {}


def test_the_command_keeps_its_bytecode_too(cache: Path) -> None:
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPYCACHEPREFIX", None)
    run = [sys.executable, "-m", "quire", "--help"]
    subprocess.run(run, env=environment, check=True, capture_output=True)
    assert list(cache.glob("bytecode/**/cli.*.pyc"))


def _shown(notebook: object) -> object:
    (cell,) = [cell for cell in notebook.cells if cell["id"] == "work"]  # type: ignore[attr-defined]
    return cell.outputs
