"""Start the kernel, ask it, stop it: whatever goes wrong on the way is a denial."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import quire
from quire.world_model.errors import KernelUnavailable, TokenRefused, WorldModelError
from quire.world_model.kernel import canonical, tokens
from quire.world_model.kernel.nonces import UsedNonces
from quire.world_model.kernel.policy import Policy


class Kernel:
    """A running safety kernel; a context manager that leaves neither process nor file behind.

    Parameters
    ----------
    policy
        What it grants.
    log
        The ledger's file, which outlives the kernel; by default in the kernel's own folder, and
        gone with it.
    answer_first
        Answer before logging, which breaks the evidence. Only to show that it does.
    crash_after
        Die at that many-th decision, between its entry and its answer. 0 is never.
    """

    def __init__(
        self,
        policy: Policy,
        log: Path | None = None,
        answer_first: bool = False,
        crash_after: int = 0,
    ) -> None:
        self.policy, self._log, self._answer_first = policy, log, answer_first
        self._crash_after = crash_after
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.public, self.root = b"", ""

    def __enter__(self) -> Kernel:
        """Start the process, and wait for its public key.

        Raises
        ------
        KernelUnavailable
            When it does not start.
        """
        if not hasattr(socket, "AF_UNIX"):
            raise KernelUnavailable("the safety kernel needs Unix sockets")
        self._folder = tempfile.TemporaryDirectory(prefix="quire-kernel-")
        folder = Path(self._folder.name)
        self.log = self._log or folder / "ledger.jsonl"
        self.socket = str(folder / "kernel.sock")
        library = str(Path(quire.__file__).resolve().parent.parent)
        environment = {**os.environ, "PYTHONPATH": library, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-s", "-m", "quire.world_model.kernel.server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
            begin = {
                "policy": self.policy.to_json(),
                "log": str(self.log),
                "socket": self.socket,
                "folder": str(folder),
                "answer_first": self._answer_first,
                "crash_after": self._crash_after,
            }
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.write(json.dumps(begin).encode() + b"\n")
            self._process.stdin.flush()
            hello = json.loads(self._process.stdout.readline())
            self.public, self.root = bytes.fromhex(hello["public"]), hello["root"]
        except (OSError, ValueError, KeyError) as fault:
            self.stop()
            raise KernelUnavailable("the safety kernel did not start") from fault
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the process and remove its folder."""
        self.stop()

    @property
    def pid(self) -> int:
        """Return the process's number.

        Raises
        ------
        KernelUnavailable
            When it is not running.
        """
        if self._process is None:
            raise KernelUnavailable("the safety kernel is not running")
        return self._process.pid

    def kill(self) -> None:
        """Kill the process as the same user can, without a word."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def stop(self) -> None:
        """Stop the process, whatever its state, and remove its folder."""
        if self._process is not None:
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
            try:
                self._process.wait(timeout=2.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def client(self, subject: str, actions: tuple[str, ...], timeout_s: float = 5.0) -> Client:
        """Return a client for one subject, with a capability for some actions.

        Raises
        ------
        KernelUnavailable
            When the kernel does not answer, or does not grant the capability.
        """
        with Connection(self.socket, timeout_s) as first:
            answer = first.ask(
                {
                    "op": "attenuate",
                    "capability": self.root,
                    "subject": subject,
                    "actions": list(actions),
                }
            )
        if "capability" not in answer:
            raise KernelUnavailable("the safety kernel grants no capability")
        return Client(self.socket, self.public, subject, answer["capability"], timeout_s)


class Connection:
    """A connection to a kernel, over which lines are exchanged."""

    def __init__(self, path: str, timeout_s: float = 5.0) -> None:
        self._path, self._timeout_s = path, timeout_s
        self._socket: socket.socket | None = None
        self._left = b""

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *fault: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it; the next question opens it again."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._left = None, b""

    def ask(self, message: Any) -> dict[str, Any]:
        """Return the answer to a message.

        Raises
        ------
        KernelUnavailable
            When none comes in time.
        """
        return self.ask_raw(json.dumps(message).encode())

    def ask_raw(self, line: bytes) -> dict[str, Any]:
        """Return the answer to a line of bytes, whatever it holds.

        Raises
        ------
        KernelUnavailable
            When none comes in time.
        """
        deadline = time.monotonic() + self._timeout_s
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._socket.settimeout(self._timeout_s)
                self._socket.connect(self._path)
            self._socket.sendall(line + b"\n")
            while b"\n" not in self._left:
                self._socket.settimeout(max(1e-3, deadline - time.monotonic()))
                part = self._socket.recv(1 << 16)
                if not part:
                    break
                self._left += part
            text, _, self._left = self._left.partition(b"\n")
            answer = json.loads(text)
        except (OSError, ValueError) as fault:  # a part of a line is no JSON
            self.close()
            raise KernelUnavailable("the safety kernel does not answer: denied") from fault
        return answer if isinstance(answer, dict) else {"decision": "DENY", "reason": "schema"}


@dataclass
class Decision:
    """What the kernel said: ``allowed``, its reason, the token, and its place in the ledger."""

    allowed: bool
    reason: str
    token: str | None = None
    index: int | None = None


class Client:
    """What the agent holds: a connection, the public key, a capability, a breaker; never a key."""

    def __init__(
        self, path: str, public: bytes, subject: str, capability: str, timeout_s: float
    ) -> None:
        self.connection = Connection(path, timeout_s)
        self.public, self.subject, self.capability = public, subject, capability
        self.breaker = Breaker(time.monotonic)
        self.used = UsedNonces()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *fault: object) -> None:
        self.connection.close()

    def request(self, action: str, params: dict[str, Any], run_id: str = "run") -> dict[str, Any]:
        """Return the request for an action."""
        return {
            "action": action,
            "run_id": run_id,
            "subject": self.subject,
            "params": params,
            "params_fingerprint": canonical.fingerprint(params),
            "capability": self.capability,
        }

    def authorize(self, action: str, params: dict[str, Any], run_id: str = "run") -> Decision:
        """Return the kernel's decision; a kernel that does not answer denies."""
        if not self.breaker.permits():
            return Decision(False, "breaker_open")
        try:
            answer = self.connection.ask(
                {"op": "authorize", "request": self.request(action, params, run_id)}
            )
        except KernelUnavailable:
            self.breaker.failed()
            return Decision(False, "kernel_unavailable")
        except WorldModelError:
            return Decision(False, "schema")
        self.breaker.succeeded()
        allowed = answer.get("decision") == "ALLOW" and isinstance(answer.get("token"), str)
        return Decision(
            allowed, str(answer.get("reason")), answer.get("token"), answer.get("index")
        )

    def act(
        self, action: str, params: dict[str, Any], effect: Callable[[], Any], run_id: str = "run"
    ) -> Decision:
        """Ask, check the token, and only then bring about the effect.

        The check stands for that of the actuator, which holds the kernel's public key.
        """
        decision = self.authorize(action, params, run_id)
        if not decision.allowed:
            return decision
        expected = {
            "action": action,
            "run_id": run_id,
            "subject": self.subject,
            "params_fingerprint": canonical.fingerprint(params),
        }
        try:
            tokens.verify(str(decision.token), self.public, time.time(), expected, self.used)
        except TokenRefused:
            return Decision(False, "token_refused")
        effect()
        return decision


