"""Free-run fits, barriers, laws, hashes, certificates."""

import ast
import copy

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from quire.world_model import (
    InfeasibleSafeSet,
    Kernel,
    Learner,
    NotIdentified,
    Policy,
    WorldModelError,
    causal_graph,
    chain,
    closed_form,
    nearest_safe,
    state_hash,
    statistics,
)
from quire.world_model.certificate import issue
from quire.world_model.certificate.verifier import verify
from quire.world_model.domains.laws import enzyme, infusion, laws
from quire.world_model.kernel.canonical import canonical
from quire.world_model.learning import output_error, tanks

REFUSED = (ValueError, TypeCheckError)

RNG = np.random.default_rng(0)
THETA = np.array([1.4, -0.6, 0.05, 0.02, 0.01, 0.0, -0.05, 0.01, 0.001])


def test_a_free_run_fit_finds_the_model():
    u = RNG.normal(size=1500)
    y = output_error.free_run(THETA, u, np.zeros(1500))
    start = THETA * (1 + 0.02 * RNG.normal(size=9))
    fit = output_error.fit_free_run(start, u, y, 30)
    assert fit.theta == pytest.approx(THETA, abs=1e-6)
    assert output_error.free_run_rmse(np.array([3.0, 0, 0, 0, 0, 0, 0, 0, 0]), u, y + 1) == float(
        "inf"
    )


def test_sensitivities_are_those_of_finite_differences():
    u = RNG.normal(size=60)
    y = RNG.normal(size=60)
    total, _, slope = output_error._normal_equations(THETA, u, y, 2)
    for k in range(9):
        moved = THETA.copy()
        moved[k] += 1e-6
        more = output_error._normal_equations(moved, u, y, 2)[0]
        assert (total - more) / 2e-6 == pytest.approx(slope[k], rel=2e-3, abs=1e-5)


def test_tanks_overflow_and_never_run_below_empty():
    p = tanks.START.copy()
    levels = tanks.simulate_tanks(p, np.full(400, 20.0))
    assert levels.max() <= 10.0 and levels.max(axis=0)[0] == 10.0 and levels.min() >= 0
    empty = tanks.simulate_tanks(p, np.zeros(3000))
    assert empty[-1].max() < 0.1 and empty.min() >= 0
    with pytest.raises(REFUSED):
        tanks.simulate_tanks(-p, np.zeros(3))
    with pytest.raises(REFUSED):
        tanks.simulate_tanks(p[:3], np.zeros(3))


def test_the_nearest_safe_input():
    both = nearest_safe(np.array([1.0, 1.0]), np.array([[1.0, 1.0]]), np.array([4.0]))
    assert both.input == pytest.approx([2.0, 2.0])
    wanted = np.array([0.1, 0.2])
    kept = nearest_safe(wanted, np.array([[1.0, 0.0]]), np.array([0.0]))
    assert not kept.changed and kept.input.tobytes() == wanted.tobytes()
    with pytest.raises(InfeasibleSafeSet):
        nearest_safe(np.array([0.0]), np.array([[1.0], [-1.0]]), np.array([1.0, 1.0]))
    with pytest.raises(InfeasibleSafeSet):
        closed_form(np.array([0.0]), np.array([0.0]), 1.0)
    for _ in range(50):
        a, u = RNG.normal(size=3), RNG.normal(size=3)
        b = float(RNG.normal())
        found = nearest_safe(u, a[None], np.array([b])).input
        assert found == pytest.approx(closed_form(u, a, b).input, abs=1e-9)


def test_laws_hold():
    for law in laws(200, 1):
        assert law.residual < 1e-11, law


def test_domains_refuse_nonsense():
    for call in (
        lambda: enzyme(-1, 1, 1, 3, 0.1),
        lambda: infusion(0.1, 0.1, 0.1, [-1.0], 0.1),
        lambda: laws(0, 1),
    ):
        with pytest.raises(REFUSED):
            call()


