"""Compiled programs are kept between runs, and change no output, damaged or not."""

import os
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


def _shown(notebook: object) -> object:
    (cell,) = [cell for cell in notebook.cells if cell["id"] == "work"]  # type: ignore[attr-defined]
    return cell.outputs
