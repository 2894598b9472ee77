"""Studies on a cluster of their own: what the table holds, what is kept, what is run again."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import psutil
import pyarrow.parquet as pq
import pytest

from quire.workbook import clusters
from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError
from quire.workbook.studies import run_point, study

from .conftest import write_chapter
from .counted import count_runs, gone, heed_ctrl_c, kernels, runs, wait_for


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the workbook that this module's tests share, and so can their workers."""
    root = tmp_path_factory.mktemp("studies")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUIRE_HOME", str(root / "workbook"))
        yield root


@pytest.fixture(scope="module")
def scheduler(room: Path) -> Iterator[str]:
    """The address of a cluster of one worker process."""
    (room / "workbook" / "notebooks").mkdir(parents=True, exist_ok=True)
    with clusters.connect(None, 1) as client:
        yield client.scheduler.address


@pytest.fixture
def tiny(room: Path) -> Chapter:
    return write_chapter(room / "workbook")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("a cluster was started")

    monkeypatch.setattr("quire.workbook.studies.connect", refuse)


def test_a_point_fails_the_others_do_not_and_only_it_is_run_again(
    tiny: Chapter, log: Path, scheduler: str, tmp_path: Path
) -> None:
    count_runs(tiny, log, claims=True)
    output = tmp_path / "new" / "table.parquet"
    told: list[tuple[int, int]] = []
    # The failing point goes first: nothing after it may suffer.
    grid = {"word": ["raise", "plain"], "size": [2]}
    table = study(
        "99",
        grid,
        scheduler=scheduler,
        output=output,
        on_progress=lambda *counts: told.append(counts),
    )
    assert told == [(0, 2), (1, 2), (2, 2)]
    assert list(table["state"]) == ["failed", "done"], list(table["error"])
    assert list(table["size"]) == [2, 2]
    assert list(table["word"]) == ["raise", "plain"]
    failed, done = table.iloc[0], table.iloc[1]
    assert "ValueError: broken on purpose" in failed["error"]
    assert "\n" not in failed["error"]
    assert 'raise ValueError("broken on purpose")' in failed["traceback"]
    assert pd.isna(failed["99.2"])
    assert pd.isna(failed["verdict:99.2"])
    assert done["error"] == done["traceback"] == ""
    assert (done["99.1"], done["verdict:99.1"]) == (1.0, "reproduced")
    assert (done["99.2"], done["verdict:99.2"]) == (4.0, "reproduced")
    assert pd.isna(done["99.3"])
    assert done["verdict:99.3"] == "not run here"
    assert done["seconds"] > 0
    assert table["99.2"].dtype == "float64"
    pd.testing.assert_frame_equal(pd.read_parquet(output), table)
    about = json.loads(pq.read_schema(output).metadata[b"quire"])
    assert about["chapter"] == "99_tiny"

    log.with_name(f"{log.name}.mended").touch()
    again = study("99", grid, scheduler=scheduler, output=output)
    assert list(again["state"]) == ["done", "done"], list(again["error"])
    assert sorted(runs(log)) == [2, 2]
    assert len(runs(log, "start")) == 3
    assert again.loc[1, "seconds"] == done["seconds"]

    # Verdicts follow the card of the day without a run.
    card = tiny.notebook.with_suffix(".yml")
    card.write_text(card.read_text().replace("expect: {at_least: 0}", "expect: {at_least: 5}"))
    judged = study("99", grid, scheduler="tcp://nobody:1", output=output)
    assert list(judged["verdict:99.2"]) == ["not reproduced"] * 2
    assert list(judged["verdict:99.1"]) == ["reproduced"] * 2
    assert len(runs(log, "start")) == 3


def test_only_missing_and_torn_points_are_run(
    tiny: Chapter, log: Path, scheduler: str, tmp_path: Path
) -> None:
    count_runs(tiny, log)
    output = tmp_path / "table.parquet"
    study("99", {"size": [1]}, scheduler=scheduler, output=output)
    (first,) = (tmp_path / "table.parquet.points").iterdir()
    wider = study("99", {"size": [2, 1]}, scheduler=scheduler, output=output)
    assert runs(log) == [1, 2]
    assert list(wider["size"]) == [2, 1]
    assert list(wider["99.1"].isna()) == [True, True]
    first.write_text(first.read_text()[:50])
    study("99", {"size": [1]}, scheduler=scheduler, output=output)
    assert runs(log) == [1, 2, 1]


