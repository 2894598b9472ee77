"""One user's process: receive a pad, then broadcast and add up round by round.

Every connection is authenticated by the session's token before anything is read from it. Frames of
a peer must come in the order of rounds and with the agreed length; the first thing that is not as
agreed ends the session with a `ProtocolError` that names the peer, and no sum of that round is
output. Messages are added into the total as they arrive, a chunk at a time: no vector of another
user is ever held whole.

Faults are detected, not cured; a peer that sends wrong *content* in right frames is outside the
model (the adversary of the theorem is passive).
"""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import UInt32

from quire.secure_sums.errors import ProtocolError
from quire.secure_sums.frames import (
    DEALER,
    HEADER_BYTES,
    TOKEN_BYTES,
    Header,
    Kind,
    fault_in,
    footer_of,
)
from quire.secure_sums.ledger import KeyLedger
from quire.secure_sums.pairwise import pairwise_pad

CHUNK = 256 * 1024  # bytes; stays in the second-level cache while it is added
DEALING = 60.0  # seconds a user waits for its pad: drawing entropy takes longer than sending

Masks = Literal["dealt", "pairwise", "none"]


@dataclass(frozen=True)
class Session:
    """What all users of a session agree on.

    Parameters
    ----------
    users, length, rounds
        K, words per vector, and how many sums are made.
    key
        The dealer's name of the session's pads, for the ledger.
    token
        16 secret bytes that every connection starts with.
    timeout
        Seconds without any progress after which the silent peers are blamed.
    masks
        "dealt" is the scheme; "pairwise" expands K-1 seeds each round, and "none" sends the inputs
        as they are, the plain all-to-all sum: both for comparison.
    """

    users: int
    length: int
    rounds: int
    key: str
    token: bytes
    timeout: float = 10.0
    masks: Masks = "dealt"

    @property
    def payload(self) -> int:
        """Bytes of one message."""
        return 4 * self.length


@dataclass
class Traffic:
    """Bytes a user has written to its peers."""

    payload: int = 0
    framing: int = 0


@dataclass
class _Link:
    """What has been sent to and received from one peer in a round."""

    peer: int
    sock: socket.socket
    header: bytearray = field(default_factory=bytearray)
    footer: bytearray = field(default_factory=bytearray)
    split: bytes = b""  # the first bytes of a word that has not arrived whole
    received: int = 0
    sent: int = 0
    done_in: bool = False


def connect_mesh(
    session: Session, user: int, listener: socket.socket, ports: tuple[int, ...]
) -> dict[int, socket.socket]:
    """Return one authenticated connection to every peer: the higher number calls the lower.

    Raises
    ------
    ProtocolError
        When a caller cannot show the token (a stranger), calls twice, or a peer does not come.
    """
    links: dict[int, socket.socket] = {}
    for peer in range(user):
        try:
            sock = socket.create_connection(("127.0.0.1", ports[peer]), timeout=session.timeout)
        except OSError as error:
            raise ProtocolError(peer, f"cannot be reached ({error})") from None
        sock.sendall(hello(session, user))
        links[peer] = sock
    listener.settimeout(session.timeout)
    while len(links) < session.users - 1:
        missing = next(p for p in range(user + 1, session.users) if p not in links)
        try:
            sock, address = listener.accept()
            sock.settimeout(session.timeout)
        except TimeoutError:
            raise ProtocolError(missing, "did not connect in time") from None
        peer = _greeting(session, sock, address[1])
        if peer in links or not user < peer < session.users:
            raise ProtocolError(peer, "connected where it was not due")
        links[peer] = sock
    for sock in links.values():
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return links


def hello(session: Session, user: int) -> bytes:
    """Return the frame that opens a connection."""
    return Header(0, user, Kind.HELLO, TOKEN_BYTES).pack() + session.token


def receive_pad(session: Session, listener: socket.socket, into: UInt32[np.ndarray, " w"]) -> None:
    """Receive this user's pad, all rounds of it, from the dealer's connection."""
    listener.settimeout(DEALING)
    try:
        sock, address = listener.accept()
        sock.settimeout(session.timeout)
        with sock:
            if _greeting(session, sock, address[1]) != DEALER:
                raise ProtocolError(None, f"port {address[1]} called where the dealer is due")
            header = Header.unpack(_exactly(sock, HEADER_BYTES))
            fault = fault_in(header, Header(0, DEALER, Kind.KEY, into.nbytes))
            if fault:
                raise ProtocolError(DEALER, fault)
            _exactly_into(sock, into.data.cast("B"))
    except (TimeoutError, ConnectionError, EOFError):
        raise ProtocolError(DEALER, "did not deliver the whole pad (the dealer)") from None


