"""Does a text lead to what is protected? Read in every way a device may read it, link by link.

A text of a request is no path until a device takes it for one. So it is read in several ways
(`readings`: as it stands, percent-decoded, as a word of a command, ...), and each reading is
followed as the operating system follows a path (`followed`): from the folder in which the agent
stands, through symbolic links, with ``..`` taken where the links have led. What cannot be followed
(a loop, a folder that the kernel may not look into) is taken for protected.

What holds at the time of asking is judged. A link that is bent between grant and deed is outside:
the device must not follow links that others may change.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import os
import re
import stat
import unicodedata
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

LINKS = 40  # that a path may lead through, as in Linux
PARTS = 4096  # of a path; more are refused
Number = tuple[int, int]  # device and inode, by which a file is known under all its names
_WORDS = re.compile(r"[\s\"'`=,;:|&<>()\[\]{}]+")
_CHOICES = re.compile(r"\{[^{}\s]*(?:,|\.\.)[^{}\s]*\}")
_EXPANDED = re.compile(r"\$[A-Za-z_{(]|`")
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
_HANDLES = ("/proc/", "/dev/fd/")  # paths that mean one file to the kernel, another to the agent


class Step(NamedTuple):
    """A place on the way that a path leads, and the number of what is there, if anything is."""

    place: str
    number: Number | None


@dataclass(frozen=True)
class Surroundings:
    """What the kernel knows of a request beside its text.

    Attributes
    ----------
    folders
        Absolute: those in which a relative path may be meant. Where none is known, a relative path
        is refused if one of its parts is called as something protected.
    own
        The kernel's own files, as `Kept`: no policy needs to name them.
    """

    folders: tuple[str, ...] = ()
    own: Kept | None = None


@dataclass(frozen=True)
class Kept:
    """Protected places.

    Attributes
    ----------
    places, files
        Their paths, as they are compared, and the numbers of device and inode of those that exist.
    places_above, files_above
        The same of the folders that hold them.
    names
        What they are called.
    """

    places: frozenset[str] = frozenset()
    files: frozenset[tuple[int, int]] = frozenset()
    places_above: frozenset[str] = frozenset()
    files_above: frozenset[tuple[int, int]] = frozenset()
    names: frozenset[str] = frozenset()

    def __or__(self, other: Kept) -> Kept:
        """Return what either protects; the names are those of the left alone."""
        return Kept(
            self.places | other.places,
            self.files | other.files,
            self.places_above | other.places_above,
            self.files_above | other.files_above,
            self.names,
        )


def kept(names: Sequence[str]) -> Kept:
    """Return what is protected by these paths: where they are, and where their links lead."""
    steps: list[Step] = []
    above: list[Step] = []
    for name in (Path(name).absolute() for name in names):
        steps.append(Step(str(name), None))
        above += [Step(str(folder), None) for folder in name.parents]
        with contextlib.suppress(OSError):  # what can not be followed is known by its path alone
            *before, end = followed(str(name))
            steps.append(end)
            above += before
        with contextlib.suppress(OSError):  # a link is protected as well as what it leads to
            before = followed(str(name.parent))
            steps.append(Step(f"{before[-1].place.rstrip('/')}/{name.name}", None))
            above += before
    return Kept(
        frozenset(_compared(step.place) for step in steps),
        frozenset(step.number for step in steps if step.number),
        frozenset(_compared(step.place) for step in above),
        frozenset(step.number for step in above if step.number),
        frozenset(_compared(Path(name).name) for name in names),
    )


def texts(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value, however deep, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def any_protected(
    what: Kept, asked: Iterable[str], above: bool, folders: Sequence[str] = ()
) -> bool:
    """Return whether a reading of one of these texts leads to what is protected.

    Parameters
    ----------
    what
        What is protected.
    asked
        Texts of a request.
    above
        Whether the action changes something. Then a folder that holds something protected counts
        too (who moves it moves what is in it), and a text that a shell would expand is refused.
    folders
        Absolute: those in which a relative path may be meant.
    """
    if not what.places:
        return False
    try:
        starts = [followed(folder) for folder in folders]
    except OSError:
        return True
    return any(
        "\x00" in text
        or (above and _EXPANDED.search(text) is not None)
        or any(_leads_there(what, one, above, starts) for one in readings(text))
        for text in asked
    )


def readings(text: str) -> set[str]:
    """Return a text as devices may read it: decoded, trimmed, unquoted, cut into words."""
    found = {text, unicodedata.normalize("NFKC", text)}
    found |= {"".join(c for c in one if unicodedata.category(c) != "Cf") for one in found}
    for _ in range(5):  # percent signs may be encoded themselves
        more = {urllib.parse.unquote(one) for one in found} - found
        if not more:
            break
        found |= more
    found |= {one.replace("\\", "/") for one in found}
    found |= {one.strip() for one in found} | {one.rstrip(" .") for one in found}
    found |= {word for one in found for word in _WORDS.split(one)}
    for one in list(found):
        if one[:5].lower() == "file:":
            found.add("/" + one[5:].lstrip("/").removeprefix("localhost/"))
        if one.startswith("//localhost/"):
            found.add(one.removeprefix("//localhost"))
        if one.startswith("~"):
            with contextlib.suppress(RuntimeError):  # of an unknown user
                found.add(str(Path(one).expanduser()))
    return found - {""}  # the system opens nothing by an empty name


def followed(path: str, start: Sequence[Step] = ()) -> list[Step]:
    """Return where a path leads, as the operating system follows it, from the root on.

    An absolute path, or one relative to where a path that was ``followed`` before has led. What
    does not exist is taken for a name to be made: a dangling link leads to where its target would
    be.

    Raises
    ------
    OSError
        For a loop of links, a folder that may not be looked into, a whole disk, a path through
        somebody's open files, which are others for another process, or one of too many parts.
    """
    if path.count("/") > PARTS:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    trail = list(start) or [Step("/", _number(os.lstat("/")))]
    left, links = path.split("/")[::-1], 0
    while left:
        part = left.pop()
        if part in ("", "."):
            continue
        if part == "..":
            del trail[max(1, len(trail) - 1) :]
            continue
        new = f"{trail[-1].place.rstrip('/')}/{part}"
        if new.startswith(_HANDLES):
            raise OSError(errno.EXDEV, "the path means another file to another process", new)
        try:
            found = os.lstat(new)
        except OSError as fault:
            if fault.errno not in _ABSENT:
                raise
            trail.append(Step(new, None))
            continue
        if stat.S_ISBLK(found.st_mode):
            raise OSError(errno.EXDEV, "a disk holds every file", new)
        if not stat.S_ISLNK(found.st_mode):
            trail.append(Step(new, _number(found)))
            continue
        links += 1
        if links > LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = str(Path(new).readlink())
        if target.startswith("/"):
            del trail[1:]
        left.extend(target.split("/")[::-1])
    return trail


def _leads_there(what: Kept, target: str, above: bool, folders: Sequence[list[Step]]) -> bool:
    whole = target.startswith("/")
    if not whole and not what.names.isdisjoint(map(_compared, target.split("/"))):
        return True
    if _matched(what, target, above, folders):
        return True
    try:
        trails = [followed(target)] if whole else [followed(target, f) for f in folders]
    except (OSError, ValueError):
        return True
    return any(
        any(_compared(step.place) in what.places or step.number in what.files for step in trail)
        or (
            above
            and (
                _compared(trail[-1].place) in what.places_above
                or trail[-1].number in what.files_above
            )
        )
        for trail in trails
    )


def _matched(what: Kept, target: str, above: bool, folders: Sequence[list[Step]]) -> bool:
    """Return whether a shell would expand the target to what is protected."""
    pattern, last = target, ""
    while pattern != last:
        pattern, last = _CHOICES.sub("*", pattern), pattern
    if not any(sign in pattern for sign in "*?["):
        return False
    aims = what.places | what.places_above if above else what.places
    whole = pattern.startswith("/")
    wholes = [pattern] if whole else [f"{f[-1].place.rstrip('/')}/{pattern}" for f in folders]
    wholes = [_compared(one) for one in wholes]
    if any(fnmatch.fnmatchcase(place, one) for one in wholes for place in aims):
        return True
    name = _compared(pattern.rsplit("/", 1)[-1])
    return any(c.isalnum() for c in name) and any(fnmatch.fnmatchcase(n, name) for n in what.names)


def _compared(path: str) -> str:
    """Return a path as it is compared: on some systems case and composition do not count."""
    return unicodedata.normalize("NFKC", path).casefold()


def _number(found: os.stat_result) -> Number:
    return found.st_dev, found.st_ino
