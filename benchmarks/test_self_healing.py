"""Seconds per line of a parsed log, per query of a retrieval, and per graph that is discovered."""

from difflib import SequenceMatcher

import numpy as np
import pytest

from quire.self_healing.peers import drain3, rapidfuzz
from quire.self_healing.perception.induction import induce
from quire.self_healing.perception.retrieval import fit_vectoriser
from quire.self_healing.reasoning.dynotears import discover, discovery_problem
from quire.self_healing.reasoning.lbfgs import discover_by_lbfgs
from quire.self_healing.reasoning.structures import simulate_process, standardised

LINES, TEMPLATES, QUERIES = 2000, 60, 20
ITEMS = QUERIES
SERIES = 10


@pytest.fixture(scope="module")
def log():
    """Lines of sixty templates of three to twelve words, each with two numbers in it."""
    random = np.random.default_rng(7)
    words = [f"{a}{b}" for a in ("read", "write", "open", "close", "node") for b in "abcdefgh"]
    made = [random.choice(words, random.integers(3, 13)).tolist() for _ in range(TEMPLATES)]
    return [
        " ".join([*made[k], "took", str(random.integers(1000)), "ms on", f"10.0.0.{k}"])
        for k in random.integers(0, TEMPLATES, LINES)
    ]


@pytest.mark.benchmark(group="a line of a log, to its template")
def test_inducer(benchmark, log):
    benchmark.extra_info["items"] = LINES
    benchmark(lambda: induce(log))


@pytest.mark.benchmark(group="a line of a log, to its template")
def test_drain3(benchmark, log):
    pytest.importorskip("drain3")
    benchmark.extra_info["items"] = LINES
    benchmark(lambda: drain3.drain("HDFS", log))


@pytest.fixture(scope="module")
def references(log):
    return list(dict.fromkeys(line.split(" took ")[0] for line in log))


@pytest.mark.benchmark(group="a line's nearest reference among sixty")
def test_tf_idf_product(timed, log, references):
    vectoriser = fit_vectoriser(references)
    rows = vectoriser.vectors(references)
    timed(lambda: (vectoriser.vectors(log[:QUERIES]) @ rows.T).toarray().argmax(axis=1))


@pytest.mark.benchmark(group="a line's nearest reference among sixty")
def test_rapidfuzz(timed, log, references):
    pytest.importorskip("rapidfuzz")
    timed(lambda: rapidfuzz.ratios(log[:QUERIES], references).argmax(axis=1))


@pytest.mark.benchmark(group="a line's nearest reference among sixty")
def test_difflib(timed, log, references):
    def nearest(line):
        return max(references, key=lambda r: SequenceMatcher(None, line, r, autojunk=False).ratio())

    timed(lambda: [nearest(line) for line in log[:QUERIES]])


@pytest.fixture(scope="module")
def problem():
    return discovery_problem(standardised(simulate_process(SERIES, 450, 14).X))


@pytest.mark.benchmark(group="the graph of ten series")
def test_discovery_in_jax(benchmark, problem):
    discover(problem)  # compile
    benchmark(lambda: discover(problem))


@pytest.mark.benchmark(group="the graph of ten series")
def test_discovery_by_lbfgs(benchmark, problem):
    benchmark.pedantic(lambda: discover_by_lbfgs(problem), rounds=5)