class Mesh:
    """A user's side of a connected session.

    Parameters
    ----------
    session, user, links
        From `connect_mesh`.
    pad
        rounds·L words from the dealer.
    ledger
        Claims each round's words before they are used.
    """

    def __init__(
        self,
        session: Session,
        user: int,
        links: dict[int, socket.socket],
        pad: UInt32[np.ndarray, " w"],
        ledger: KeyLedger,
    ) -> None:
        self.session, self.user, self.links = session, user, links
        self.traffic = Traffic()
        self._pad, self._ledger = pad, ledger
        self._scratch = np.empty(CHUNK + 4, dtype=np.uint8)
        for sock in links.values():
            sock.setblocking(False)

    def sum_round(self, number: int, words: UInt32[np.ndarray, " L"]) -> UInt32[np.ndarray, " L"]:
        """Broadcast X_k = W_k + Z_k and return ΣW, once every peer's message has come whole.

        Raises
        ------
        KeyReuseError
            When this round's pad was used before.
        ProtocolError
            On the first frame that is not as agreed, a peer that is gone, or silence.
        """
        total = self.message(number, words)
        message = total.copy()
        header = Header(number, self.user, Kind.MESSAGE, self.session.payload)
        frame = (header.pack(), message.data.cast("B"), footer_of(header).pack())
        links = [_Link(peer, sock) for peer, sock in self.links.items()]
        both = selectors.EVENT_READ | selectors.EVENT_WRITE
        with selectors.DefaultSelector() as selector:
            for link in links:
                selector.register(link.sock, both, link)
            while selector.get_map():
                events = selector.select(self.session.timeout)
                if not events:
                    raise self._silent(next(iter(selector.get_map().values())).data, number)
                for key, mask in events:
                    self._advance(selector, key.data, mask, frame, total, number)
        return total

    def message(self, number: int, words: UInt32[np.ndarray, " L"]) -> UInt32[np.ndarray, " L"]:
        """Return X_k; the pad's words are written down as used before anything depends on them."""
        if self.session.masks == "none":
            return words.copy()
        if self.session.masks == "pairwise":
            secret = self.session.token + number.to_bytes(4, "little")
            return words + pairwise_pad(self.user, self.session.users, len(words), secret)
        start = number * self.session.length
        stop = start + self.session.length
        self._ledger.claim(self.session.key, start, stop)
        return words + self._pad[start:stop]

    def _advance(
        self,
        selector: selectors.BaseSelector,
        link: _Link,
        ready: int,
        frame: tuple[bytes, memoryview, bytes],
        total: UInt32[np.ndarray, " L"],
        number: int,
    ) -> None:
        """Move the bytes that can move on one link, and stop listening for what is finished."""
        size = self.session.payload + 2 * HEADER_BYTES
        last = number == self.session.rounds - 1
        try:
            if ready & selectors.EVENT_READ:
                self._read(link, total, number, last)
            if ready & selectors.EVENT_WRITE:
                self._write(link, frame)
                if link.sent == size and last:
                    link.sock.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return
        except OSError:
            raise self._gone(link, number) from None
        interest = 0 if link.done_in else selectors.EVENT_READ
        interest |= selectors.EVENT_WRITE if link.sent < size else 0
        if interest:
            selector.modify(link.sock, interest, link)
        else:
            selector.unregister(link.sock)

    def _write(self, link: _Link, frame: tuple[bytes, memoryview, bytes]) -> None:
        header, payload, footer = frame
        into_payload = max(0, link.sent - len(header))
        into_footer = max(0, into_payload - len(payload))
        parts: list[bytes | memoryview] = [
            header[link.sent :],
            payload[into_payload : into_payload + 4 * CHUNK],
        ]
        if into_payload + 4 * CHUNK >= len(payload):
            parts.append(footer[into_footer:])
        count = link.sock.sendmsg(parts)
        before = min(into_payload, len(payload))
        link.sent += count
        sent_payload = min(max(0, link.sent - len(header)), len(payload)) - before
        self.traffic.payload += sent_payload
        self.traffic.framing += count - sent_payload

    def _read(self, link: _Link, total: UInt32[np.ndarray, " L"], number: int, last: bool) -> None:
        expected = Header(number, link.peer, Kind.MESSAGE, self.session.payload)
        if len(link.header) < HEADER_BYTES:
            link.header += self._receive(link, HEADER_BYTES - len(link.header), number)
            if len(link.header) == HEADER_BYTES:
                fault = fault_in(Header.unpack(link.header), expected)
                if fault:
                    raise ProtocolError(link.peer, f"sent {fault}")
        elif link.received < self.session.payload:
            self._add(link, total, number)
        elif len(link.footer) < HEADER_BYTES:
            link.footer += self._receive(link, HEADER_BYTES - len(link.footer), number)
            if len(link.footer) == HEADER_BYTES:
                if Header.unpack(link.footer) != footer_of(expected):
                    raise ProtocolError(
                        link.peer,
                        f"sent a frame in round {number} whose payload is not "
                        f"{self.session.payload} bytes: cut short or overlong",
                    )
                link.done_in = not last
        elif link.sock.recv(1):  # after the last round only the end of the stream is due
            raise ProtocolError(link.peer, f"sent more after its message of round {number}")
        else:
            link.done_in = True

    def _receive(self, link: _Link, size: int, number: int) -> bytes:
        data = link.sock.recv(size)
        if not data:
            raise self._gone(link, number)
        return data

    def _add(self, link: _Link, total: UInt32[np.ndarray, " L"], number: int) -> None:
        """Receive at most a chunk and add its whole words; keep a split word for the next call."""
        room = min(CHUNK, self.session.payload - link.received)
        view, carry = self._scratch.data, len(link.split)
        view[:carry] = link.split
        count = link.sock.recv_into(view[carry : carry + room])
        if count == 0:
            raise self._gone(link, number)
        first = (link.received - carry) // 4
        whole, rest = divmod(carry + count, 4)
        total[first : first + whole] += self._scratch[: 4 * whole].view(np.uint32)
        link.split = bytes(view[4 * whole : 4 * whole + rest])
        link.received += count

    def _silent(self, link: _Link, number: int) -> ProtocolError:
        return ProtocolError(
            link.peer,
            f"silent for {self.session.timeout:g} s in round {number} after {link.received} of "
            f"{self.session.payload} bytes",
        )

    def _gone(self, link: _Link, number: int) -> ProtocolError:
        return ProtocolError(
            link.peer,
            f"closed its connection in round {number} after {link.received} of "
            f"{self.session.payload} bytes",
        )


