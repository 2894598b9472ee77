"""A peer is asked through files, and whatever it does instead of answering is one line."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from quire.workbook import peers
from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError
from quire.workbook.fingerprints import fingerprint

from .counted import wait_for

SCRIPT = """\
import os, sys, time
from calls import call, serve

@call
def double(request, arrays):
    "Double every array."
    return {"times": request["times"]}, {name: 2 * value for name, value in arrays.items()}

@call
def fail(request, arrays):
    raise ValueError("broken\\x1b]8;;http://x\\x07 on purpose")

@call
def die(request, arrays):
    print("last words", flush=True)
    os._exit(3)

@call
def hang(request, arrays):
    import subprocess
    child = subprocess.Popen(["sleep", "600"])
    open(request["file"], "w").write(str(child.pid))
    time.sleep(600)

@call
def torn(request, arrays):
    return {"a": {1, 2}}, {}

if __name__ == "__main__":
    serve()
"""


@pytest.fixture
def echo(tiny: Chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A peer whose environment is this Python's own."""
    folder = tiny.notebook.parents[1] / "peers"
    folder.mkdir()
    (folder / "echo.txt").write_text("# nothing\n")
    (folder / "echo.py").write_text(SCRIPT)
    shutil.copy(Path(__file__).parents[2] / "peers" / "calls.py", folder)
    monkeypatch.setenv("QUIRE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(peers, "_python", lambda environment: Path(sys.executable))
    return "echo"


def make_ready(name: str) -> None:
    place = Path(peers.listing()[0].place)
    place.mkdir(parents=True)
    (place / "ready.json").write_text("{}")
    assert peers.available(name)


def test_an_answer_and_its_arrays_come_back(echo: str) -> None:
    make_ready(echo)
    answer, arrays = peers.call(echo, {"call": "double", "times": 3}, {"a": np.arange(4) / 3})
    assert answer == {"times": 3}
    np.testing.assert_array_equal(arrays["a"], 2 * np.arange(4) / 3)
    told, _ = peers.call(echo, {"call": "calls"})
    assert told["calls"]["double"] == "Double every array."


def test_several_answers_come_from_one_process(echo: str) -> None:
    make_ready(echo)
    asked = [({"call": "double", "times": k}, {"a": np.arange(k), "b": np.ones(1)}) for k in (3, 4)]
    told = peers.call_each(echo, *asked, ({"call": "double", "times": 0}, {}))
    assert [answer["times"] for answer, _ in told] == [3, 4, 0]
    for (_, given), (_, arrays) in zip(asked, told[:2], strict=True):
        assert {n: a.tolist() for n, a in arrays.items()} == {
            n: (2 * a).tolist() for n, a in given.items()
        }
    with pytest.raises(peers.PeerFailed, match="no call 'treble'"):
        peers.call_each(echo, asked[0], ({"call": "treble"}, {}))


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"call": "fail"}, "peer echo: ValueError: broken on purpose"),
        ({"call": "die"}, "gave no answer (last words)"),
        ({"call": "torn"}, "peer echo gave no answer"),
        ({"call": "nothing"}, "no call 'nothing', there are calls, several, double"),
        ({}, "KeyError"),
    ],
)
def test_a_peer_that_does_not_answer_is_one_line(echo: str, request_: dict, words: str) -> None:
    make_ready(echo)
    with pytest.raises(peers.PeerFailed) as fault:
        peers.call(echo, request_)
    assert words in str(fault.value)
    assert "\n" not in str(fault.value)


def test_a_peer_that_hangs_ends_with_its_children(echo: str, tmp_path: Path) -> None:
    make_ready(echo)
    file = tmp_path / "pid"
    started = time.monotonic()
    with pytest.raises(peers.PeerFailed, match="did not answer within"):
        peers.call(echo, {"call": "hang", "file": str(file)}, timeout=6)
    assert time.monotonic() - started < 20
    wait_for(lambda: not psutil.pid_exists(int(file.read_text())), 10, "the child to end")


ASKS = """\
import sys
from quire.workbook import peers
writes = f"import os, time; open({sys.argv[1]!r}, 'w').write(str(os.getpid())); time.sleep(600)"
peers._ask("echo", [sys.executable, "-c", writes], 600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone ends a process with its parent")
def test_a_peer_ends_when_whoever_asks_it_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", ASKS, str(file)]) as asking:
        wait_for(lambda: file.exists() and file.read_text() != "", 60, "the peer to start")
        asking.kill()
    wait_for(lambda: not psutil.pid_exists(int(file.read_text())), 10, "the peer to end")


def test_asking_forks_nothing_that_jax_would_warn_of(echo: str) -> None:
    make_ready(echo)
    forks: list[int] = []
    os.register_at_fork(before=lambda: forks.append(1))
    peers.call(echo, {"call": "double", "times": 1}, {"a": np.ones(1)})
    assert not forks


@pytest.mark.parametrize(
    ("name", "request_", "arrays", "words"),
    [
        ("nobody", {}, {}, "no peer 'nobody': use one of: echo"),
        ("../echo", {}, {}, "no peer"),
        ("echo", {}, {}, "the peer echo is not installed: run 'quire peers install echo'"),
    ],
)
def test_what_can_not_be_asked_is_one_line(
    echo: str, name: str, request_: dict, arrays: dict, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        peers.call(name, request_, arrays)


@pytest.mark.parametrize(
    ("request_", "arrays"),
    [({"a": {1}}, {}), ({"a": float("nan")}, {}), ({}, {"a": np.array([object()])})],
)
def test_only_plain_data_is_sent(echo: str, request_: dict, arrays: dict) -> None:
    make_ready(echo)
    with pytest.raises(UserError, match="can not be sent"):
        peers.call(echo, request_, arrays)


def test_pins_script_and_presence_are_part_of_a_studys_key(echo: str, tiny: Chapter) -> None:
    card = tiny.notebook.with_suffix(".yml")
    card.write_text(card.read_text().replace("program:no-such-program", "peer:echo"))
    folder = tiny.notebook.parents[1] / "peers"
    seen = [fingerprint(tiny)["needs"]]
    for edit in (
        lambda: make_ready(echo),
        lambda: (folder / "echo.py").write_text(SCRIPT + "\n"),
        lambda: (folder / "echo.txt").write_text("numpy==99\n"),
    ):
        edit()
        seen.append(fingerprint(tiny)["needs"])
    assert len(set(seen)) == 4
    assert not peers.available(echo)  # other pins ask for another environment


@pytest.mark.slow
def test_an_environment_is_made_once_and_a_failing_one_is_told(
    tiny: Chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny.notebook.parents[1] / "peers"
    folder.mkdir()
    (folder / "bare.txt").write_text("\n")
    (folder / "bare.py").write_text("")
    monkeypatch.setenv("QUIRE_CACHE", str(tmp_path / "cache"))
    place = peers.install("bare")
    assert json.loads((place / "ready.json").read_text())["pins"]
    python = place / "bin" / "python"
    done = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True)
    assert Path(done.stdout.decode().strip()) == place
    assert peers.install("bare") == place
    assert peers.run("bare", ["-c", "raise SystemExit(5)"]) == 5

    (folder / "bare.txt").write_text("./no-such-folder\n")
    with pytest.raises(UserError, match="peer bare could not be installed"):
        peers.install("bare")
    assert not peers.available("bare")
