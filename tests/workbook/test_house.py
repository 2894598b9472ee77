"""The files at the top of the house agree with each other."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_conda_environment_is_that_of_the_project() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    packages = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert f"python{PROJECT['requires-python']}" in packages
    # What pip installs is this project and nothing beside it, so versions are said only once.
    (itself,) = pip
    extras = re.fullmatch(r"-e \.\[([a-z,]+)\]", itself)
    assert extras is not None
    assert set(extras[1].split(",")) == set(PROJECT["optional-dependencies"])
    assert set(packages) <= {f"python{PROJECT['requires-python']}", "pip"}


def test_the_constraints_name_every_dependency() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower()
    pinned = {re.split(r"[=;\s\[]", line)[0] for line in text.splitlines() if "==" in line}
    extras = PROJECT["optional-dependencies"].values()
    wanted = [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]
    names = {re.split(r"[<>=;\[ ]", line)[0].lower() for line in wanted}
    normal = {re.sub(r"[-_.]+", "-", name) for name in names}
    assert normal <= {re.sub(r"[-_.]+", "-", name) for name in pinned}


@pytest.mark.parametrize("command", ["nox -s book", "nox -s tests"])
def test_the_readme_gives_the_commands_that_nox_knows(command: str) -> None:
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
    session = command.split()[-1]
    assert f"def {session}(" in (ROOT / "noxfile.py").read_text(encoding="utf-8")


def test_ci_runs_the_readmes_own_test_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^(.*nox -s tests.*)$", readme, flags=re.M)
    assert command.strip() in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert command.strip() in (ROOT / ".github" / "workflows" / "ci.yml").read_text(
        encoding="utf-8"
    )


def test_version_and_licence_are_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    module = (ROOT / "lib" / "quire" / "__init__.py").read_text(encoding="utf-8")
    assert f'__version__ = "{PROJECT["version"]}"' in module


def test_the_readmes_ten_lines_print_what_they_say() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", readme, flags=re.S)
    assert len(code.strip().splitlines()) <= 10
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "32.0 words, 1.0 times the bound", done.stderr
    assert "# 32.0 words, 1.0 times" in code


def test_what_belongs_together_runs_in_one_process(request: pytest.FixtureRequest) -> None:
    """With pytest 9.2 pytest-xdist 3.8 does not group, and says nothing of it."""
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("one process, or another way to share the tests")
    assert request.node.nodeid.endswith("@workbook-house")
