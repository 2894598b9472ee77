"""Who may import whom is kept by import-linter; here, that its contracts leave no topic out."""

import ast
import tomllib
from pathlib import Path

import pytest

import quire

LIBRARY = Path(quire.__file__).parent
TOPICS = sorted(
    folder.name
    for folder in LIBRARY.iterdir()
    if (folder / "__init__.py").exists() and folder.name not in {"workbook", "_checkout"}
)
PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = PROJECT["tool"]["importlinter"]["contracts"]


def test_the_import_contracts_name_every_topic() -> None:
    modules = {f"quire.{topic}" for topic in TOPICS}
    independent, forbidden = CONTRACTS
    assert set(independent["modules"]) == modules | {"quire.workbook"}
    assert set(forbidden["source_modules"]) == modules


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
