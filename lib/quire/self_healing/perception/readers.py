"""Read Loghub's structured tables and the labelled windows, from text."""

import csv
import io
import re
from dataclasses import dataclass
from typing import Any

from quire.self_healing.errors import one_of
from quire.signatures import checked

_LOG_COLUMNS = ("Content", "EventId", "EventTemplate")
SYSTEMS = (
    "HDFS", "Hadoop", "Spark", "Zookeeper", "OpenStack", "BGL", "HPC", "Thunderbird", "Windows",
    "Linux", "Mac", "Android", "HealthApp", "Apache", "OpenSSH", "Proxifier",
)  # fmt: skip


@dataclass(frozen=True)
class Log:
    """Lines of one system with what is known of them; every tuple has an entry a line.

    Attributes
    ----------
    system
        Such as ``HDFS``.
    contents
        What a line says, without its header.
    events
        Identifiers of the true templates.
    templates
        Texts of the true templates.
    components
        Who wrote the line, empty where the table does not say.
    """

    system: str
    contents: tuple[str, ...]
    events: tuple[str, ...]
    templates: tuple[str, ...]
    components: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.contents)


_HEADER = re.compile(r"^.{0,200}?\b(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL)\b\s*")
_ORIGIN = re.compile(r"^(?:\[[^\]]*\]\s+(?=[\w.$]+:\s))?[\w.$/-]+(?::\s+|\s+(?=\[))")
_REQUEST = re.compile(r"^\[(?:req-[^\]]*|-)\]\s*")


@checked
def strip_header(line: str) -> str:
    """Return a line without what stands before its message: time, level, component, request."""
    text = _HEADER.sub("", line, count=1)
    if text == line:
        return line
    return _REQUEST.sub("", _ORIGIN.sub("", text, count=1), count=1)


def read_log(system: Any, text: Any) -> Log:
    """Read a table ``<System>_2k.log_structured.csv`` of Loghub from its text.

    Raises
    ------
    ValueError
        For an unknown system, a table without a line, a missing column or a torn row.
    """
    one_of("system", system, SYSTEMS)
    if not isinstance(text, str):
        raise ValueError(f"{system} = {type(text).__name__}: must be the text of a table")
    rows = csv.DictReader(io.StringIO(text.lstrip("\ufeff"), newline=""), strict=True)
    columns = rows.fieldnames or []
    for column in _LOG_COLUMNS:
        if column not in columns:
            raise ValueError(f"{system} = a table without the column {column}: must have it")
    contents, events, templates, components = [], [], [], []
    try:
        for number, row in enumerate(rows, 2):
            values = [row[column] for column in _LOG_COLUMNS]
            if None in values or None in row:
                raise ValueError(f"{system} = row {number}: must have {len(columns)} columns")
            contents.append(row["Content"])
            events.append(row["EventId"])
            templates.append(row["EventTemplate"])
            components.append(row.get("Component") or "")
    except csv.Error as fault:
        raise ValueError(
            f"{system} = row {rows.line_num}: must be a row of a CSV ({fault})"
        ) from None
    if not contents:
        raise ValueError(f"{system} = a table without a line: must hold at least one")
    return Log(system, tuple(contents), tuple(events), tuple(templates), tuple(components))
