"""Golden programs of the reference toolchain, and one lane count so that engines compile once."""

import csv
import gzip
import json
from pathlib import Path

import pytest

from quire.isa.experiments.golden import read_golden

GOLDEN = Path(__file__).parents[2] / "data" / "golden" / "10-universal-gpu-isa"


def load(name):
    return json.loads(gzip.decompress((GOLDEN / f"{name}.json.gz").read_bytes()))


@pytest.fixture(scope="session")
def golden():
    return read_golden(load("wave_golden"))


@pytest.fixture(scope="session")
def stated():
    return load("wave_reference_deviations")


@pytest.fixture(scope="session")
def hopper():
    """The measured tables of both cards."""
    names = ("reduction", "gemm", "histogram", "occupancy")

    def table(card, name):
        text = (GOLDEN / "hopper" / f"{card}_{name}.csv").read_text()
        return list(csv.DictReader(text.splitlines()))

    return {card: {name: table(card, name) for name in names} for card in ("h100", "h200")}
