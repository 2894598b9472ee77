"""Peers that can not share one environment: each gets its own, and is called through files.

``peers/NAME.txt`` pins what pip installs, into a virtual environment in the user's cache;
``peers/NAME.py`` is the script that runs in it and offers calls by name. A request goes to it as
JSON with arrays beside it, and so does the answer come back: nothing but files is shared.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quire.workbook.errors import UserError, check_timeout, plain_line, quoted
from quire.workbook.files import holding, make_folder, work_folder, write_atomically
from quire.workbook.home import cache_folder, home
from quire.workbook.lifelines import ending_with_parent

if TYPE_CHECKING:
    import numpy as np

_READY = "ready.json"


class PeerFailed(UserError):
    """A peer that was asked did not answer: it raised, died, or took too long."""

    exit_status = 1


@dataclass(frozen=True)
class Peer:
    """A peer, what is pinned of it, and whether its environment is here.

    Attributes
    ----------
    name
        Such as ``torch``.
    state
        ``here`` or ``missing``.
    pins
        The requirements, one a line.
    place
        The folder of its environment.
    """

    name: str
    state: str
    pins: str
    place: str


def listing() -> tuple[Peer, ...]:
    """Return every peer of ``peers/``, by name."""
    return tuple(
        Peer(
            name,
            "here" if available(name) else "missing",
            ", ".join(_requirements(name)),
            str(_environment(name)),
        )
        for name in names()
    )


def names() -> tuple[str, ...]:
    """Return the names of the peers: those with a ``NAME.txt`` and a ``NAME.py``."""
    folder = home() / "peers"
    return tuple(
        sorted(file.stem for file in folder.glob("*.txt") if file.with_suffix(".py").is_file())
    )


def available(name: str) -> bool:
    """Return whether the peer's environment is here, made whole from today's pins.

    Raises
    ------
    UserError
        When there is no such peer.
    """
    _check(name)
    return (_environment(name) / _READY).is_file()


def state(name: str) -> dict[str, str]:
    """Return what an answer of the peer depends on: its pins, its script, whether it is here."""
    _check(name)
    script = hashlib.sha256()
    for file in (home() / "peers" / "calls.py", _script(name)):
        script.update(file.read_bytes() if file.is_file() else b"")
    return {
        "pins": _digest(name),
        "script": script.hexdigest(),
        "state": "here" if available(name) else "missing",
    }


def install(name: str, on_line: Callable[[str], None] | None = None) -> Path:
    """Make the peer's environment, by venv and pip, and return its folder.

    An interrupted installation leaves nothing that counts as one; the next makes it anew.

    Parameters
    ----------
    name
        The peer.
    on_line
        Told each line that pip prints.

    Raises
    ------
    UserError
        When there is no such peer, the cache can not be written, another process installs it, or
        pip fails; with pip's own last word.
    """
    _check(name)
    folder = _environment(name)
    make_folder(folder.parent, room=1 << 20)
    with holding(folder.parent / f"{name}.lock", f"another process installs the peer {name}"):
        if available(name):
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        pins = home() / "peers" / f"{name}.txt"
        _run_step(name, [sys.executable, "-m", "venv", str(folder)], on_line)
        pip = [str(_python(folder)), "-m", "pip", "install", "--progress-bar", "off"]
        _run_step(name, [*pip, "-r", str(pins)], on_line)
        for older in folder.parent.glob(f"{name}-*"):
            if older != folder:
                shutil.rmtree(older, ignore_errors=True)
        write_atomically(folder / _READY, json.dumps({"pins": _digest(name)}) + "\n")
    return folder


def call(
    name: str,
    request: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray] | None = None,
    timeout: float = 600.0,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Ask a peer, and return its answer and the arrays that come with it.

    Parameters
    ----------
    name
        The peer.
    request
        Plain JSON data; ``call`` names one of the calls of ``peers/NAME.py``.
    arrays
        Arrays of numbers, by name.
    timeout
        Seconds that the peer may take, its start included.

    Raises
    ------
    UserError
        When the peer is not installed, or the request is no plain data.
    PeerFailed
        When it raised, died or took too long.
    """
    import numpy as np

    check_timeout(timeout)
    python = _ready_python(name)
    with work_folder() as folder:
        try:
            (folder / "request.json").write_text(
                json.dumps(dict(request), allow_nan=False), encoding="utf-8"
            )
            plain: dict[str, Any] = {
                key: np.asarray(value) for key, value in (arrays or {}).items()
            }
            np.savez(folder / "arrays.npz", allow_pickle=False, **plain)
        except (TypeError, ValueError) as fault:
            raise UserError(
                f"peer {name}: the request can not be sent ({plain_line(str(fault))})",
                "send plain JSON data and arrays of numbers",
            ) from None
        said = _ask(name, [str(python), "-s", "-E", str(_script(name)), str(folder)], timeout)
        try:
            reply = json.loads((folder / "reply.json").read_text(encoding="utf-8"))
            with np.load(folder / "reply.npz", allow_pickle=False) as stored:
                found = {key: stored[key] for key in stored.files}
        except (OSError, ValueError):
            raise PeerFailed(
                f"peer {name} gave no answer ({said})", f"try 'quire peers run {name}'"
            ) from None
    if "error" in reply:
        raise PeerFailed(
            f"peer {name}: {plain_line(str(reply['error']))}", f"see peers/{name}.py for its calls"
        )
    return dict(reply["answer"]), found


