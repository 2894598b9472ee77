"""Who is calling: every pair of roles shares a secret of its own, and both sides prove it.

The dealer and each user, and every two users, share 32 random bytes that nobody else of the session
knows. So an insider cannot call a user in the dealer's place, nor in another user's. The listener
sends a challenge; the caller answers with its number, a challenge of its own and a keyed hash of
both; the listener answers with another. Secrets never travel.

Callers that cannot prove anything are hung up on and forgotten: they end no session and, since all
callers are served at once, delay none.
"""

from __future__ import annotations

import hmac
import secrets
import selectors
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from quire.secure_sums.errors import DEALER, ProtocolError
from quire.secure_sums.wire.frames import HEADER_BYTES, Header, Kind

SECRET_BYTES = 32
HELLO_BYTES = HEADER_BYTES + 2 * SECRET_BYTES  # header, challenge, proof
CALLER_BYTES = HELLO_BYTES
LISTENER_BYTES = 2 * SECRET_BYTES  # challenge and proof
MOST_PENDING = 256  # callers that may be in the middle of their greeting at once


@dataclass(frozen=True)
class Credentials:
    """What one role knows.

    Attributes
    ----------
    role
        The user's number, or `DEALER`.
    shared
        The secret shared with each role that it talks to.
    """

    role: int
    shared: Mapping[int, bytes]


def issue_credentials(users: int) -> dict[int, Credentials]:
    """Draw a secret for every pair of roles and return what each role is to know."""
    roles = [*range(users), DEALER]
    shared: dict[int, dict[int, bytes]] = {role: {} for role in roles}
    for one, other in combinations(roles, 2):
        shared[one][other] = shared[other][one] = secrets.token_bytes(SECRET_BYTES)
    return {role: Credentials(role, known) for role, known in shared.items()}


def call(port: int, credentials: Credentials, peer: int, deadline: float) -> socket.socket:
    """Return a connection to a role on the loopback interface, authenticated on both sides.

    Parameters
    ----------
    port
        Where the peer listens.
    credentials
        The caller's.
    peer
        Whom the caller expects to find.
    deadline
        When to give up, on the monotonic clock.

    Raises
    ------
    ProtocolError
        When the peer cannot be reached in time, hangs up, or does not prove who it is.
    """
    known = credentials.shared[peer]
    try:
        sock = socket.create_connection(("127.0.0.1", port), timeout=_left(deadline))
        try:
            theirs = exactly(sock, SECRET_BYTES, deadline)
            mine = secrets.token_bytes(SECRET_BYTES)
            sock.sendall(_hello(credentials.role, peer, theirs, mine, known))
            answer = exactly(sock, SECRET_BYTES, deadline)
            if not hmac.compare_digest(answer, _proof(known, b"listener", peer, mine + theirs)):
                raise ProtocolError(peer, f"whoever answers on port {port} cannot prove to be it")
        except BaseException:
            sock.close()
            raise
    except (OSError, EOFError) as error:
        raise ProtocolError(peer, f"cannot be reached ({error})") from None
    return sock


def receive_callers(
    listener: socket.socket, credentials: Credentials, expected: set[int], deadline: float
) -> Iterator[tuple[int, socket.socket]]:
    """Yield each expected role with its authenticated connection, in order of arrival.

    Callers that prove nothing, or that are not expected (any more), are hung up on.

    Yields
    ------
    role, connection
        Who has called, and the socket.

    Raises
    ------
    ProtocolError
        When an expected role has not called before the deadline; it names the lowest of them.
    """
    missing = set(expected)
    pending: dict[socket.socket, tuple[bytes, bytearray]] = {}
    listener.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        try:
            while missing:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise ProtocolError(min(missing), "did not connect in time")
                for key, _ in selector.select(left):
                    sock = key.fileobj
                    if sock is listener:
                        _welcome(listener, selector, pending)
                        continue
                    if (
                        not isinstance(sock, socket.socket)
                        or sock not in pending
                        or not _heard_out(sock, pending)
                    ):
                        continue
                    selector.unregister(sock)
                    challenge, heard = pending.pop(sock)
                    caller = _judge(sock, credentials, missing, challenge, bytes(heard))
                    if caller is None:
                        sock.close()
                    else:
                        missing.discard(caller)
                        yield caller, sock
        finally:
            for sock in pending:
                sock.close()


def _welcome(
    listener: socket.socket,
    selector: selectors.BaseSelector,
    pending: dict[socket.socket, tuple[bytes, bytearray]],
) -> None:
    """Accept one caller and send it a challenge; hang up on the oldest if there are too many."""
    challenge = secrets.token_bytes(SECRET_BYTES)
    try:
        sock, _ = listener.accept()
    except OSError:
        return  # it has gone again
    try:
        sock.setblocking(False)
        sock.send(challenge)
    except OSError:
        sock.close()
        return
    if len(pending) >= MOST_PENDING:
        oldest = next(iter(pending))
        selector.unregister(oldest)
        del pending[oldest]
        oldest.close()
    pending[sock] = (challenge, bytearray())
    selector.register(sock, selectors.EVENT_READ)


def _heard_out(sock: socket.socket, pending: dict[socket.socket, tuple[bytes, bytearray]]) -> bool:
    """Read what a caller has sent; return whether it has said all, or hung up."""
    heard = pending[sock][1]
    try:
        data = sock.recv(HELLO_BYTES - len(heard))
    except BlockingIOError:
        return False
    except OSError:
        return True
    heard += data
    return not data or len(heard) == HELLO_BYTES


def _judge(
    sock: socket.socket,
    credentials: Credentials,
    expected: set[int],
    challenge: bytes,
    heard: bytes,
) -> int | None:
    """Return who a caller has proved to be, after proving ourselves; ``None`` for all others."""
    if len(heard) != HELLO_BYTES:
        return None
    caller = Header.unpack(heard[:HEADER_BYTES]).sender
    if caller not in expected or caller not in credentials.shared:
        return None
    mine, known = heard[HEADER_BYTES : HEADER_BYTES + SECRET_BYTES], credentials.shared[caller]
    if not hmac.compare_digest(heard, _hello(caller, credentials.role, challenge, mine, known)):
        return None
    try:
        sock.send(_proof(known, b"listener", credentials.role, mine + challenge))
        sock.setblocking(True)
    except OSError:
        return None
    return caller


def _hello(caller: int, listener: int, challenge: bytes, own: bytes, secret: bytes) -> bytes:
    header = Header(0, caller, Kind.HELLO, 2 * SECRET_BYTES).pack()
    return header + own + _proof(secret, b"caller", caller, listener.to_bytes(2) + challenge + own)


def _proof(secret: bytes, side: bytes, role: int, text: bytes) -> bytes:
    return hmac.digest(secret, side + role.to_bytes(2) + text, "sha256")


def exactly(sock: socket.socket, size: int, deadline: float) -> bytes:
    """Receive exactly so many bytes before the deadline.

    Raises
    ------
    TimeoutError
        When they have not come in time.
    EOFError
        When the connection ends early.
    """
    data = bytearray(size)
    exactly_into(sock, memoryview(data), deadline)
    return bytes(data)


def exactly_into(sock: socket.socket, view: memoryview, deadline: float) -> None:
    """Fill a buffer from a socket before the deadline, however slowly the bytes drip in.

    Raises
    ------
    TimeoutError
        When it is not full in time.
    EOFError
        When the connection ends early.
    """
    while len(view):
        sock.settimeout(_left(deadline))
        count = sock.recv_into(view)
        if count == 0:
            raise EOFError("the connection ended early")
        view = view[count:]


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
