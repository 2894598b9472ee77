import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from quire.secure_sums import (
    Certificate,
    aggregation_model,
    as_data,
    certify,
    converse_bound,
    converse_program,
    everyone_wants_everything,
    exact_proof,
    processes_supported,
    run_mesh,
    save_certificate,
)
from quire.secure_sums.certificates import bound_as_data

pytestmark = pytest.mark.skipif(not processes_supported(), reason="needs forkserver and sendmsg")
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


def low_bits_in_clear(data: dict) -> None:
    """Over F_3 these keys hide everything; over 32-bit words X1 - X2 shows a low bit."""
    data["keys"] = [[1, 1, 0], [1, -1, 0], [0, 0, 1], [-2, 0, -1]]
    data["fields"] = [3]


def even_keys_and_no_field_two(data: dict) -> None:
    data["keys"] = [[2 * v for v in row] for row in data["keys"]]
    data["fields"] = [3, 5]


def even_keys(data: dict) -> None:
    data["keys"] = [[2 * v for v in row] for row in data["keys"]]


def no_prime(data: dict) -> None:
    data["fields"] = [2, 4]


def no_field(data: dict) -> None:
    data["fields"] = []


def boolean_field(data: dict) -> None:
    data["fields"] = [2, True]


def no_wire(data: dict) -> None:
    data["wire"] = None


def missing_wire(data: dict) -> None:
    del data["wire"]


def nothing_sent(data: dict) -> None:
    data["wire"] |= {"length": 0, "payload_bytes": [0] * 4, "heard_bytes": [0] * 4}


def less_than_nothing_sent(data: dict) -> None:
    sent = [4 * -5 * 3] * 4
    data["wire"] |= {"length": -5, "payload_bytes": sent, "heard_bytes": sent}


def half_a_word(data: dict) -> None:
    data["wire"] |= {"length": 0.5, "payload_bytes": [6] * 4, "heard_bytes": [6] * 4}


def not_heard(data: dict) -> None:
    data["wire"]["heard_bytes"][2] -= 4


def two_users(data: dict) -> None:
    data |= {"users": 2, "colluders": -1, "keys": [[1], [-1]]}


def an_extra_source_symbol(data: dict) -> None:
    data["keys"] = [[*row, 0] for row in data["keys"]]


def a_user_that_is_not_there(data: dict) -> None:
    for step in data["bounds"][1]["equalities"]:
        if step[0][0] == "secure":
            step[0][1] = 4


def a_user_below_zero(data: dict) -> None:
    for step in data["bounds"][1]["equalities"]:
        if step[0][0] == "secure":
            step[0][1] = -1


def made_up_equality(data: dict) -> None:
    data["bounds"][0]["equalities"].append([["free lunch"], "1"])


def a_weight_that_is_no_fraction(data: dict) -> None:
    data["bounds"][0]["inequalities"][0][3] = "nan"


def a_weight_over_zero(data: dict) -> None:
    data["bounds"][0]["inequalities"][0][3] = "1/0"


def a_claimed_leak(data: dict) -> None:
    data["leak"] = 1


def old_format(data: dict) -> None:
    data["format"] = "quire secure-sum certificate 1"


def no_bounds(data: dict) -> None:
    data["bounds"] = []


def a_bound_twice(data: dict) -> None:
    data["bounds"].append(data["bounds"][0])


def averages_for_each(data: dict) -> None:
    """A proof of the average message, users exchanged at will, put in place of one user's."""
    problem = everyone_wants_everything(4, [0])
    model = aggregation_model(problem)
    mean = {0b100 << 3 * k: 1 for k in range(4)}
    model = replace(model, objectives={"message": mean})
    proof = exact_proof(converse_bound(converse_program(model), "message"))
    forged = bound_as_data(proof)
    scale = Fraction(1, 4)
    forged["bound"] = str(Fraction(forged["bound"]) * scale)
    forged["inequalities"] = [
        [*step[:3], str(Fraction(step[3]) * scale)] for step in forged["inequalities"]
    ]
    forged["equalities"] = [
        [name, str(Fraction(weight) * scale)] for name, weight in forged["equalities"]
    ]
    data["bounds"][0] = forged


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
        (more_secure_equality, "the number of colluders is 2"),
        (one_extra_byte, "payload sent"),
        (other_objective, "not the least possible"),
        (low_bits_in_clear, "2 is not among the fields"),
        (even_keys_and_no_field_two, "2 is not among the fields"),
        (even_keys, "learns 2 symbols"),
        (no_prime, "4 is no prime"),
        (no_field, "the fields is no list"),
        (boolean_field, "a field is True"),
        (no_wire, "malformed"),
        (missing_wire, "malformed"),
        (nothing_sent, "the length is 0"),
        (less_than_nothing_sent, "the length is -5"),
        (half_a_word, "the length is 0.5"),
        (not_heard, "not what was sent"),
        (two_users, "the number of users is 2"),
        (an_extra_source_symbol, "other keys"),
        (a_user_that_is_not_there, "a user is 4"),
        (a_user_below_zero, "a user is -1"),
        (made_up_equality, "not of the problem"),
        (a_weight_that_is_no_fraction, "no fraction"),
        (a_weight_over_zero, "no fraction"),
        (a_claimed_leak, "the leak is 1"),
        (old_format, "the format is another"),
        (no_bounds, "the bounds is no list"),
        (a_bound_twice, "not the least possible"),
        (averages_for_each, "does not add up"),
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
    assert answer.returncode == 1 and not answer.stdout
    assert reason in answer.stderr and len(answer.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("text", ["", "[]", "7", "null", "{", '{"users": 1e999}', "[" * 100_000])
def test_a_file_that_is_no_certificate_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "not.json"
    path.write_text(text)
    answer = check(path)
    assert answer.returncode == 1 and answer.stderr.startswith("does not hold: the file")
    assert len(answer.stderr.strip().splitlines()) == 1
    assert check(tmp_path / "missing.json").returncode == 1


def test_what_cannot_be_certified_is_refused() -> None:
    with pytest.raises(ValueError, match="exact proofs are made for K <= 5"):
        certify(7, 0)
    with pytest.raises(ValueError, match="vacuous"):
        certify(4, 2)
