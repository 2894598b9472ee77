"""Handouts: what the copies hold, and that a returned notebook costs its author alone."""

import csv
import io
import json
import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import nbformat
import numpy as np
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from quire.sketching import Shape, exercises
from quire.workbook import handouts
from quire.workbook.bundles import archive
from quire.workbook.chapters import Chapter
from quire.workbook.cli import main
from quire.workbook.errors import UserError
from quire.workbook.handouts import copies, grading, sandbox, values
from quire.workbook.notebooks import load, read, tags

from .conftest import CARD, write_chapter

FUNCTION = """\
def words(n1, n2, r, p1, p2, p3):
    return (1 - 1/p3) * n1*n2 / (p1*p2) + 2 * (1 - 1/p2) * n1*r / (p1*p3)
"""
RIGHT = ("answer_1 = 64", f"{FUNCTION}\nanswer_2 = words")
confined = pytest.mark.skipif(not sandbox.is_confining(), reason="needs Landlock (Linux)")


@pytest.fixture
def homework(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chapter:
    """A chapter with two exercises of chapter 15: a number, and a function."""
    monkeypatch.setenv("QUIRE_HOME", str(tmp_path / "workbook"))
    chapter = write_chapter(
        tmp_path / "workbook", card=CARD.replace("topic: tiny", "topic: sketching")
    )
    notebook = read(chapter.notebook)
    notebook.cells[2].source += "\nfrom quire.sketching import exercises"
    notebook.cells[2].metadata["tags"] = ["hide-input"]
    notebook.cells.append(new_markdown_cell("## Exercises", id="exercises"))
    for number, check in ((1, "last_of_case_two"), (2, "cost_with_all_reduce")):
        solution = ("answer = 64", f"{FUNCTION}\nanswer = words")[number - 1]
        notebook.cells += [
            new_markdown_cell(f"```{{exercise}}\n:label: e{number}\n\nWhich?\n```"),
            new_code_cell(
                f"answer = None  # number {number}\n"
                f"workbook.check_answer(answer, exercises.{check})"
            ),
            new_markdown_cell(
                f"````{{solution}} e{number}\n:class: dropdown\n\nThus.\n\n"
                f"```python\n{solution}\n```\n````"
            ),
        ]
    notebook.cells.append(new_markdown_cell("## Checks", id="checks"))
    notebook.cells.append(new_code_cell('raise RuntimeError("no part of the homework")'))
    nbformat.write(notebook, chapter.notebook)
    return chapter


def returned(homework: Chapter, folder: Path, name: str, *answers: str) -> None:
    """Write a student's copy with these answers in its cells."""
    folder.mkdir(exist_ok=True)
    made = handouts.copies.student(homework.read(), homework.slug)
    cells = [cell for cell in made.cells if "quire" in cell.metadata]
    for cell, answer in zip(cells, answers, strict=False):
        cell.source = answer
    nbformat.write(made, folder / f"{name}.ipynb")


def test_a_students_copy_has_neither_solutions_nor_checks(
    homework: Chapter, tmp_path: Path
) -> None:
    made = handouts.hand_out(homework, tmp_path / "out", {2: 3})
    student = "\n".join(cell["source"] for cell in load(made[0])["cells"])
    assert "solution" not in student and "check_answer" not in student
    assert "exercises.last_of_case_two" not in student and "64" not in student
    assert "import exercises" not in student and "workbook.begin" in student
    cells = [c["source"] for c in load(made[0])["cells"] if "quire" in c["metadata"]]
    assert cells == ["answer_1 = None  # number 1", "answer_2 = None  # number 2"]
    assert read(made[0]).metadata["otter"] == {"assignment_name": homework.slug}
    ran = [
        cell["source"]
        for cell in load(made[0])["cells"]
        if cell["cell_type"] == "code" and "otter_ignore" not in tags(cell)
    ]
    assert ran == copies.graded_cells(load(made[0]))
    assert not any("no part of the homework" in code for code in ran)
    instructor = [cell["source"] for cell in load(made[1])["cells"]]
    assert any(
        text == "answer = 64\nworkbook.check_answer(answer, exercises.last_of_case_two)"
        for text in instructor
    )
    assert not any(":class: dropdown" in text for text in instructor)
    members = archive.unpack(made[2])
    assert b"points=3.0, hidden=True" in members["tests/exercise_2.py"]
    assert b"64" not in members["tests/exercise_1.py"]
    assert json.loads(members["otter_config.json"])["show_hidden"] is False


@confined
def test_right_blank_and_wrong_answers(homework: Chapter, tmp_path: Path) -> None:
    folder = tmp_path / "returned"
    returned(homework, folder, "blank")
    returned(homework, folder, "model", *RIGHT)
    returned(homework, folder, "wrong", "answer_1 = 63", "answer_2 = lambda *_: 0.0")
    returned(homework, folder, "worse", "answer_1 = '64'", "answer_2 = object()")
    returned(homework, folder, "worst", "answer_1 = 1 / 0", "answer_2 = lambda: 1")
    (folder / "torn.ipynb").write_text("{")
    grades = {g.notebook: g for g in handouts.grade(homework, folder, {2: 3})}
    assert {name: grade.total for name, grade in grades.items()} == {
        "blank.ipynb": 0, "model.ipynb": 4, "wrong.ipynb": 0, "worse.ipynb": 0, "worst.ipynb": 0,
        "torn.ipynb": 0,
    }  # fmt: skip
    assert grades["blank.ipynb"].feedback == {1: "no answer", 2: "no answer"}
    assert grades["wrong.ipynb"].feedback == {1: "not right", 2: "not right"}
    assert "ZeroDivisionError" in grades["worst.ipynb"].note
    assert "not a notebook" in grades["torn.ipynb"].note
    rows = list(csv.DictReader(io.StringIO(grading.table(tuple(grades.values())))))
    assert {row["notebook"]: row["total"] for row in rows}["model.ipynb"] == "4"


HOSTILE = {
    "exit": "import os; os._exit(0)",
    "kill": "import os, signal; os.kill(0, signal.SIGKILL)",
    "outside": "open('{outside}', 'w').write('x')\nanswer_1 = 64",
    "answer": "import quire.sketching.exercises as e\nanswer_1 = 64 if e else 0",
    "source": "answer_1 = 64 if 'def ' in open('{source}').read() else 0",
    "fork": "import os, time\nwhile True:\n    os.fork()",
    "memory": "x = bytearray(1 << 40)\nanswer_1 = 64",
    "flood": "print('x' * (1 << 26))",
    "network": "import socket\nsocket.create_connection(('127.0.0.1', {port}), 3)\nanswer_1 = 64",
    "forged": "import os\nfor fd in range(3, 40):\n"
    "    try: os.write(fd, b'{{\"answers\": 1}}\\n')\n    except OSError: pass",
    "deep": "answer_1 = []\nfor _ in range(5000): answer_1 = [answer_1]",
}


@confined
def test_a_hostile_notebook_costs_its_author_alone(homework: Chapter, tmp_path: Path) -> None:
    import socket

    folder, outside = tmp_path / "returned", tmp_path / "outside.txt"
    with socket.create_server(("127.0.0.1", 0)) as server:
        facts = {
            "outside": outside,
            "source": exercises.__file__,
            "port": server.getsockname()[1],
        }
        for name, code in HOSTILE.items():
            returned(homework, folder, name, code.format(**facts), RIGHT[1])
        returned(homework, folder, "zz_honest", *RIGHT)
        grades = handouts.grade(homework, folder, limits=sandbox.Limits(processes=64))
    points = {grade.notebook.removesuffix(".ipynb"): grade.points[1] for grade in grades}
    assert points == {**dict.fromkeys(HOSTILE, 0.0), "zz_honest": 1.0}
    notes = {grade.notebook.removesuffix(".ipynb"): grade.note for grade in grades}
    assert "ended before it had answered" in notes["exit"]
    assert "PermissionError" in notes["outside"] and not outside.exists()
    assert "ModuleNotFoundError" in notes["answer"] or "ImportError" in notes["answer"]
    assert "PermissionError" in notes["source"] and "MemoryError" in notes["memory"]
    assert "PermissionError" in notes["network"]
    assert notes["zz_honest"] == ""


@confined
def test_a_loop_without_end_is_ended(homework: Chapter, tmp_path: Path) -> None:
    returned(homework, tmp_path / "returned", "loop", "while True: pass", RIGHT[1])
    (grade,) = handouts.grade(homework, tmp_path / "returned", limits=sandbox.Limits(seconds=4))
    assert (grade.total, grade.note) == (0, "it was still running after 4 s")


@confined
@pytest.mark.slow
def test_a_killed_grader_leaves_no_notebook_running(homework: Chapter, tmp_path: Path) -> None:
    folder, work = tmp_path / "returned", tmp_path / "work"
    work.mkdir()
    returned(homework, folder, "loop", "open('begun', 'w').close()\nwhile True: pass", RIGHT[1])
    grader = subprocess.Popen(
        [sys.executable, "-m", "quire", "grade", homework.slug, str(folder),
         "-o", str(tmp_path / "grades.csv")],
        env={**os.environ, "TMPDIR": str(work)},
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 200
        while not [*work.glob(".quire-*/notebook-*/begun")]:
            assert grader.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        family = psutil.Process(grader.pid).children(recursive=True)
    finally:
        grader.kill()
        grader.wait()
    _, left = psutil.wait_procs(family, timeout=30)
    assert family and not left
    assert not (tmp_path / "grades.csv").exists()


def test_an_object_crosses_to_a_notebook_and_none_comes_back() -> None:
    from quire.pipeline.exercises import _contests

    steps = _contests()[0][0]
    told = json.loads(json.dumps(values.encode((steps,), [])))
    (again,) = values.decode(told, lambda *_: None, trusted=True)
    ranking = steps.fifo()
    assert again.makespan(ranking) == steps.makespan(ranking)
    with pytest.raises(values.Unreadable, match="object"):
        values.decode(told, lambda *_: None)


def test_a_students_copy_keeps_the_other_imports() -> None:
    kept = handouts.copies._without_checks("from quire.sketching import exercises, Shape\nx = 1")
    assert kept == "from quire.sketching import Shape\nx = 1"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("from quire.a import (\n    B, C,\n    d, exercises)\nx = 1", "B, C,\n    d)\nx = 1"),
        ("from quire.a import (exercises, B)", "from quire.a import (B)"),
        ("from quire.a import (\n    B,\n    exercises,\n    d,\n)", "B,\n    d,\n)"),
        ("from quire.a import (B, exercises_of)", "from quire.a import (B, exercises_of)"),
    ],
)
def test_checks_are_not_imported_from_brackets_either(written: str, kept: str) -> None:
    left = handouts.copies._without_checks(written)
    assert left.endswith(kept)
    compile(left, "cell", "exec")


