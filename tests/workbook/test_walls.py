"""Two wings and a row of rooms: who may import whom."""

import ast
from pathlib import Path

import pytest

import quire

LIBRARY = Path(quire.__file__).parent
WORKBOOK = "workbook"
TOPICS = sorted(
    folder.name
    for folder in LIBRARY.iterdir()
    if (folder / "__init__.py").exists() and folder.name not in {WORKBOOK, "_checkout"}
)
# A topic imports another only where the mathematics does.
DOORS = {("serving", "queueing")}
# What shows, stores or runs things has no business in a topic.
MACHINERY = {"altair", "papermill", "nbformat", "nbclient", "IPython", "pydantic", "typer", "pooch"}


def imported(file: Path) -> set[str]:
    """Return the full names of all modules a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name}: a relative import"
            names |= {node.module or ""}
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_of_quire(names: set[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("quire.")}


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_knows_nothing_of_the_workbook_nor_of_other_topics(topic: str) -> None:
    for file in (LIBRARY / topic).rglob("*.py"):
        names = imported(file)
        assert not {name.split(".")[0] for name in names} & MACHINERY, file
        rooms = rooms_of_quire(names) & {*TOPICS, WORKBOOK} - {topic}
        assert not {room for room in rooms if (topic, room) not in DOORS}, file


def test_the_workbook_knows_nothing_of_any_topic() -> None:
    for file in (LIBRARY / WORKBOOK).rglob("*.py"):
        assert not rooms_of_quire(imported(file)) & set(TOPICS), file


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_says_what_it_holds(topic: str) -> None:
    tree = ast.parse((LIBRARY / topic / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assigned = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert "__all__" in assigned