@pytest.mark.parametrize(
    ("keywords", "says"),
    [
        ({"chapter": "98"}, "no chapter '98'"),
        ({"grid": {}}, "nothing to sweep"),
        ({"grid": {"size": []}}, "no values"),
        ({"grid": {"sise": [1]}}, "no parameter 'sise'"),
        ({"grid": {"size": [1, "two"]}}, "'two' is not of type int"),
        ({"grid": {"size": [1, 1001]}}, "1001 is out of range"),
        ({"given": {"size": 1}}, "both given and swept"),
        ({"profile": "huge"}, "no profile 'huge'"),
        ({"workers": 0}, "workers = 0"),
        ({"workers": 2, "scheduler": "tcp://127.0.0.1:1"}, "workers = 2"),
        ({"timeout": 0.0}, "timeout = 0.0"),
        ({"output": "table.csv"}, "table.csv"),
    ],
)
@pytest.mark.usefixtures("no_cluster")
def test_bad_input_is_one_line_before_anything_starts(
    tiny: Chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keywords: dict, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    good = {"chapter": "99", "grid": {"size": [1, 2]}}
    with pytest.raises(UserError) as caught:
        study(**{**good, **keywords})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_cluster")
def test_a_parameter_named_like_a_column_of_every_study_is_refused(tiny: Chapter) -> None:
    tiny.notebook.write_text(tiny.notebook.read_text().replace("word: str", "state: str"))
    with pytest.raises(UserError, match="parameter 'state'"):
        study("99", {"size": [1]})


@pytest.mark.usefixtures("no_cluster")
def test_a_folder_that_can_not_be_written_is_refused_first(tiny: Chapter) -> None:
    with pytest.raises(UserError, match="can not write into"):
        study("99", {"size": [1]}, output="/proc/nowhere/table.parquet")


def test_whatever_is_no_scheduler_is_named(
    tiny: Chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "_SECONDS_TO_CONNECT", 0.5)
    with socket.socket() as refuses, socket.create_server(("127.0.0.1", 0)) as silent:
        refuses.bind(("127.0.0.1", 0))  # bound but not listening
        ports = [stranger.getsockname()[1] for stranger in (refuses, silent)]
        for address in (*(f"tcp://127.0.0.1:{port}" for port in ports), "nonsense://x", "here"):
            with pytest.raises(UserError, match=f"answers at {address}: start one"):
                study("99", {"size": [1]}, scheduler=address, output=tmp_path / "t.parquet")


def test_a_scheduler_without_workers_is_told_of(
    tiny: Chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import LocalCluster

    monkeypatch.setattr(clusters, "_SECONDS_FOR_A_WORKER", 0.5)
    with (
        LocalCluster(n_workers=0, dashboard_address=None, host="127.0.0.1") as empty,
        pytest.raises(UserError, match="has no workers"),
    ):
        study("99", {"size": [1]}, scheduler=empty.scheduler_address, output=tmp_path / "t.parquet")


def test_a_worker_with_another_version_says_so_and_starts_no_kernel(
    tiny: Chapter, log: Path
) -> None:
    count_runs(tiny, log)
    point = run_point("99_tiny", "0" * 64, {"size": 1, "word": "plain"}, None)
    assert point["state"] == "failed"
    assert "another version of 99_tiny" in point["error"]
    assert not log.exists()


def test_a_full_disk_stops_the_study_in_one_line_and_leaves_no_half_file(
    tiny: Chapter, log: Path, scheduler: str, tmp_path: Path
) -> None:
    count_runs(tiny, log)
    output = tmp_path / "table.parquet"
    grid = {"size": [1, 2]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", _full_after(1))
        with pytest.raises(UserError, match="No space left"):
            study("99", grid, scheduler=scheduler, output=output)
    assert not output.exists()
    kept = list((tmp_path / "table.parquet.points").iterdir())
    assert [path.suffix for path in kept] == [".json"]

    done_first = json.loads(kept[0].read_text())["parameters"]["size"]
    table = study("99", grid, scheduler=scheduler, output=output)
    assert list(table["state"]) == ["done"] * 2
    assert runs(log).count(done_first) == 1


def _full_after(writes: int) -> Callable[[int], None]:
    real = os.fsync
    count = iter(range(writes))

    def fsync(descriptor: int) -> None:
        if next(count, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    return fsync


SCRIPT = """\
import sys
from quire.workbook.studies import study

if __name__ == "__main__":
    study("99", {"size": [1], "word": ["plain", "hang"]}, output=sys.argv[1])
"""


def test_ctrl_c_leaves_no_process_and_keeps_the_finished_points(
    tiny: Chapter, log: Path, tmp_path: Path
) -> None:
    count_runs(tiny, log)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    output = tmp_path / "table.parquet"
    driver = subprocess.Popen(
        [sys.executable, script, output],
        start_new_session=True,
        preexec_fn=heed_ctrl_c,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        points = output.with_name("table.parquet.points")
        wait_for(
            lambda: len(kernels(log)) == 2 and any(points.glob("*.json")),
            120,
            "one point was done and the other hanging",
        )
        family = [child.pid for child in psutil.Process(driver.pid).children(recursive=True)]
        assert set(kernels(log)) & set(family)
        os.killpg(driver.pid, signal.SIGINT)  # what a terminal does
        said, _ = driver.communicate(timeout=60)
    finally:
        if driver.poll() is None:
            os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()
    assert driver.returncode != 0
    assert said.count("Traceback") <= 1, said  # the driver's own, none of a worker's
    wait_for(lambda: gone(family), 5, "all children were gone")
    assert not output.exists()
    assert [path for path in points.iterdir() if path.suffix != ".json"] == []
    assert len(list(points.iterdir())) >= 1