@pytest.mark.parametrize(
    "answer",
    [
        None, True, 7, -(2**70), 1.5, float("inf"), "word", [1, [2]], (1, 2), {3, 4}, 1 + 2j,
        Fraction(2, 3), {"a": (1,)}, Shape(4, 5, 6),
    ],
)  # fmt: skip
def test_a_value_crosses_as_data(answer: object) -> None:
    sent = json.loads(json.dumps(values.encode(answer, [])))
    assert values.decode(sent, lambda *_: None) == answer


def test_arrays_functions_and_strangers_cross() -> None:
    array = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(values.decode(values.encode(array, []), lambda *_: None), array)
    functions: list[object] = []
    sent = values.encode(max, functions)  # type: ignore[arg-type]
    assert values.decode(sent, lambda number, given: (number, given))(1, 2) == (0, (1, 2))
    assert values.decode(values.encode(object(), []), lambda *_: None) == values.Strange("object")


@pytest.mark.parametrize(
    "data",
    [
        {"dataclass": ["os:system", {}]},
        {"dataclass": ["quire.sketching.exercises:last_of_case_two", {}]},
        {"dataclass": ["quire.sketching:Shape", {"n1": 1}]},
        {"enum": ["enum:Enum", "x"]},
        {"array": "AAAA"},
        {"float": "__import__"},
        {"unknown": 1},
        {"a": 1, "b": 2},
        {"fraction": ["0x1", "0x0"]},
    ],
)
def test_a_forged_value_is_refused(data: object) -> None:
    with pytest.raises(values.Unreadable):
        values.decode(data, lambda *_: None)


def test_an_array_that_claims_to_be_huge_is_refused() -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"shape": (10**12,), "fortran_order": False, "descr": "<f8"}
    )
    import base64

    with pytest.raises(values.Unreadable, match="too large"):
        values.decode({"array": base64.b64encode(buffer.getvalue()).decode()}, lambda *_: None)


def test_a_table_holds_no_formula() -> None:
    grade = handouts.Grade("=cmd().ipynb", {1: 1.0}, {1: "right"})
    assert "'=cmd().ipynb" in grading.table([grade])


def test_bad_input_is_one_line(
    tiny: Chapter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match="99_tiny has no exercises"):
        handouts.hand_out(tiny, tmp_path)
    (tmp_path / "none").mkdir()
    for words in (
        ["grade", "99", tmp_path / "none"],
        ["grade", "99", tmp_path / "nowhere"],
        ["handout", "99", "--points", "one"],
    ):
        with pytest.raises(SystemExit) as end:
            main([*map(str, words)])
        assert end.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_points_of_no_exercise_are_refused(homework: Chapter, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no exercise 3"):
        handouts.hand_out(homework, tmp_path, {3: 1})
    with pytest.raises(UserError, match="points = -1"):
        handouts.hand_out(homework, tmp_path, {1: -1})