def test_hashes():
    a = np.arange(4.0)
    assert state_hash(a) != state_hash(a.reshape(2, 2)) != state_hash(a.astype(np.float32))
    assert state_hash(a[::-1]) == state_hash(a[::-1].copy())
    assert chain(["a", "b"]) != chain(["b", "a"])
    with pytest.raises(WorldModelError):
        state_hash(np.array([object()]))


@pytest.fixture(scope="module")
def certified():
    x = RNG.normal(size=(60, 3))
    y = x @ [1.0, 2.0, 3.0]
    learner = Learner()
    for k in range(3):
        learner = learner.learn(f"s{k}", statistics(x[k::3], y[k::3]))
    rules = Policy(allow_subjects=("model",), allow_actions=("certify",), levels={"certify": 1})
    made = body(learner)
    with Kernel(rules) as kernel, kernel.client("model", ("certify",)) as client:
        client.authorize("certify", {"certificate": "another"})
        given = issue.grant(made, client, str(kernel.log))
        return learner, {"body": made, "grant": given}, kernel.public.hex()


def body(learner):
    graph = causal_graph([("Z", "X"), ("Z", "Y"), ("X", "Y")])
    return issue.body(
        issue.Oscillator(), np.array([1.0, 0.0]), 50, 0.05, graph, "X", "Y", ["Z"], learner
    )


def test_a_certificate_is_good_as_it_is(certified):
    assert verify(certified[1], certified[2]) == []
    assert (
        verify(certified[1], "00" * 32) and verify({}, certified[2]) and verify(None, certified[2])
    )


FORGERIES = {
    "a state": lambda c: c["body"]["states"].__setitem__(5, c["body"]["states"][6]),
    "no state": lambda c: c["body"].__setitem__("states", []),
    "damping": lambda c: c["body"]["model"].__setitem__("damping", (0.2).hex()),
    "adjustment": lambda c: c["body"]["causal"].__setitem__("adjustment", []),
    "collider": lambda c: c["body"]["causal"].__setitem__(
        "edges", [["X", "Y"], ["U", "X"], ["U", "Y"], ["Z", "X"]]
    ),
    "cycle": lambda c: c["body"]["causal"]["edges"].append(["Y", "Z"]),
    "coefficient": lambda c: c["body"]["data"]["theta"].__setitem__(0, (1.01).hex()),
    "shard": lambda c: c["body"]["data"]["shards"].pop("s1"),
    "index": lambda c: c["grant"].__setitem__("index", 0),
    "time": lambda c: c["grant"].__setitem__("time", 1),
    "proof": lambda c: c["grant"].__setitem__("proof", []),
    "token": lambda c: c["grant"].__setitem__("token", c["grant"]["token"][:-4] + "AAAA"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_certificate_is_refused(certified, name):
    forged = copy.deepcopy(certified[1])
    FORGERIES[name](forged)
    assert verify(forged, certified[2])


def test_after_untraining_the_body_is_that_of_a_model_that_never_saw(certified):
    learner = certified[0]
    never = Learner().learn("s2", learner.shards["s2"]).learn("s0", learner.shards["s0"])
    assert (
        canonical(body(learner.forget("s1"))) == canonical(body(never)) != canonical(body(learner))
    )


def test_an_open_back_door_is_not_certified(certified):
    graph = causal_graph([("Z", "X"), ("Z", "Y"), ("X", "Y")])
    with pytest.raises(NotIdentified):
        issue.body(
            issue.Oscillator(), np.array([1.0, 0.0]), 5, 0.05, graph, "X", "Y", [], certified[0]
        )


def test_the_verifier_is_short_and_stands_alone():
    from pathlib import Path

    from quire.world_model.certificate import verifier

    text = Path(verifier.__file__).read_text()
    assert "quire" not in text.split("import", 1)[1]
    tree = ast.parse(text)
    told = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node)
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    lines = enumerate(text.splitlines(), 1)
    code = [n for n, line in lines if line.strip() and line.strip()[0] != "#" and n not in told]
    assert len(code) <= 200