def call_each(
    name: str, *asked: tuple[Mapping[str, Any], Mapping[str, np.ndarray]], timeout: float = 600.0
) -> list[tuple[dict[str, Any], dict[str, np.ndarray]]]:
    """Ask a peer several things in one process, which starts and imports once, and return each.

    Parameters
    ----------
    name
        The peer.
    *asked
        Requests and their arrays, as for `call`, which raises what may be wrong.
    timeout
        Seconds that the peer may take for all.
    """
    requests = [dict(request) for request, _ in asked]
    sent = {f"{k}/{key}": v for k, (_, arrays) in enumerate(asked) for key, v in arrays.items()}
    told, found = call(name, {"call": "several", "asked": requests}, sent, timeout)
    return [
        (answer, {key.partition("/")[2]: found[key] for key in found if key.startswith(f"{k}/")})
        for k, answer in enumerate(told["answers"])
    ]


def run(name: str, arguments: Sequence[str]) -> int:
    """Run the peer's own Python with ``arguments`` and return its exit status; `UserError`."""
    return subprocess.run(
        [str(_ready_python(name)), "-s", "-E", *arguments], check=False
    ).returncode


_LISTENED_TO: dict[str, Any] = {
    "stdin": subprocess.DEVNULL,
    "stdout": subprocess.PIPE,
    "stderr": subprocess.STDOUT,
    "encoding": "utf-8",
    "errors": "replace",
}
"""How a process is started whose words, and no more, are read."""


def _ask(name: str, command: list[str], timeout: float) -> str:
    """Run the peer's script and return the last thing it said; its children end with it.

    On Linux it ends with this process, too, if that is killed.

    Raises
    ------
    PeerFailed
        When it takes longer than ``timeout`` seconds.
    """
    posix = os.name == "posix"
    tied = ending_with_parent(command)
    with subprocess.Popen(tied, **_LISTENED_TO, start_new_session=posix) as process:
        try:
            said, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise PeerFailed(
                f"peer {name} did not answer within {timeout:g} s", "give it more time"
            ) from None
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL) if posix else process.kill()
    lines = [line for line in said.splitlines() if line.strip()]
    return plain_line(lines[-1]) if lines else f"it ended with {process.returncode}"


def _run_step(name: str, command: list[str], on_line: Callable[[str], None] | None) -> None:
    lines: list[str] = []
    try:
        with subprocess.Popen(command, **_LISTENED_TO) as process:
            for line in process.stdout or ():
                lines.append(plain_line(line))
                if on_line is not None:
                    on_line(lines[-1])
    except OSError as fault:
        raise UserError(f"peer {name}: {fault.strerror}", "mend that and try again") from None
    if process.returncode:
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:] or ["no word"]
        raise UserError(
            f"peer {name} could not be installed ({errors[-1]})", "mend that, try again"
        )


def _ready_python(name: str) -> Path:
    if not available(name):
        raise UserError(f"the peer {name} is not installed", f"run 'quire peers install {name}'")
    return _python(_environment(name))


def _python(environment: Path) -> Path:
    if os.name == "nt":
        return environment / "Scripts" / "python.exe"
    return environment / "bin" / "python"


def _environment(name: str) -> Path:
    return cache_folder() / "peers" / f"{name}-{_digest(name)[:12]}"


def _script(name: str) -> Path:
    return home() / "peers" / f"{name}.py"


def _digest(name: str) -> str:
    """Return the digest of what an environment is made from: the pins, and this Python."""
    about = [*_requirements(name), f"python {sys.version_info[:2]}"]
    return hashlib.sha256("\n".join(about).encode()).hexdigest()


def _requirements(name: str) -> list[str]:
    text = (home() / "peers" / f"{name}.txt").read_text(encoding="utf-8")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def _check(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", name) or name not in names():
        listed = ", ".join(names()) or "none"
        raise UserError(f"no peer {quoted(name)}", f"use one of: {listed}")
