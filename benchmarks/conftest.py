"""A session of benchmarks tells how busy the machine was, before and after."""

import os
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture


def pytest_configure(config: pytest.Config) -> None:
    """Look at the load before anything runs."""
    config.stash[_LOAD] = _load()


def pytest_benchmark_update_json(
    config: pytest.Config, benchmarks: list[Any], output_json: dict[str, Any]
) -> None:
    """Write the load into the session's file."""
    output_json["quire_load"] = [config.stash[_LOAD], _load()]


@pytest.fixture
def timed(benchmark: BenchmarkFixture, request: pytest.FixtureRequest) -> BenchmarkFixture:
    """The benchmark of a round that makes ``ITEMS`` things, as its module says."""
    benchmark.extra_info["items"] = request.module.ITEMS
    return benchmark


_LOAD = pytest.StashKey[float]()


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
