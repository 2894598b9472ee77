"""One user's side of a session: receive a pad, then broadcast and add up round by round.

Every connection is authenticated on both sides before a frame is read from it (`credentials`).
Frames of a peer must come in the order of rounds, with the agreed length and whole before the
round's deadline; the first thing that is not as agreed ends the session with a `ProtocolError` that
names the peer, and no sum of that round is output. Messages are added into the total as they
arrive, a chunk at a time: no vector of another user is ever held whole.

Faults are detected, not cured; a peer that sends wrong *content* in right frames is outside the
model (the adversary of the theorem is passive).
"""

from __future__ import annotations

import selectors
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import UInt32

from quire.secure_sums.errors import DEALER, ProtocolError
from quire.secure_sums.wire.credentials import (
    CALLER_BYTES,
    LISTENER_BYTES,
    Credentials,
    call,
    exactly,
    exactly_into,
    receive_callers,
)
from quire.secure_sums.wire.frames import HEADER_BYTES, Header, Kind, fault_in, footer_of
from quire.secure_sums.wire.ledger import KeyLedger
from quire.secure_sums.wire.pairwise import pairwise_pad

CHUNK = 256 * 1024  # bytes; stays in the second-level cache while it is added
DEALING = 60.0  # seconds a user waits for its whole pad: drawing takes longer than sending

Masks = Literal["dealt", "pairwise", "none"]


@dataclass(frozen=True)
class Session:
    """What all users of a session agree on.

    Attributes
    ----------
    users, length, rounds
        K, machine words per vector, and how many sums are made.
    key
        The dealer's name of the session's pads, for the ledger.
    timeout
        Seconds within which every frame of a round must be whole; then the late are blamed.
    masks
        "dealt" is the scheme; "pairwise" expands K-1 seeds each round, and "none" sends the inputs
        as they are, the plain all-to-all sum: both for comparison. One kind for all rounds, or one
        for each, so that kinds can be compared between the same processes.
    """

    users: int
    length: int
    rounds: int
    key: str
    timeout: float = 10.0
    masks: Masks | tuple[Masks, ...] = "dealt"

    @property
    def payload(self) -> int:
        """Bytes of one message."""
        return 4 * self.length

    def kind(self, number: int) -> Masks:
        """Return the masks of a round."""
        return self.masks if isinstance(self.masks, str) else self.masks[number]

    def dealt(self, before: int | None = None) -> int:
        """Return how many rounds use dealt pads: of all, or of those before one."""
        rounds = self.rounds if before is None else before
        if isinstance(self.masks, str):
            return rounds if self.masks == "dealt" else 0
        return self.masks[:rounds].count("dealt")


@dataclass
class Traffic:
    """Bytes on a user's connections to its peers.

    Attributes
    ----------
    payload, framing, handshake
        Bytes written: of messages, of their headers and footers, and to prove who is calling.
    heard
        Payload bytes that were received, counted by this user and not by the senders.
    kernel
        Bytes written as the operating system counts them, retransmissions left out; ``None``
        where it does not tell.
    """

    payload: int = 0
    framing: int = 0
    handshake: int = 0
    heard: int = 0
    kernel: int | None = None


@dataclass
class _Link:
    """What has been sent to and received from one peer in a round."""

    peer: int
    sock: socket.socket
    header: bytearray = field(default_factory=bytearray)
    footer: bytearray = field(default_factory=bytearray)
    split: bytes = b""  # the first bytes of a machine word that has not arrived whole
    received: int = 0
    sent: int = 0
    done_in: bool = False


def connect_mesh(
    session: Session,
    credentials: Credentials,
    listener: socket.socket,
    ports: tuple[int, ...],
) -> dict[int, socket.socket]:
    """Return one authenticated connection to every peer: the higher number calls the lower.

    Raises
    ------
    ProtocolError
        When a peer cannot be reached, or does not come, within the session's timeout.
    """
    user, deadline = credentials.role, time.monotonic() + session.timeout
    links = {peer: call(ports[peer], credentials, peer, deadline) for peer in range(user)}
    later = set(range(user + 1, session.users))
    links |= dict(receive_callers(listener, credentials, later, deadline))
    for sock in links.values():
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return links


def receive_pad(
    credentials: Credentials,
    listener: socket.socket,
    into: UInt32[np.ndarray, " w"],
    patience: float = DEALING,
) -> None:
    """Receive this user's pad, all rounds of it, from the dealer and from nobody else.

    Raises
    ------
    ProtocolError
        When the dealer does not come, or does not deliver the whole pad in time.
    """
    deadline = time.monotonic() + patience
    try:
        ((_, sock),) = receive_callers(listener, credentials, {DEALER}, deadline)
        with sock:
            header = Header.unpack(exactly(sock, HEADER_BYTES, deadline))
            fault = fault_in(header, Header(0, DEALER, Kind.KEY, into.nbytes))
            if fault:
                raise ProtocolError(DEALER, f"sent {fault}")
            exactly_into(sock, into.data.cast("B"), deadline)
    except (OSError, EOFError):
        raise ProtocolError(DEALER, "did not deliver the whole pad in time") from None


