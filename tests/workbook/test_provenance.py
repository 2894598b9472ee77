"""What is recorded is this project's, whatever surrounds it."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from quire.workbook.provenance import git_commit, kernel_report, packages


def repository(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for words in (
        ("init", "-q"),
        (
            "-c",
            "user.name=n",
            "-c",
            "user.email=e@x",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            folder.name,
        ),
    ):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    out = subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    )
    return out.stdout.strip()


@pytest.fixture(autouse=True)
def _no_git_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_the_commit_is_that_of_the_checkout_itself(tmp_path: Path) -> None:
    commit = repository(tmp_path)
    assert git_commit(tmp_path) == commit
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "new.py").touch()
    assert git_commit(tmp_path) == f"{commit}+"


def test_a_folder_inside_somebody_elses_checkout_has_no_commit(tmp_path: Path) -> None:
    repository(tmp_path)
    inside = tmp_path / "vendor" / "quire"
    inside.mkdir(parents=True)
    assert git_commit(inside) is None
    assert git_commit(tmp_path / "nowhere") is None


@pytest.mark.parametrize("variable", ["GIT_DIR", "GIT_WORK_TREE"])
def test_a_repository_named_by_the_environment_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    mine, other = repository(tmp_path / "mine"), repository(tmp_path / "other")
    assert mine != other
    (tmp_path / "other" / "lib").mkdir()
    (tmp_path / "other" / "lib" / "new.py").touch()
    suffix = "/.git" if variable == "GIT_DIR" else ""
    monkeypatch.setenv(variable, f"{tmp_path / 'other'}{suffix}")
    assert git_commit(tmp_path / "mine") == mine


def test_packages_are_named() -> None:
    found = packages()
    assert {"python", "numpy", "jax"} <= found.keys()


def test_a_run_counts_the_processor_time_of_processes_that_still_run() -> None:
    before = kernel_report().processor_seconds
    work = "sum(k * k for k in range(8_000_000)); print('done', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"done\n"
        spent = sum(psutil.Process(child.pid).cpu_times()[:2])
        assert kernel_report().processor_seconds >= before + spent - 0.2
        child.communicate(b"\n")
