"""Numbers of theorems, exercises and equations: each chapter counts its own, from one."""

from __future__ import annotations

import re

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

_CHAPTER = re.compile(r"^notebooks/(\d\d)_")


def number_by_chapter(_app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Turn Sphinx's numbers, which run through the book, into ``15.1``, ``15.2``, ...

    Sphinx keeps for each page and each kind the number of every id; references read the same table.
    To be called once Sphinx has numbered; no page has to be read again for it.
    """
    for page, kinds in env.toc_fignumbers.items():
        chapter = _CHAPTER.match(page)
        if chapter is None:
            continue
        for kind, numbers in kinds.items():
            order = sorted(numbers, key=lambda identifier: numbers[identifier])
            kinds[kind] = {
                identifier: (int(chapter.group(1)), place)
                for place, identifier in enumerate(order, start=1)
            }
    return []
