"""Fetching before a build: what can be had of the datasets, without waiting for a dead network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import requests

from quire.workbook import datasets
from quire.workbook.errors import UserError

SECONDS_TO_ANSWER = (3.05, 5.0)
"""Seconds that a host may take to be reached, and to answer at all."""

_MOST_NAMES = 4


def fetch_what_can_be_had(tell: Callable[[str], None]) -> None:
    """Fetch every dataset that is neither here nor in the mirror; tell what could not be fetched.

    A host that does not answer within `SECONDS_TO_ANSWER` is asked once, and its datasets are left
    out. Nothing here stops a build: a chapter says of each claim what it lacks.
    """
    lacking = [row for row in datasets.listing() if row.state in ("missing", "corrupt")]
    if not lacking:
        return
    hosts = _answering({row.url for row in lacking})
    for host, answers in hosts.items():
        if not answers:
            names = [row.name for row in lacking if _host(row.url) == host]
            tell(f"{host} does not answer: going on without {_told(names)}")
    for row in lacking:
        if hosts[_host(row.url)]:
            try:
                datasets.fetch(row.name)
                tell(f"fetched {row.name}")
            except UserError as fault:
                tell(f"going on without {row.name}: {fault.what}")


def _answering(urls: Iterable[str]) -> dict[str, bool]:
    """Return for the host of each address whether it answers anything at all."""
    first = {_host(url): url for url in sorted(urls, reverse=True)}
    return {host: _answers(url) for host, url in sorted(first.items())}


def _answers(url: str) -> bool:
    try:
        requests.head(url, timeout=SECONDS_TO_ANSWER, allow_redirects=False)
    except requests.RequestException:
        return False
    return True


def _told(names: list[str]) -> str:
    """Return a few names, or how many there are: a line stays one that somebody reads."""
    if len(names) <= _MOST_NAMES:
        return ", ".join(names)
    chapters = sorted({name.partition("/")[0] for name in names})
    return f"{len(names)} datasets of chapters {', '.join(chapters)} ('quire data list' names them)"


def _host(url: str) -> str:
    return urlsplit(url).netloc
