"""What a computation's last digits may depend on is told, and told alike by every process."""

import json
import subprocess
import sys

import pytest

from quire.workbook.machine import arithmetic

TELL = """\
import {first}, json
from quire.workbook.machine import arithmetic
print(json.dumps(arithmetic()))
"""


def test_it_is_plain_data_and_the_same_twice() -> None:
    found = arithmetic()
    assert json.loads(json.dumps(found)) == found == arithmetic()
    assert found["cores"] >= 1
    assert found["processor"]


@pytest.mark.parametrize("first", ["quire", "jax"])
def test_it_does_not_depend_on_what_was_imported_first(first: str) -> None:
    told = subprocess.run(
        [sys.executable, "-c", TELL.format(first=first)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(told.stdout) == arithmetic()


def test_settings_that_choose_other_instructions_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    before = arithmetic()
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_max_isa=AVX")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Sandybridge")
    settings = arithmetic()["settings"]
    assert settings["XLA_FLAGS"] == "--xla_cpu_max_isa=AVX"
    assert settings["OPENBLAS_CORETYPE"] == "Sandybridge"
    assert arithmetic() != before