class Breaker:
    """A circuit breaker: after three failures it refuses for 30 s, then lets one probe through.

    Parameters
    ----------
    clock
        Seconds that only grow.
    threshold, cooldown_s
        Failures in a row that open it; how long it stays open.
    """

    def __init__(
        self, clock: Callable[[], float], threshold: int = 3, cooldown_s: float = 30.0
    ) -> None:
        self._clock, self._threshold, self._cooldown_s = clock, threshold, cooldown_s
        self.state, self._failures, self._probing, self._opened = "closed", 0, False, -math.inf

    def permits(self) -> bool:
        """Return whether a call may go out, and note the probe if it is one."""
        elapsed = self._clock() - self._opened >= self._cooldown_s
        granted = gate(self.state, elapsed, self._probing)
        if granted and self.state != "closed":
            self.state, self._probing = "half-open", True
        return granted

    def succeeded(self) -> None:
        """Note an answer, a denial included: the kernel is there."""
        self.state, self._failures, self._probing = "closed", 0, False

    def failed(self) -> None:
        """Note that no answer came."""
        self._failures += 1
        if self.state == "half-open" or self._failures >= self._threshold:
            self.state, self._opened = "open", self._clock()
        self._probing = False


def gate(state: str, elapsed: bool, probing: bool) -> bool:
    """Return whether a breaker permits a call: the table of the authors' client, twelve cases.

    Raises
    ------
    WorldModelError
        For an unknown state.
    """
    table = {"closed": True, "half-open": not probing, "open": elapsed}
    if state not in table:
        raise WorldModelError(f"state = {state!r}: must be one of {sorted(table)}")
    return table[state]
