"""Servers are started once for all tests that only talk to them; there are few of those."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from quire.brokers import Server, started
from quire.brokers.tables.rows import Row, fanout_rows, pair_rows

MIRROR = Path(os.environ.get("QUIRE_DATA_MIRROR", Path(__file__).parents[3] / "shared" / "data"))
DATA = MIRROR / "05-mq-bench"


def _table(name: str) -> list[dict[str, str]]:
    if not (DATA / name).is_file():
        pytest.skip(f"needs the dataset 05/{name}")
    with (DATA / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="session")
def reset_table() -> list[dict[str, str]]:
    return _table("qos_failures.csv")


@pytest.fixture(scope="session")
def null_broker() -> Iterator[Server]:
    with started("null") as server:
        yield server


@pytest.fixture(scope="session")
def pair_tables() -> dict[int, list[Row]]:
    return {
        c: pair_rows(_table(f"pairs_{vm}.csv")) for c, vm in ((1, "vm12"), (2, "vm24"), (4, "vm48"))
    }


@pytest.fixture(scope="session")
def fanout_table() -> list[Row]:
    return fanout_rows(_table("fanout_rate100_vm48.csv"))
