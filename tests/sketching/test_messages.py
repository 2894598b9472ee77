import sys

import numpy as np
import pytest

from quire.sketching import MessageCase, count_messages, mpiexec_path
from quire.sketching.messages import run_case


def mpi_or_skip() -> None:
    pytest.importorskip("mpi4py")
    try:
        mpiexec_path()
    except RuntimeError as missing:
        pytest.skip(str(missing))


@pytest.mark.slow
def test_bytes_sent_by_8_ranks_equal_the_formulas():
    mpi_or_skip()
    cases = [
        MessageCase("sketch", 512, 256, 64, 8),
        MessageCase("sketch", 4, 256, 64, 4, 2, 1),
        MessageCase("sketch", 2, 64, 64, 2, 2, 2),
        MessageCase("sketch", 1, 256, 64, 1, 4, 2),
        MessageCase("sketch", 4, 64, 64, 1, 2, 4),
        MessageCase("noredist", 256, 256, 64, 8),
        MessageCase("redist", 256, 256, 64, 8),
    ]
    for counted in count_messages(cases):
        assert counted.words_sent == counted.case.words
        assert len(set(counted.bytes_sent)) == 1
        assert counted.bytes_received == counted.bytes_sent
        assert counted.error < 1e-11
    assert [case.words for case in cases] == [0, 32, 32, 56, 128, 3584, 1792]


def test_a_failing_run_tells_its_last_line(monkeypatch):
    monkeypatch.setattr("quire.sketching.peers.mpi4py.mpiexec_path", lambda: sys.executable)
    with pytest.raises(RuntimeError, match="MPI run failed with status 2: "):
        count_messages([MessageCase("sketch", 4, 4, 4, 1)])  # Python has no option -n


def test_missing_mpi_names_the_packages(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="pip install mpi4py mpich"):
        mpiexec_path()


def test_cases_must_share_the_number_of_ranks():
    with pytest.raises(ValueError, match="one number of ranks for all"):
        count_messages([MessageCase("sketch", 4, 4, 4, 1), MessageCase("sketch", 4, 4, 4, 2)])
    with pytest.raises(ValueError, match="one number of ranks for all"):
        count_messages([])


def test_a_rank_generates_only_what_it_asks_for():
    from quire.sketching.messages import omega

    case = MessageCase("sketch", 4, 32, 8, 1)
    assert omega(case, slice(8, 12), slice(2, 5)).shape == (4, 3)
    np.testing.assert_array_equal(omega(case)[8:12, 2:5], omega(case, slice(8, 12), slice(2, 5)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("sketch", 4, 4, 4, 3), "grid = 3×1×1"),
        (("sketch", 4, 4, 4, 1, 8), "grid = 1×8×1"),
        (("noredist", 4, 8, 4, 2), "Nystrom is allowed with n1 = n2"),
        (("redist", 4, 4, 4, 1, 2), "Nystrom is allowed with n1 = n2"),
        (("sketch", 0, 4, 4, 1), "n1 = 0"),
        (("sketch", 4, 4, 4, 1, 1, 1, -1), "seed = -1"),
    ],
)
def test_a_case_that_cannot_be_run_is_refused_before_it_starts(fields, message):
    with pytest.raises(ValueError, match=message):
        MessageCase(*fields)


def test_a_ring_of_one_keeps_everything():
    case = MessageCase("sketch", 4, 8, 4, 1)
    sent, received, error = run_case(Alone(), case)
    assert (sent, received) == (0, 0)
    assert error < 1e-12


class Alone:
    """A communicator of one rank."""

    def Get_rank(self) -> int:
        return 0

    def Get_size(self) -> int:
        return 1

    def Split(self, color: int, key: int) -> "Alone":
        return Alone()
