"""Labelled failure windows: what an alert looked like, clean and noisy, and what was right."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from quire import checks
from quire.signatures import checked


@checked
@dataclass(frozen=True)
class EvidenceEdge:
    """An edge of the causal graph that a window brings along.

    Attributes
    ----------
    source, target
        Templates of cause and effect.
    weight
        Its strength.
    relation
        ``instantly_triggers`` or ``temporally_causes``, empty where it is not said.
    """

    source: str
    target: str
    weight: float
    relation: str = ""


@checked
@dataclass(frozen=True)
class View:
    """A window at one level of noise.

    Attributes
    ----------
    alert
        The line that raised the alarm.
    context
        The lines around it.
    edges
        Graph evidence.
    """

    alert: str
    context: str
    edges: tuple[EvidenceEdge, ...]

    @property
    def text(self) -> str:
        """Alert and context together."""
        return f"{self.alert}\n{self.context}"


@checked
@dataclass(frozen=True)
class Case:
    """A labelled window.

    Attributes
    ----------
    system
        Such as ``HDFS``.
    name
        Its identifier.
    incident
        The incident that it was drawn from; several windows may share one.
    root, action
        The right answers.
    root_template, effect_template
        The pair that the benchmark's author wrote down, ``unknown`` where there is none.
    views
        (level, view), by level.
    """

    system: str
    name: str
    incident: str
    root: str
    action: str
    root_template: str
    effect_template: str
    views: tuple[tuple[float, View], ...]

    def view(self, level: float) -> View:
        """Return the view at a level of noise.

        Raises
        ------
        ValueError
            For a level that the window does not have.
        """
        for there, view in self.views:
            if there == level:
                return view
        levels = ", ".join(f"{there:g}" for there, _ in self.views)
        raise ValueError(f"level = {level!r}: must be one of {levels}")


@checked
def read_cases(text: Any, label_book: Collection[str] | None = None) -> tuple[Case, ...]:
    """Read the windows of the paper's first author from JSON.

    Parameters
    ----------
    text
        The file's text.
    label_book
        Labels that may occur as root or action; None for any.

    Raises
    ------
    ValueError
        For text that is no JSON, a missing field, a number that is not finite, a level of noise
        outside [0, 1], a label that is not in the book, or a name twice.
    """
    if not isinstance(text, str):
        raise ValueError(f"cases = {type(text).__name__}: must be text")
    try:
        found = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as fault:
        raise ValueError(f"cases = no JSON at line {fault.lineno}: {fault.msg}") from None
    except RecursionError:
        raise ValueError("cases = JSON nested too deep: must be a list of windows") from None
    listed = found.get("cases") if isinstance(found, dict) else None
    if not isinstance(listed, list) or not listed:
        raise ValueError("cases = no list under 'cases': must hold at least one window")
    cases = tuple(_case(f"cases[{k}]", item, label_book) for k, item in enumerate(listed))
    names = [case.name for case in cases]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"cases = {twice!r} twice: names must be different")
    return cases


def _refuse(word: str) -> float:
    raise ValueError(f"cases = {word}: must be finite numbers")


def _case(where: str, item: Any, label_book: Collection[str] | None) -> Case:
    if not isinstance(item, Mapping):
        raise ValueError(f"{where} = {type(item).__name__}: must be an object")

    def word(key: str) -> str:
        value = item.get(key)
        if not isinstance(value, str) or not value:
            raise ValueError(f"{where}.{key} = {value!r}: must be text")
        return value

    root, action = word("gt_family_id"), word("gt_action_id")
    for label in (root, action):
        if label_book is not None and label not in label_book:
            raise ValueError(f"{where} = label {label!r}: must be in the label book")
    views = item.get("noise_views")
    if not isinstance(views, Mapping) or not views:
        raise ValueError(f"{where}.noise_views = {type(views).__name__}: must hold a view")
    read = [(_level(where, key), _view(f"{where}.noise_views[{key}]", value))
            for key, value in views.items()]  # fmt: skip
    if len({level for level, _ in read}) < len(read):
        raise ValueError(f"{where}.noise_views = a level twice: levels must be different")
    return Case(
        system=word("dataset"),
        name=word("case_id"),
        incident=word("base_incident_id"),
        root=root,
        action=action,
        root_template=word("root_template"),
        effect_template=word("effect_template"),
        views=tuple(sorted(read, key=lambda pair: pair[0])),
    )


def _level(where: str, key: Any) -> float:
    try:
        level = checks.non_negative("level", float(key))
    except (TypeError, ValueError):
        level = 2.0
    if level > 1:
        raise ValueError(f"{where}.noise_views = level {key!r}: must lie in [0, 1]")
    return level


def _view(where: str, value: Any) -> View:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} = {type(value).__name__}: must be an object")
    texts = []
    for key in ("selected_alert", "context_text"):
        if not isinstance(value.get(key), str):
            raise ValueError(f"{where}.{key} = {value.get(key)!r}: must be text")
        texts.append(value[key])
    evidence = value.get("graph_evidence") or {}
    listed = evidence.get("matched_edges") or () if isinstance(evidence, Mapping) else None
    if not isinstance(listed, list | tuple):
        raise ValueError(f"{where}.graph_evidence = no list of edges: must have matched_edges")
    edges = []
    for k, edge in enumerate(listed):
        place = f"{where}.graph_evidence.matched_edges[{k}]"
        try:
            source, target = str(edge["source_template"]), str(edge["target_template"])
            weight = edge["weight"]
        except (KeyError, TypeError):
            raise ValueError(f"{place} = no edge: must have source, target and weight") from None
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise ValueError(f"{place}.weight = {weight!r}: must be a number")
        if not abs(weight) < 1e300:
            raise ValueError(f"{place}.weight = {str(weight)[:20]}: must be finite")
        edges.append(EvidenceEdge(source, target, float(weight), str(edge.get("relation", ""))))
    return View(texts[0], texts[1], tuple(edges))
