"""Arguments of other kinds: the same answer where they mean the same, else refused by name."""

from collections.abc import Callable
from math import nan
from typing import Any

import numpy as np
import pytest

from quire.provenance import (
    SmallAgent,
    World,
    chain,
    consistency_proof,
    contrast,
    directly_follows,
    expected_calibration_error,
    from_prov,
    head_of,
    inclusion_proof,
    merkle_root,
    murphy,
    reliability,
    simulate,
    verify_consistency,
    verify_inclusion,
)

pytestmark = pytest.mark.usefixtures("unchecked_types")

WORLD = World()
RUNS = np.arange(4)
HOLDS = np.array([True, False, True, False])


@pytest.mark.parametrize(
    ("call", "named"),
    [
        *((lambda b=b: murphy([0.5], [1], b), "bins") for b in (2**70, 0, 2.0)),
        (lambda: reliability([0.5], [1], 2**70), "bins"),
        (lambda: expected_calibration_error([0.5], [1], by=None), "by = None"),
        (lambda: contrast({"a": [1, 0, 1, 0]}, HOLDS), r"holds\['a'\]"),
        (lambda: contrast({"a": HOLDS}, np.array(["x"] * 4)), "failed"),
        (lambda: contrast([("a", HOLDS)], HOLDS), "holds"),
        (lambda: directly_follows([0, 0], [0, 2], 2), "code"),
        (lambda: directly_follows([0, 0], [0, 1], 2**40), "codes"),
        (lambda: directly_follows([0.0, 0.0], [0, 1], 2), "case"),
        (lambda: WORLD.category(-1), "hypothesis = -1"),
        (lambda: WORLD.category("0"), "hypothesis = '0'"),
        (lambda: WORLD.outcomes(-1, RUNS, RUNS), "seed = -1"),
        (lambda: WORLD.outcomes(0, RUNS + 0.5, RUNS), "incidents"),
        (lambda: WORLD.outcomes(0, RUNS, RUNS - 1), "truth"),
        (lambda: simulate(WORLD, RUNS, RUNS * 0 + 2, np.ones(4), 0), "policy"),
        (lambda: simulate(None, RUNS, RUNS * 0, np.ones(4), 0), "world = None"),
        *((lambda x=x: SmallAgent(leak=x), "leak") for x in ("x", nan, 2, None)),
        (lambda: SmallAgent(contexts=0), "contexts = 0"),
        (lambda: SmallAgent().sample(2**70, 0), "count"),
        (lambda: chain({}, "abc"), "documents = 'abc'"),
        (lambda: from_prov(None), "document: is None"),
        (lambda: head_of(3), "entries = 3"),
        (lambda: merkle_root(3), "leaves = 3"),
    ],
)
def test_what_is_no_such_argument_is_refused_by_name(call: Callable[[], Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        call()


def test_the_leaves_of_a_tree_may_come_from_an_iterator() -> None:
    leaves = [bytes([k]) * 32 for k in range(3)]
    assert merkle_root(iter(leaves)) == merkle_root(leaves) != merkle_root([])


@pytest.mark.parametrize("kind", [int, np.int64, np.uint8])
def test_a_proof_holds_whatever_integers_its_places_are(kind: Any) -> None:
    leaves = [bytes([k]) * 32 for k in range(5)]
    root, older = merkle_root(leaves), merkle_root(leaves[:3])
    proof = inclusion_proof(leaves, kind(2))
    assert verify_inclusion(leaves[2], kind(2), kind(5), proof, root)
    assert not verify_inclusion(leaves[2], kind(1), kind(5), proof, root)
    grown = consistency_proof(leaves, kind(3))
    assert verify_consistency(kind(3), kind(5), older, root, iter(grown))
    assert not verify_consistency(kind(2), kind(5), older, root, grown)


@pytest.mark.parametrize("kind", [list, np.int8, np.uint64])
def test_events_of_any_integer_type_follow_each_other(kind: Any) -> None:
    def given(values: list[int]) -> Any:
        return values if kind is list else np.array(values, kind)

    found = directly_follows(given([0, 0, 0, 1, 1]), given([0, 1, 99, 0, 1]), 100)
    assert found[0, 1] == 2 and found[1, 99] == 1 and found.sum() == 3
    assert directly_follows([], [], 3).sum() == 0


def test_runs_may_be_listed() -> None:
    listed = simulate(WORLD, RUNS.tolist(), [0] * 4, [1.0] * 4, np.int8(3))
    assert np.array_equal(listed.tool, simulate(WORLD, RUNS, RUNS * 0, np.ones(4), 3).tool)
