"""What a policy may say, and what it protects."""

from dataclasses import replace

import pytest
from jaxtyping import TypeCheckError

from quire.world_model import (
    Barrier,
    Policy,
)
from quire.world_model.kernel import (
    canonical,
)
from quire.world_model.kernel.policy import decide

REFUSED = (ValueError, TypeCheckError)


@pytest.mark.parametrize(
    "call",
    [
        lambda: Policy(ceiling=7),
        lambda: Policy(levels={"a": -1}),
        lambda: Policy(levels={"a": True}),
        lambda: Policy(envelope={"a": {"x": (1.0, 0.0)}}),
        lambda: Policy(envelope={"a": {"x": (float("nan"), 1.0)}}),
        lambda: Policy(barriers=(Barrier("a", {}, 0.0),)),
        lambda: Policy(barriers=(Barrier("a", {"x": float("inf")}, 0.0),)),
    ],
    ids=range(7),
)
def test_bad_policies_are_refused(call):
    with pytest.raises(REFUSED):
        call()


def test_what_is_protected_is_found_however_it_is_named(tmp_path):
    kept = tmp_path / "policy.json"
    kept.write_text("x")
    rules = Policy(
        allow_subjects=("w",),
        allow_actions=("write",),
        levels={"write": 1},
        protected=(str(kept),),
    )

    def reason(params):
        request = {
            "action": "write",
            "run_id": "r",
            "subject": "w",
            "params": params,
            "params_fingerprint": canonical.fingerprint(params),
            "capability": "c",
        }
        return decide(rules, request, 3, False, {"subject": "w", "actions": ["write"]})

    hidden = [
        [str(kept)],
        {"a": {"b": [str(kept)]}},
        {str(kept): 1},
        f"file://{kept}",
        f"file://localhost{kept}",
        f" {kept} ",
        str(tmp_path / "\uff50olicy.json"),
        "policy.json",
        "./policy.json",
        "../x/POLICY.json",
    ]
    assert [reason({"target": target}) for target in hidden] == ["protected_target"] * len(hidden)
    for good in (str(tmp_path / "other.json"), "other.json", ["a", {"b": "c"}], "~nobody-here/x"):
        assert reason({"target": good}) == "allowed"
    for over in (str(tmp_path), str(tmp_path.parent), "/", str(tmp_path / "POLICY.json")):
        assert reason({"target": over}) == "protected_target"
    read = replace(rules, levels={"write": 0})
    request = {
        "action": "write",
        "run_id": "r",
        "subject": "w",
        "params": {"target": str(tmp_path)},
        "params_fingerprint": canonical.fingerprint({"target": str(tmp_path)}),
        "capability": "c",
    }
    assert decide(read, request, 3, False, {"subject": "w", "actions": ["write"]}) == "allowed"