def deal_over_sockets(
    session: Session, ports: tuple[int, ...], pads: UInt32[np.ndarray, "K w"]
) -> None:
    """Send each user its pad over a connection of its own (the dealer's whole life)."""
    for port, pad in zip(ports, pads, strict=True):
        deadline = time.monotonic() + session.timeout
        with socket.create_connection(("127.0.0.1", port), timeout=session.timeout) as sock:
            sock.settimeout(max(0.1, deadline - time.monotonic()))
            sock.sendall(hello(session, DEALER))
            sock.sendall(Header(0, DEALER, Kind.KEY, pad.nbytes).pack())
            sock.sendall(np.ascontiguousarray(pad).data.cast("B"))


def _greeting(session: Session, sock: socket.socket, port: int) -> int:
    """Return who is calling, or refuse a stranger."""
    try:
        header = Header.unpack(_exactly(sock, HEADER_BYTES))
        token = _exactly(sock, TOKEN_BYTES) if header.length == TOKEN_BYTES else b""
    except (OSError, EOFError):
        token, header = b"", Header(0, 0, 0, 0)
    if token != session.token or header.kind != Kind.HELLO:
        sock.close()
        raise ProtocolError(None, f"the caller from port {port} does not know the session's token")
    return header.sender


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = bytearray(size)
    _exactly_into(sock, memoryview(data))
    return bytes(data)


def _exactly_into(sock: socket.socket, view: memoryview) -> None:
    while len(view):
        count = sock.recv_into(view)
        if count == 0:
            raise EOFError("the connection ended early")
        view = view[count:]
