"""Golden rows of a session of benchmarks, and the GPU's session where there is none."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from quire.workbook.book.pages import performance, teaching

ROOT = Path(__file__).parents[2]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def bench(name: str, group: str | None, times: Sequence[float], **extra: Any) -> dict[str, Any]:
    return {
        "name": name, "fullname": f"benchmarks/test_tiny.py::{name}", "group": group,
        "stats": {"data": list(times)}, "extra_info": extra,
    }  # fmt: skip


SESSION = {
    "quire_load": [0.5, 0.75],
    "benchmarks": [
        bench("test_ours[float32]", "product", [2.0, 2.2, 2.1, 2.0, 2.1]),
        bench("test_product", "product", [1.0, 1.0, 1.0, 1.0, 1.0], bound=True),
        bench("test_quicker", "product", [0.5] * 5),
        bench("test_many", "tiny", [6.4, 6.4], items=64),
        bench("test_one", "tiny", [0.3, 0.3, 0.3], words=7),
        bench("test_alone", None, [5.0, 5.0]),
    ],
}


def test_a_session_becomes_rows_with_ratios_and_intervals() -> None:
    rows = {row["name"]: row for row in script("record").rows(SESSION)}
    ours = rows["ours: float32"]
    assert ours["ratio"] == pytest.approx(2.1) and ours["seconds"] == 2.1
    low, high = ours["ratio_interval"]
    assert 2.0 <= low <= 2.1 <= high <= 2.2
    # the bound is the reference, also where something else was quicker
    assert rows["product"]["reference"] and rows["product"]["bound"]
    assert rows["quicker"]["ratio"] == 0.5 and not rows["quicker"]["reference"]
    # a round of 64 things counts as one of them; without a bound the quickest is the reference
    assert rows["many"]["seconds"] == pytest.approx(0.1) and rows["many"]["reference"]
    assert rows["one"]["ratio"] == pytest.approx(3.0)
    assert rows["one"]["ratio_interval"] is None  # three rounds are too few
    assert rows["alone"]["group"] == "alone" and rows["alone"]["ratio"] == 1.0
    assert rows["one"]["about"] == {"words": 7}


def test_a_record_is_written_read_and_shown(tmp_path: Path) -> None:
    record = script("record")
    made = record.record(SESSION, SESSION["quire_load"], "NVIDIA H100", "abc", "2026-11-27")
    path = record.write(made, "nvidia-h100", tmp_path)
    assert path == tmp_path / "data" / "golden" / "performance" / "nvidia-h100.json"
    read = performance.read_records(tmp_path)
    assert read == {"nvidia-h100": json.loads(path.read_text())} == {"nvidia-h100": made}
    text = performance.inserts(tmp_path, {})["performance, records"]()
    for said in ("NVIDIA H100", "load 0.5", "commit `abc`", "As a ratio to the bound, *product*"):
        assert said in text
    assert "2.10 s" in text and "ours: float32" in text
    assert "alone" not in text  # it is compared with nothing
    assert "had other work" not in text
    made["machine"] |= {"cores": 2, "load": [9.0, 8.0]}
    record.write(made, "nvidia-h100", tmp_path)
    assert "had other work" in performance.inserts(tmp_path, {})["performance, records"]()
    with pytest.raises(SystemExit, match="small letters"):
        record.write(made, "../x", tmp_path)


def test_a_torn_record_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / performance.FOLDER
    folder.mkdir(parents=True)
    (folder / "x.json").write_text("{")
    with pytest.raises(performance.UserError, match=r"x\.json is no record"):
        performance.read_records(tmp_path)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (2.0, "2.00 s"),
        (0.01234, "12.3 ms"),
        (0.4, "400 ms"),
        (1.5e-6, "1.50 µs"),
        (3e-10, "0.30 ns"),
    ],
)
def test_a_time_is_told_in_its_unit(seconds: float, words: str) -> None:
    assert performance.in_unit(seconds) == words


def test_every_committed_record_can_be_shown() -> None:
    for record in performance.read_records(ROOT).values():
        assert record["rows"] and record["machine"]["processor"] and record["versions"]["jax"]
    assert performance.inserts(ROOT, {})["performance, records"]()


def test_without_a_gpu_one_line_is_said_and_nothing_runs() -> None:
    program = ROOT / "benchmarks" / "gpu.py"
    ran = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, check=False, timeout=300,
        env={"PATH": "", "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (0, "no GPU here: nothing was run (JAX sees none)\n")


def test_on_a_gpu_tests_run_before_benchmarks_and_rows_are_kept() -> None:
    gpu = script("gpu")
    ran: list[list[str]] = []

    def run(arguments: Sequence[str]) -> int:
        ran.append([*arguments])
        return 0

    assert gpu.main("NVIDIA H100 80GB HBM3", run, ["tests/queueing"]) == 0
    marked, more, timed, kept = ran
    assert marked[-3:-1] == ["-m", "gpu"] and more[-1] == "tests/queueing"
    assert "--benchmark-json" in timed and kept[-1] == "nvidia-h100-80gb-hbm3"
    assert timed[-1] == kept[-2]
    ran.clear()
    assert gpu.main("X", lambda arguments: ran.append([*arguments]) or 3) == 3
    assert len(ran) == 1  # a failing test ends it


def test_every_benchmark_that_the_gpu_times_is_there() -> None:
    gpu = script("gpu")
    assert all((ROOT / "benchmarks" / f"test_{topic}.py").is_file() for topic in gpu.TIMED)


FAIR = {"chapter": "15", "exercises": "4", "solutions": "4"} | dict.fromkeys(
    ("blank", "zeros", "function", "neighbour"), "0"
)


@pytest.mark.parametrize(
    ("changed", "notes", "fair"),
    [
        ({}, [], True),
        ({"solutions": "3"}, [], False),
        ({"neighbour": "1"}, [], False),
        ({}, ["blank: a cell raised FileNotFoundError"], False),
    ],
)
def test_what_is_fair_grading(changed: dict[str, str], notes: list[str], fair: bool) -> None:
    assert script("grading").is_fair(FAIR | changed, notes) is fair


def test_graded_rows_take_the_place_of_older_ones(tmp_path: Path) -> None:
    (tmp_path / teaching.GRADED.parent).mkdir(parents=True)
    grading = script("grading")
    grading.keep([FAIR], tmp_path)
    grading.keep([FAIR | {"chapter": "03"}, FAIR | {"exercises": "5"}], tmp_path)
    kept = teaching.read_graded(tmp_path)
    assert [(row["chapter"], row["exercises"]) for row in kept] == [("03", "4"), ("15", "5")]
    assert teaching.read_graded(tmp_path / "none") == []
