"""Golden programs of the reference toolchain, and one lane count so that engines compile once."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from quire.isa import Launch, assemble

GOLDEN = Path(__file__).parents[2] / "data" / "golden" / "10-universal-gpu-isa"


def load(name):
    return json.loads(gzip.decompress((GOLDEN / f"{name}.json.gz").read_bytes()))


@dataclass(frozen=True)
class Golden:
    name: str
    source: str
    wbin: bytes
    kernel: object
    launch: Launch
    before: np.ndarray
    after: np.ndarray
    stats: dict


def words(text):
    return np.frombuffer(bytes.fromhex(text), "<u4")


@pytest.fixture(scope="session")
def golden():
    programs = []
    for entry in load("wave_golden"):
        launch = Launch(
            tuple(entry["grid"]),
            tuple(entry["workgroup"]),
            entry["wave_width"],
            entry["local_memory"],
        )
        programs.append(
            Golden(
                entry["name"],
                entry["source"],
                bytes.fromhex(entry["wbin_hex"]),
                assemble(entry["source"]).kernel(),
                launch,
                words(entry["mem_in_hex"]),
                words(entry["mem_out_hex"]),
                entry["stats"],
            )
        )
    return programs


@pytest.fixture(scope="session")
def stated():
    return load("wave_reference_deviations")
