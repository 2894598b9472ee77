"""How a bundle describes itself: as a Process Run RO-Crate, and to CODECHECK's reviewers."""

from __future__ import annotations

import hashlib
import json
import mimetypes
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import yaml
from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from quire.workbook.chapters import Chapter
from quire.workbook.errors import UserError
from quire.workbook.home import home
from quire.workbook.provenance import DISTRIBUTIONS, version

_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_LICENCE = "https://spdx.org/licenses/BSD-3-Clause"
_RESULTS = {
    "ledger.json": "Every claim of the chapter with its measurement and verdict",
    "ledger.csv": "The same ledger as a table",
    "study.parquet": "The table of the study, a row per point",
}
_TYPES = {".ipynb": "application/x-ipynb+json", ".yml": "application/yaml", ".py": "text/x-python",
          ".parquet": "application/vnd.apache.parquet", ".toml": "application/toml"}  # fmt: skip


def describe(
    chapter: Chapter,
    record: Mapping[str, Any],
    data: Sequence[Mapping[str, Any]],
    members: Mapping[str, bytes],
) -> bytes:
    """Return ``ro-crate-metadata.json``: a Process Run RO-Crate of one run of a chapter.

    Parameters
    ----------
    chapter
        The chapter that was run.
    record
        What the run wrote down: parameters, versions, machine, commit.
    data
        The datasets it read, with checksum and address.
    members
        Every member of the bundle so far, by name.
    """
    crate = ROCrate(version="1.1")
    paper = chapter.card.paper
    when = _when(record)
    crate.name = f"{chapter.title}: a run of chapter {chapter.number} of Quire"
    crate.description = f"{chapter.card.summary} Every claim of the paper with its verdict."
    crate.datePublished = when
    crate.root_dataset["license"] = crate.add(
        ContextEntity(
            crate,
            _LICENCE,
            {"@type": "CreativeWork", "name": "BSD 3-Clause License", "description": "Of the code"},
        )
    )
    crate.root_dataset["conformsTo"] = crate.add(
        ContextEntity(
            crate,
            _PROFILE,
            {"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        )
    )
    crate.root_dataset["citation"] = crate.add(
        ContextEntity(
            crate,
            f"https://arxiv.org/abs/{paper.arxiv}",
            {
                "@type": "ScholarlyArticle",
                "name": paper.title,
                "author": ", ".join(paper.authors),
            },
        )
    )
    notebook = f"notebooks/{chapter.slug}.ipynb"
    files = {name: crate.add_file(dest_path=name, properties=_about(name, content, notebook))
             for name, content in members.items()}  # fmt: skip
    inputs = [crate.add(ContextEntity(crate, f"#parameter-{name}", _parameter(name, value)))
              for name, value in sorted((record.get("parameters") or {}).items())]  # fmt: skip
    inputs += [crate.add(ContextEntity(crate, str(each.get("url") or f"#data-{each['name']}"),
                                       _dataset(each))) for each in data]  # fmt: skip
    software = crate.add(
        ContextEntity(
            crate,
            "#quire",
            {
                "@type": "SoftwareApplication",
                "name": "quire-workbook",
                "softwareVersion": _version(record),
                "description": "The machinery that ran the notebook and judged its claims",
            },
        )
    )
    agent = crate.add(
        ContextEntity(crate, "#quire-run", {"@type": "Organization", "name": "Whoever ran it"})
    )
    action = crate.add(
        ContextEntity(
            crate,
            "#run",
            {
                "@type": "CreateAction",
                "name": f"quire run {chapter.slug}",
                "description": f"The chapter ran for {record.get('seconds', 'some')} seconds",
                "endTime": when.isoformat(),
                "actionStatus": "http://schema.org/CompletedActionStatus",
            },
        )
    )
    action["instrument"] = software
    action["agent"] = agent
    action["object"] = [files[f"notebooks/{chapter.slug}.yml"], *inputs]
    action["result"] = [files[n] for n in (notebook, *_RESULTS) if n in files]
    crate.root_dataset["mentions"] = action
    return (json.dumps(crate.metadata.generate(), indent=1, ensure_ascii=False) + "\n").encode()


def codecheck(chapter: Chapter, members: Mapping[str, bytes]) -> bytes:
    """Return ``codecheck.yml``: what a reviewer has to see come out again."""
    paper = chapter.card.paper
    produced = {f"notebooks/{chapter.slug}.ipynb": "The executed notebook", **_RESULTS}
    data = {
        "version": "https://codecheck.org.uk/spec/config/1.0/",
        "paper": {
            "title": paper.title,
            "authors": [{"name": name} for name in paper.authors],
            "reference": f"https://arxiv.org/abs/{paper.arxiv}",
        },
        "manifest": [
            {"file": name, "comment": comment}
            for name, comment in produced.items()
            if name in members
        ],
        "summary": "Run 'quire verify' on the bundle: it replays the chapter claim by claim.",
    }
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100, explicit_start=True)
    return text.encode()


def _about(name: str, content: bytes, notebook: str) -> dict[str, Any]:
    comment = _RESULTS.get(name) or ("The executed notebook" if name == notebook else "")
    suffix = name[name.rfind(".") :] if "." in name else ""
    kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "text/plain"
    return {
        "name": name.rpartition("/")[2],
        "encodingFormat": kind,
        "contentSize": str(len(content)),
        "sha256": hashlib.sha256(content).hexdigest(),
        **({"description": comment} if comment else {}),
    }


def _parameter(name: str, value: Any) -> dict[str, Any]:
    return {"@type": "PropertyValue", "name": name, "value": json.dumps(value, default=str)}


def _dataset(each: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@type": "CreativeWork",
        "name": each["name"],
        "sha256": each["sha256"],
        **({"license": each["licence"]} if "licence" in each else {}),
    }


def _version(record: Mapping[str, Any]) -> str:
    told = dict(record.get("packages") or {})
    number = next((told[n] for n in DISTRIBUTIONS if n in told), None) or version(DISTRIBUTIONS[0])
    return f"{number or 'unknown'} at commit {record.get('commit') or 'unknown'}"


def _when(record: Mapping[str, Any]) -> datetime:
    """Return when the commit was made that was run: a run writes no time, to give equal bytes.

    Raises
    ------
    UserError
        When the record names no commit but an option of git's.
    """
    commit = str(record.get("commit") or "HEAD").rstrip("+")
    try:
        if commit.startswith("-"):
            raise UserError(f"commit = {commit}", "the record of the run is none of ours")
        told = subprocess.run(
            ["git", "-C", str(home()), "show", "-s", "--format=%ct", commit],
            capture_output=True, text=True, check=True, timeout=20,
        ).stdout  # fmt: skip
        return datetime.fromtimestamp(int(told), UTC)
    except (OSError, subprocess.SubprocessError, ValueError):
        return datetime.fromtimestamp(0, UTC)
