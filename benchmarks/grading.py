"""Grading: every chapter handed out, solved right and wrong, and graded by the command itself.

Run as ``python benchmarks/grading.py [--keep] [CHAPTER...]``, all chapters without a name (a
chapter takes half a minute). Of each it hands out the homework, returns five notebooks, grades the
folder with ``quire grade`` and prints what each was worth: the page's own solutions must have full
marks, and a blank copy and three wrong ones none. It ends with status 1 where that is not so.
``--keep`` keeps the rows in ``data/golden/grading/matrix.csv``, which the teaching page shows.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from quire.workbook import notebooks
from quire.workbook.book.pages.teaching import GRADED, read_graded
from quire.workbook.chapters import Chapter, all_chapters, find_chapter
from quire.workbook.files import make_folder, replacing
from quire.workbook.handouts import hand_out
from quire.workbook.handouts.copies import KEY
from quire.workbook.handouts.questions import Question, questions
from quire.workbook.home import home

Asked = Sequence[Question]


def solutions(asked: Asked, number: int) -> str:
    """Answer an exercise as its page does."""
    return f"{asked[number].solution}\n{asked[number].variable} = {asked[number].answer}"


def blank(asked: Asked, number: int) -> str:
    """Answer nothing."""
    return f"{asked[number].variable} = None"


def zeros(asked: Asked, number: int) -> str:
    """Answer every exercise with zeros."""
    return f"{asked[number].variable} = [[0, 0], [0, 0]]"


def function(asked: Asked, number: int) -> str:
    """Answer every exercise with a function that gives nought."""
    return f"{asked[number].variable} = lambda *_: 0"


def neighbour(asked: Asked, number: int) -> str:
    """Answer an exercise with the right answer of the next one."""
    other = asked[(number + 1) % len(asked)]
    return f"{other.solution}\n{asked[number].variable} = {other.answer}"


ANSWERS: Mapping[str, Callable[[Asked, int], str]] = {
    each.__name__: each for each in (solutions, blank, zeros, function, neighbour)
}


def returned(chapter: Chapter, folder: Path) -> Path:
    """Hand out a chapter below ``folder`` and fill in one notebook of each kind; where they lie."""
    student, _, _ = hand_out(chapter, folder / "out")
    asked = questions(chapter.cells())
    for name, answer in ANSWERS.items():
        made = notebooks.read(student)
        for cell in made.cells:
            if number := cell.metadata.get("quire", {}).get(KEY):
                cell.source = answer(asked, number - 1)
        path = make_folder(folder / "returned") / f"{name}.ipynb"
        path.write_text(notebooks.dumps(made), encoding="utf-8")
    return folder / "returned"


def row(chapter: Chapter) -> tuple[dict[str, str], list[str]]:
    """Return what each kind of notebook was worth in ``quire grade``, and the notes it made."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "grades.csv"
        done = subprocess.run(
            [sys.executable, "-m", "quire", "grade", chapter.slug,
             str(returned(chapter, Path(folder))), "-o", str(table)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{chapter.slug}: {done.stderr.strip()}")
        with table.open(encoding="utf-8", newline="") as file:
            graded = {Path(each["notebook"]).stem: each for each in csv.DictReader(file)}
    made = {
        "chapter": chapter.number,
        "exercises": str(len(questions(chapter.cells()))),
        **{name: graded[name]["total"] for name in ANSWERS},
    }
    return made, [f"{name}: {each['note']}" for name, each in graded.items() if each["note"]]


def is_fair(made: Mapping[str, str], notes: Sequence[str]) -> bool:
    """Return whether the solutions had full marks, nothing else had any, and every cell ran."""
    return not notes and all(
        made[name] == (made["exercises"] if name == "solutions" else "0") for name in ANSWERS
    )


def keep(rows: Iterable[Mapping[str, str]], root: Path) -> Path:
    """Put rows in the place of those of the same chapters, and return the file."""
    known = {each["chapter"]: each for each in (*read_graded(root), *rows)}
    path = root / GRADED
    with replacing(path) as file:
        lines = [
            ("chapter", "exercises", *ANSWERS),
            *(tuple(known[n].values()) for n in sorted(known)),
        ]
        file.write("".join(",".join(line) + "\n" for line in lines).encode())
    return path


def main(words: Sequence[str]) -> int:
    """Print the matrix of the chapters named, all without a name."""
    names = [word for word in words if word != "--keep"]
    unfair = 0
    print("chapter exercises", *ANSWERS)
    for chapter in map(find_chapter, names) if names else all_chapters():
        made, notes = row(chapter)
        fair = is_fair(made, notes)
        print(*made.values(), *([] if fair else ["UNFAIR", *notes]), flush=True)
        unfair += not fair
        if "--keep" in words and fair:
            keep([made], home())
    return int(unfair > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