def deal_over_sockets(
    session: Session,
    credentials: Credentials,
    ports: tuple[int, ...],
    pads: UInt32[np.ndarray, "K w"],
) -> None:
    """Send each user its pad over a connection of its own (the dealer's whole life).

    Raises
    ------
    ProtocolError
        When a user cannot be reached, or is not who it should be.
    """
    for user, (port, pad) in enumerate(zip(ports, pads, strict=True)):
        deadline = time.monotonic() + session.timeout
        with call(port, credentials, user, deadline) as sock:
            sock.settimeout(DEALING)
            sock.sendall(Header(0, DEALER, Kind.KEY, pad.nbytes).pack())
            sock.sendall(np.ascontiguousarray(pad).data.cast("B"))


class Mesh:
    """A user's side of a connected session.

    Parameters
    ----------
    session, credentials
        What all have agreed on, and what this user alone knows.
    links
        From `connect_mesh`.
    pad
        L machine words from the dealer for each round that uses them.
    ledger
        Claims each round's words before they are used.
    """

    def __init__(
        self,
        session: Session,
        credentials: Credentials,
        links: dict[int, socket.socket],
        pad: UInt32[np.ndarray, " w"],
        ledger: KeyLedger,
    ) -> None:
        self.session, self.user, self.links = session, credentials.role, links
        later = session.users - 1 - self.user
        self.traffic = Traffic(handshake=self.user * CALLER_BYTES + later * LISTENER_BYTES)
        self._seeds = {k: credentials.shared[k] for k in range(session.users) if k != self.user}
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
        LedgerError
            When the ledger cannot be written.
        ProtocolError
            On the first frame that is not as agreed or not whole in time, or a peer that is gone.
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
            deadline = time.monotonic() + self.session.timeout
            while selector.get_map():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise self._late([key.data for key in selector.get_map().values()], number)
                for key, mask in selector.select(left):
                    self._advance(selector, key.data, mask, frame, total, number)
        return total

    def close(self) -> None:
        """Note what the operating system says was sent, and close all connections."""
        counts = [_kernel_count(sock) for sock in self.links.values()]
        if None not in counts:
            self.traffic.kernel = sum(count for count in counts if count is not None)
        for sock in self.links.values():
            sock.close()

    def message(self, number: int, words: UInt32[np.ndarray, " L"]) -> UInt32[np.ndarray, " L"]:
        """Return X_k; the pad's words are written down as used before anything depends on them."""
        kind = self.session.kind(number)
        if kind == "none":
            return words.copy()
        if kind == "pairwise":
            return words + pairwise_pad(self.user, self._seeds, len(words), number)
        start = self.session.dealt(before=number) * self.session.length
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
        """Receive at most a chunk and add its whole words; keep a split one for the next call."""
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
        self.traffic.heard += count

    def _late(self, links: list[_Link], number: int) -> ProtocolError:
        """Blame the peer of whose frame least has come; or, if all have, one that reads nothing."""
        link = min(links, key=lambda link: (link.done_in, link.received, link.sent))
        done, verb = (link.sent, "had read") if link.done_in else (link.received, "had sent")
        return ProtocolError(
            link.peer,
            f"{verb} {done} of {self.session.payload} bytes when the {self.session.timeout:g} s "
            f"of round {number} were over",
        )

    def _gone(self, link: _Link, number: int) -> ProtocolError:
        return ProtocolError(
            link.peer,
            f"closed its connection in round {number} after {link.received} of "
            f"{self.session.payload} bytes",
        )


def _kernel_count(sock: socket.socket, patience: float = 5.0) -> int | None:
    """Bytes sent on a connection without retransmissions, as Linux counts them.

    What has been written may still wait in the socket's buffer: it is let out first.
    """
    if not sys.platform.startswith("linux"):
        return None
    deadline = time.monotonic() + patience
    while True:
        try:
            told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        except OSError:
            return None
        if len(told) < 216:  # before Linux 4.19
            return None
        (unacknowledged,) = struct.unpack_from("<I", told, 24)  # tcpi_unacked, in segments
        (unsent,) = struct.unpack_from("<I", told, 144)  # tcpi_notsent_bytes
        if not (unacknowledged or unsent) or time.monotonic() > deadline:
            break
        time.sleep(0.001)
    sent, again = struct.unpack_from("<QQ", told, 200)  # tcpi_bytes_sent, tcpi_bytes_retrans
    return int(sent - again)
