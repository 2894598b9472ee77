"""Downloads: one file from a public address, no larger and no slower than was agreed on.

A server is a stranger: it may send for ever, a byte at a time, a bomb that unpacks, another file,
or redirect in a circle. Each ends in one `UserError` that says so.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quire.workbook.errors import UserError, plain_line
from quire.workbook.files import replacing

if TYPE_CHECKING:
    import requests

_SECONDS_TO_ANSWER = 20
_SECONDS_AT_LEAST = 60
_SLOWEST = 16_000
"""Bytes in a second; a download that is slower on the whole is given up."""

_PIECE = 1 << 14


@dataclass(frozen=True)
class Wanted:
    """What is to be downloaded: the address, and what the file must be."""

    name: str
    url: str
    bytes: int
    sha256: str


def download(wanted: Wanted, target: Path, on_bytes: Callable[[int], None]) -> None:
    """Download a file to ``target``, whole and verified, or not at all.

    Parameters
    ----------
    wanted
        The file. No more than its ``bytes`` are taken from the server.
    target
        Where it goes.
    on_bytes
        Told how many more bytes have come.

    Raises
    ------
    UserError
        For an address that can not be asked, no answer, a refusal, a circle of redirections, more
        or fewer bytes than expected, a download too slow to wait for, another checksum, and for a
        target that can not be written.
    """
    import requests
    import urllib3

    try:
        with requests.Session() as session:
            session.max_redirects = 10
            with session.get(
                wanted.url,
                stream=True,
                timeout=_SECONDS_TO_ANSWER,
                headers={"Accept-Encoding": "identity"},  # nothing that unpacks to more
            ) as answer:
                answer.raise_for_status()
                _receive(wanted, answer, target, on_bytes)
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as fault:
        what, remedy = _words(wanted, fault)
        raise UserError(f"dataset {wanted.name}: {what}", remedy) from None


def allowed_seconds(size: int) -> float:
    """Return how long a download of ``size`` bytes may take."""
    return _SECONDS_AT_LEAST + size / _SLOWEST


def _receive(
    wanted: Wanted, answer: requests.Response, target: Path, on_bytes: Callable[[int], None]
) -> None:
    deadline = time.monotonic() + allowed_seconds(wanted.bytes)
    digest, size = hashlib.sha256(), 0
    announced = answer.headers.get("Content-Length", "")
    packed = "Content-Encoding" in answer.headers
    if announced.isascii() and announced.isdigit() and not packed and len(announced) < 20:
        _check_size(wanted, int(announced))
    with replacing(target) as file:
        for piece in _pieces(answer):
            size += len(piece)
            _check_size(wanted, size)
            if time.monotonic() > deadline:
                raise UserError(
                    f"dataset {wanted.name}: {wanted.url} sent {size:,} of {wanted.bytes:,} bytes "
                    f"in {allowed_seconds(wanted.bytes):.0f} s",
                    "try again on a faster network; nothing was kept",
                )
            digest.update(piece)
            file.write(piece)
            on_bytes(len(piece))
        same = digest.hexdigest() == wanted.sha256
        if size != wanted.bytes and same:
            raise UserError(
                f"dataset {wanted.name} has {size:,} bytes, the registry says {wanted.bytes:,}",
                "mend 'bytes' in data/registry.toml",
            )
        if size < wanted.bytes:
            raise UserError(
                f"dataset {wanted.name}: the download from {wanted.url} was cut short at "
                f"{size:,} of {wanted.bytes:,} bytes",
                "try again; nothing was kept",
            )
        if not same:
            raise UserError(
                f"dataset {wanted.name}: what {wanted.url} sent does not have the registry's "
                "sha256",
                "try again; nothing was kept",
            )


def _pieces(answer: requests.Response) -> Any:
    # read1 hands over what has come: a drip of single bytes meets the deadline, too.
    while piece := answer.raw.read1(_PIECE, decode_content=True):
        yield piece


def _check_size(wanted: Wanted, size: int) -> None:
    if size > wanted.bytes:
        raise UserError(
            f"dataset {wanted.name}: {wanted.url} sends more than the registry's "
            f"{wanted.bytes:,} bytes",
            "try again, or mend 'bytes' in data/registry.toml; nothing was kept",
        )


def _words(wanted: Wanted, fault: Exception) -> tuple[str, str]:
    """Return what went wrong between us and the server, and what to do."""
    import requests
    import urllib3

    again = "try later, or point QUIRE_DATA_MIRROR at a copy"
    match fault:
        case requests.HTTPError():
            status = fault.response.status_code if fault.response is not None else "an error"
            return f"{wanted.url} answered {status}", again
        case requests.TooManyRedirects():
            return f"{wanted.url} redirects in a circle", again
        case (
            requests.exceptions.ChunkedEncodingError()
            | requests.exceptions.ContentDecodingError()
            | urllib3.exceptions.IncompleteRead()
            | urllib3.exceptions.ProtocolError()
            | urllib3.exceptions.DecodeError()
        ):
            return f"the download from {wanted.url} was cut short", "try again; nothing was kept"
        case (
            requests.exceptions.InvalidURL()
            | requests.exceptions.InvalidSchema()
            | requests.exceptions.MissingSchema()
            | urllib3.exceptions.LocationValueError()
        ):
            return f"{wanted.url} is, or leads to, no web address", "mend 'url' in the registry"
        case requests.exceptions.SSLError():
            return f"{wanted.url} has no certificate that is trusted here", again
        case requests.ConnectionError() | requests.Timeout() | urllib3.exceptions.TimeoutError():
            return f"no answer from {wanted.url}", f"check the network, {again[11:]}"
        case requests.RequestException() | urllib3.exceptions.HTTPError():
            return f"no answer from {wanted.url} ({type(fault).__name__})", again
    return f"{wanted.url} can not be asked ({plain_line(str(fault))})", "mend 'url' in the registry"
