import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from quire.secure_sums import Certificate, as_data, certify, run_mesh, save_certificate

CHECKER = Path(sys.modules[certify.__module__].__file__).with_name("check_certificate.py")


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    words = np.random.default_rng(0).integers(0, 2**32, (4, 1_000), dtype=np.uint32)
    return certify(4, 1, run=run_mesh(words))


def check(path: Path) -> subprocess.CompletedProcess[str]:
    """Run the checker with no site packages and no path: the standard library is all it has."""
    command = [sys.executable, "-I", "-S", "-O", str(CHECKER), str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_instance_certifies_itself_and_the_checker_agrees(
    certificate: Certificate, tmp_path: Path
) -> None:
    assert certificate.optimal and certificate.wire is not None
    assert certificate.wire.over_bound == 1
    assert "1.000 of the bound" in str(certificate)
    save_certificate(certificate, tmp_path / "certificate.json")
    answer = check(tmp_path / "certificate.json")
    assert answer.stdout.startswith("holds: K=4 T=1 leak 0 over 10 coalitions"), answer.stderr


def shared_pad(data: dict) -> None:
    data["keys"] = [[1, 0, 0], [1, 0, 0], [0, 0, 1], [-2, 0, -1]]


def pads_with_a_sum(data: dict) -> None:
    data["keys"][0][0] = 2


def larger_bound(data: dict) -> None:
    data["bounds"][2]["bound"] = "4"


def negative_step(data: dict) -> None:
    data["bounds"][0]["inequalities"][0][3] = "-1"


def dropped_step(data: dict) -> None:
    data["bounds"][1]["inequalities"].pop()


def more_secure_equality(data: dict) -> None:
    data["colluders"] = 2


def one_extra_byte(data: dict) -> None:
    data["wire"]["payload_bytes"][0] += 1


def other_objective(data: dict) -> None:
    data["bounds"][1] = data["bounds"][0]


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (shared_pad, "learns 1 symbols"),
        (pads_with_a_sum, "do not add up to zero"),
        (larger_bound, "does not add up"),
        (negative_step, "no inequality"),
        (dropped_step, "does not add up"),
        (more_secure_equality, "nothing is certified"),
        (one_extra_byte, "payload sent"),
        (other_objective, "not the least possible"),
    ],
)
def test_the_checker_refuses_a_forged_certificate(
    certificate: Certificate, tmp_path: Path, forge: Callable[[dict], None], reason: str
) -> None:
    data = json.loads(json.dumps(as_data(certificate)))
    forge(data)
    path = tmp_path / "forged.json"
    path.write_text(json.dumps(data))
    answer = check(path)
    assert answer.returncode == 1 and reason in answer.stderr and not answer.stdout


def test_what_cannot_be_certified_is_refused() -> None:
    with pytest.raises(ValueError, match="exact proofs are made for K <= 6"):
        certify(7, 0)
    with pytest.raises(ValueError, match="vacuous"):
        certify(4, 2)
