"""The kernel's process: reads requests from a Unix socket, logs every decision, then answers.

It starts with its policy on standard input and ends when that closes, however its parent died.
``python -m quire.world_model.kernel.server`` needs the standard library alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import secrets
import selectors
import socket
import struct
import sys
import time
from typing import Any

from quire import later, merkle, signatures
from quire.world_model import errors
from quire.world_model.errors import WorldModelError
from quire.world_model.kernel import canonical, ed25519, ledger, tokens
from quire.world_model.kernel.policy import Policy, decide, from_json
from quire.world_model.kernel.targets import Surroundings, kept

LINE = canonical.LENGTH


class KernelState:
    """All that the kernel knows: policy, keys, ceiling, kill switch, ledger."""

    def __init__(
        self,
        policy: Policy,
        log: Any,
        seed: bytes,
        answer_first: bool = False,
        crash_after: int = 0,
        own: tuple[str, ...] = (),
    ) -> None:
        self.policy, self.log, self.seed = policy, log, seed
        self.own = kept(own)  # no text may lead to these, whatever the policy says
        self.folders: tuple[str, ...] = ()  # where the agent stands that is asking
        self.public = ed25519.public_key(seed)
        self.secret = secrets.token_bytes(32)
        self.ceiling, self.killed = policy.ceiling, False
        self.answer_first, self.left = answer_first, crash_after
        self.tree = ledger.GrowingTree()
        self.directives: set[str] = set()
        self.broken = False  # a ledger that ends in a torn line takes no more entries

    def reply(self, line: bytes, folders: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return the answer to a line; what cannot be read is entered by its hash.

        ``folders`` are those in which the agent may mean a relative path.
        """
        self.folders = folders
        try:
            answer = self.answer(canonical.read(line))
        except WorldModelError:
            answer = {"decision": "DENY", "reason": "schema"}
        if answer != {"decision": "DENY", "reason": "schema"}:
            return answer
        entry = {
            "decision": "DENY",
            "reason": "schema",
            "message": hashlib.sha256(line).hexdigest(),
            "time": time.time(),
        }
        return self._logged(entry, answer)

    def answer(self, message: Any) -> dict[str, Any]:
        """Return the answer to one message; whatever goes wrong is a denial."""
        if not isinstance(message, dict):
            return {"decision": "DENY", "reason": "schema"}
        operations = {
            "authorize": self._authorize,
            "directive": self._directive,
            "kill": self._kill,
            "attenuate": self._attenuate,
            "head": self._head,
            "inclusion": self._inclusion,
        }
        operation = message.get("op")
        if not isinstance(operation, str) or operation not in operations:
            return {"decision": "DENY", "reason": "schema"}
        try:
            return operations[operation](message)
        except (WorldModelError, KeyError, TypeError, ValueError, OverflowError):
            return {"decision": "DENY", "reason": "schema"}

    def root_capability(self) -> str:
        """Return the capability from which all others are made: every subject's and action's."""
        return self._seal(
            {"subject": "*", "actions": list(self.policy.allow_actions), "id": "root"}
        )

    def _authorize(self, message: dict[str, Any]) -> dict[str, Any]:
        request = message.get("request")
        grant = self._open(request.get("capability")) if isinstance(request, dict) else None
        around = Surroundings(self.folders, self.own)
        reason = decide(self.policy, request, self.ceiling, self.killed, grant, around)
        known = request if isinstance(request, dict) else {}
        now = time.time()
        entry: dict[str, Any] = {
            "decision": "ALLOW" if reason == "allowed" else "DENY",
            "reason": reason,
            "request": canonical.fingerprint({k: v for k, v in known.items() if k != "capability"}),
            "time": now,
        }
        if reason != "allowed":
            return self._logged(entry, {"decision": "DENY", "reason": reason})
        claims = {
            "action": known["action"],
            "aud": tokens.AUDIENCE,
            "expires_at": now + tokens.LIFETIME_S,
            "issued_at": now,
            "nonce": secrets.token_urlsafe(16),
            "params_fingerprint": known["params_fingerprint"],
            "run_id": known["run_id"],
            "subject": known["subject"],
        }
        token = tokens.issue(claims, self.seed)
        entry["token"] = hashlib.sha256(token.encode()).hexdigest()
        return self._logged(entry, {"decision": "ALLOW", "reason": reason, "token": token})

    def _logged(self, entry: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        """Return the answer once its entry is in the ledger; without the ledger, a denial."""
        line = canonical.canonical(entry).encode()
        if not self.answer_first and not self._write(line):
            return {"decision": "DENY", "reason": "log_failure"}
        answer["index"] = self.tree.append(line)
        if self.answer_first:
            answer["late"] = line.decode()
        else:
            self.tick()
        return answer

    def tick(self) -> None:
        """Die here if this is the decision to die at."""
        self.left -= 1
        if self.left == 0:
            os._exit(1)

    def _write(self, line: bytes) -> bool:
        """Write one whole line, or take back the part that was written and say no."""
        if self.broken:
            return False
        data = line + b"\n"
        try:
            written = os.write(self.log, data)
        except OSError:
            return False
        if written < len(data):
            try:
                os.ftruncate(self.log, os.fstat(self.log).st_size - written)
            except OSError:
                self.broken = True
        return written == len(data)

    def _directive(self, message: dict[str, Any]) -> dict[str, Any]:
        """Set the autonomy ceiling by the operator's signature; never above the policy's."""
        if self.killed:
            return {"decision": "DENY", "reason": "kill_switch"}
        body = message.get("body")
        signature = canonical.decode64(str(message.get("signature")))
        text = canonical.canonical(body)
        genuine = bool(self.policy.operator) and ed25519.verify(
            bytes.fromhex(self.policy.operator), text.encode(), signature
        )
        if (
            not genuine
            or not isinstance(body, dict)
            or set(body) != {"ceiling", "nonce", "time", "kernel"}
        ):
            return {"decision": "DENY", "reason": "directive"}
        fresh = (
            isinstance(body["time"], float) and abs(time.time() - body["time"]) <= tokens.LIFETIME_S
        )
        level = body["ceiling"]
        if not fresh or body["nonce"] in self.directives or body["kernel"] != self.public.hex():
            return {"decision": "DENY", "reason": "directive"}
        if (
            isinstance(level, bool)
            or not isinstance(level, int)
            or not 0 <= level <= self.policy.ceiling
        ):
            return {"decision": "DENY", "reason": "autonomy_ceiling"}
        self.directives.add(body["nonce"])
        entry = {"decision": "CEILING", "reason": "operator", "level": level, "time": time.time()}
        answer = self._logged(entry, {"decision": "ALLOW", "reason": "allowed"})
        if answer["decision"] == "ALLOW":
            self.ceiling = level
        return answer

    def _kill(self, message: dict[str, Any]) -> dict[str, Any]:
        """Throw the kill switch: anybody may, nobody can take it back."""
        self.killed = True
        entry = {"decision": "KILL", "reason": "kill_switch", "time": time.time()}
        return self._logged(entry, {"decision": "ALLOW", "reason": "allowed"})

    def _attenuate(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return a capability that allows less than the one that is shown."""
        grant = self._open(message.get("capability"))
        subject, actions = message.get("subject"), message.get("actions")
        if grant is None or not isinstance(subject, str) or not isinstance(actions, list):
            return {"decision": "DENY", "reason": "capability"}
        if (
            grant["subject"] not in ("*", subject)
            or subject == "*"
            or not set(actions) <= set(grant["actions"])
        ):
            return {"decision": "DENY", "reason": "capability"}
        made = self._seal(
            {"subject": subject, "actions": sorted(actions), "id": secrets.token_hex(8)}
        )
        return {"decision": "ALLOW", "reason": "allowed", "capability": made}

    def _head(self, message: dict[str, Any]) -> dict[str, Any]:
        root, size, seconds = self.tree.root(), len(self.tree.leaves), int(time.time())
        signature = ed25519.sign(self.seed, ledger.tree_head(root, size, seconds))
        return {"root": root.hex(), "size": size, "time": seconds, "signature": signature.hex()}

    def _inclusion(self, message: dict[str, Any]) -> dict[str, Any]:
        index = message.get("index")
        last = len(self.tree.leaves) - 1
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index <= last:
            raise WorldModelError(f"index: must be an integer from 0 to {last}")
        proof = merkle.inclusion_proof(self.tree.leaves, index)
        return {
            "proof": [p.hex() for p in proof],
            "leaf": self.tree.leaves[index].hex(),
            **self._head({}),
        }

    def _seal(self, grant: dict[str, Any]) -> str:
        text = canonical.canonical(grant).encode()
        mac = hmac.new(self.secret, text, hashlib.sha256).digest()
        return canonical.encode64(text) + "." + canonical.encode64(mac)

    def _open(self, capability: Any) -> dict[str, Any] | None:
        try:
            left, right = str(capability).split(".")
            text = canonical.decode64(left)
            mac = hmac.new(self.secret, text, hashlib.sha256).digest()
            if not hmac.compare_digest(mac, canonical.decode64(right)):
                return None
            grant = canonical.read(text)
        except (WorldModelError, ValueError):
            return None
        return grant if isinstance(grant, dict) else None


def serve(path: str, state: KernelState, parent: int) -> None:
    """Answer on the socket until the parent's pipe closes."""
    waiting = selectors.DefaultSelector()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        pathlib.Path(path).chmod(0o600)
        listener.listen(64)
        listener.setblocking(False)
        waiting.register(listener, selectors.EVENT_READ)
        waiting.register(parent, selectors.EVENT_READ)
        hello = {"public": state.public.hex(), "root": state.root_capability()}
        sys.stdout.write(json.dumps(hello) + "\n")
        sys.stdout.flush()
        buffers: dict[socket.socket, bytes] = {}
        while True:
            for key, _ in waiting.select():
                if key.fileobj is listener:
                    connection, _ = listener.accept()
                    connection.settimeout(1.0)
                    waiting.register(connection, selectors.EVENT_READ)
                    buffers[connection] = b""
                elif key.fd == parent:
                    if not os.read(parent, 1):
                        return
                else:
                    connection = key.fileobj  # type: ignore[assignment]
                    if not _converse(connection, buffers, state):
                        waiting.unregister(connection)
                        del buffers[connection]
                        connection.close()


def _converse(
    connection: socket.socket, buffers: dict[socket.socket, bytes], state: KernelState
) -> bool:
    """Answer the whole lines that have come; tell whether the connection goes on."""
    try:
        data = connection.recv(LINE)
        if not data:
            return False
        buffers[connection] += data
        while b"\n" in buffers[connection]:
            line, buffers[connection] = buffers[connection].split(b"\n", 1)
            answer = state.reply(line, _standing(connection))
            late = answer.pop("late", None)
            connection.sendall(json.dumps(answer).encode() + b"\n")
            if late is not None:
                state.tick()
                state._write(late.encode())
        return len(buffers[connection]) <= LINE
    except (OSError, TimeoutError):
        return False


def _standing(connection: socket.socket) -> tuple[str, ...]:
    """Return the folder in which the process stands that connected, where the system tells it."""
    if not hasattr(socket, "SO_PEERCRED"):
        return ()
    try:
        told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return (str(pathlib.Path(f"/proc/{struct.unpack('3i', told)[0]}/cwd").readlink()),)
    except OSError:
        return ()


def main() -> None:
    """Read the start-up line and serve."""
    start = b""
    while not start.endswith(b"\n"):
        part = os.read(0, LINE)
        if not part:
            return
        start += part
    begin = json.loads(start)
    log = os.open(
        begin["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o600
    )
    seed = bytes.fromhex(begin["seed"]) if begin.get("seed") else secrets.token_bytes(32)
    state = KernelState(
        from_json(begin["policy"]),
        log,
        seed,
        bool(begin.get("answer_first")),
        int(begin.get("crash_after", 0)),
        _own_files(begin),
    )
    try:
        serve(begin["socket"], state, 0)
    finally:
        os.close(log)
        if begin.get("folder"):
            _leave(pathlib.Path(begin["folder"]))


def _own_files(begin: dict[str, Any]) -> tuple[str, ...]:
    """Return what the kernel itself consists of: its program, ledger, socket and process."""
    modules = (merkle.__file__, later.__file__, signatures.__file__, errors.__file__)
    code = (pathlib.Path(__file__).parent, *modules, sys.executable)
    return (*map(str, code), begin["log"], begin["socket"], begin.get("folder") or begin["socket"])


def _leave(folder: pathlib.Path) -> None:
    """Remove the kernel's own folder: its parent may be dead, and then nobody else would."""
    for name in ("kernel.sock", "ledger.jsonl"):
        with contextlib.suppress(OSError):
            (folder / name).unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()


if __name__ == "__main__":
    main()
