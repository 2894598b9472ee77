"""Who may import whom is kept by import-linter; here, that its contracts leave no topic out."""

import ast
import importlib.metadata
import re
import subprocess
import sys
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


HIDE = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
"""


def test_the_library_imports_without_its_extras() -> None:
    """Whatever only an extra brings is hidden; every topic must import all the same."""
    extras = PROJECT["project"]["optional-dependencies"]
    brought = {_distribution(line) for lines in extras.values() for line in lines}
    core = _closure({_distribution(line) for line in PROJECT["project"]["dependencies"]})
    hidden = sorted(
        module
        for module, distributions in importlib.metadata.packages_distributions().items()
        if {_normal(name) for name in distributions} <= brought - core
    )
    assert "pandas" in hidden
    topics = ", ".join(f"quire.{topic}" for topic in TOPICS)
    code = f"HIDDEN = {hidden!r}\n{HIDE}\nimport {topics}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _distribution(requirement: str) -> str:
    return _normal(re.split(r"[<>=;\[ !~]", requirement)[0])


def _closure(names: set[str]) -> set[str]:
    """Return the distributions that installing ``names`` brings, extras left aside."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        found.add(name)
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        waiting |= {_distribution(line) for line in lines if "extra ==" not in line} - found
    return found
