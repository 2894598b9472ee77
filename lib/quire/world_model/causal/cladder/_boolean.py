"""Deterministic counterfactuals: rules in words become a Boolean model, which is then acted on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from quire.world_model.causal.cladder._roles import stems
from quire.world_model.causal.cladder._text import Question
from quire.world_model.errors import Unreadable

# Words that turn a phrase into its opposite; phrases agree when they hold equally many, modulo two.
_NEGATIVE = re.compile(
    r"\b(?:not|no|never|without|lack|absence|out of|far from|doesn't|don't|isn't|didn't|"
    r"non\w*|un(?:intelligent|healthy|able|attractive)\w*|low|poor|small|young|short|local|rural|"
    r"inactive|reduced|retain\w*|refus\w*|releas\w*|off|lazy|insufficient|deficiency|dry|"
    r"bright|silent|pale|stairs|polluted|discourag\w*|light traffic)\b"
)
# Words that speak of the two values of one thing.
_OPPOSITES = [
    (r"\b(?:alive|lives)\b", r"\b(?:death|dead|dies)\b"),
    (r"\blate\b", r"\bon time\b"),
    (r"\bdies\b", r"\b(?:survival|survives|recover\w*)\b"),
    (r"\bproblems\b", r"\bhealthy\b"),
    (r"\brejec\w*", r"\badmi\w*"),
    (r"\bavoids\b", r"\bcontraction\b"),
    (r"\brecovers from scurvy\b", r"\bscurvy$"),
    (r"\bout-of-state\b", r"\bin-state\b"),
    (r"\bfemale\b", r"\bmale\b"),
]


@dataclass
class _Variable:
    phrases: list[str] = field(default_factory=list)  # the first has value 1
    rule: tuple[str, list[tuple[int, bool]]] | None = None

    def value_of(self, phrase: str) -> bool:
        """Return the value that a phrase speaks of."""
        if phrase == self.phrases[0]:
            return True
        if phrase in self.phrases[1:]:
            return False
        return _agree(phrase, self.phrases[0])


def answer_boolean(question: Question) -> bool:
    """Return whether the outcome would come about.

    Every effect but the last is used as a cause later, under its own words or their opposite;
    every root but the treatment is observed. That, and shared words, tells which phrases are of one
    variable.

    Raises
    ------
    Unreadable
        When no rules are told, or what is observed does not settle a cause.
    """
    one, zero = question.phrases["x1"], question.phrases["x0"]
    rules, observed = _sentences(question.facts, (one, zero))
    variables = [_Variable([one, zero])]
    for causes, _, _ in rules:
        for phrase in causes:
            if _find(variables, phrase) is None:
                variables.append(_Variable([phrase]))
    used = {p for _, _, effects in rules for p in effects}
    open_ = [v for v in variables[1:] if v.phrases[0] not in used]
    last = rules[-1][2][-1]
    for _, _, effects in rules:
        for phrase in effects:
            if _find(variables, phrase) is not None:
                continue
            if phrase == last:
                variables.append(_Variable([phrase]))
                continue
            if not open_:
                raise Unreadable(f"{phrase!r}: must be a cause of something")
            spoken = " ".join(observed)
            other = max(
                open_, key=lambda v: (_shared(phrase, v.phrases[0]), -_shared(spoken, v.phrases[0]))
            )
            open_ = [v for v in open_ if v is not other]
            other.phrases.append(phrase)
    for causes, joined, effects in rules:
        known = []
        for phrase in causes:
            k = _find(variables, phrase)
            assert k is not None
            known.append((k, variables[k].value_of(phrase)))
        for phrase in effects:
            k = _find(variables, phrase)
            assert k is not None
            variables[k].rule = (
                joined if variables[k].value_of(phrase) else f"not {joined}",
                known,
            )
    values = {0: False}  # the action
    roots = [k for k, v in enumerate(variables) if v.rule is None and k != 0]
    for k, phrase in _matched(variables, roots, observed):
        values[k] = variables[k].value_of(phrase)
    outcome = _find(variables, last)
    assert outcome is not None
    result = _value(variables, outcome, values, set())
    return result == _agree(question.phrases["y"], last)


def _sentences(
    facts: tuple[str, ...], whole: tuple[str, str]
) -> tuple[list[tuple[list[str], str, list[str]]], list[str]]:
    """Return the rules (causes, and/or, effects) and what was observed.

    Raises
    ------
    Unreadable
        When there are no rules.
    """
    rules, observed = [], []

    def hide(text: str) -> str:
        for k, phrase in enumerate(whole):
            text = text.replace(phrase, f"\x00{k}\x00")
        return text

    def show(text: str) -> str:
        for k, phrase in enumerate(whole):
            text = text.replace(f"\x00{k}\x00", phrase)
        return text.strip()

    for fact in facts:
        if fact.startswith("We observed "):
            observed += fact.removeprefix("We observed ").split(" and ")
            continue
        for part in re.split(r",? and we know that ", fact.removeprefix("We know that ")):
            left, found, right = hide(part).partition(" causes ")
            if not found:
                continue
            joined = "or" if " or " in left else "and"
            causes = [show(p) for p in left.split(f" {joined} ")]
            rules.append((causes, joined, [show(p) for p in right.split(" and ")]))
    if not rules:
        raise Unreadable("text: must tell what causes what ('We know that A or B causes C')")
    return rules, observed


def _find(variables: list[_Variable], phrase: str) -> int | None:
    return next((k for k, v in enumerate(variables) if phrase in v.phrases), None)


def _shared(one: str, other: str) -> int:
    return len(stems(one) & stems(other))


def _turned(phrase: str) -> bool:
    return len(_NEGATIVE.findall(phrase.lower())) % 2 == 1


def _agree(one: str, other: str) -> bool:
    """Return whether two phrases about one variable speak of the same value."""
    opposed = any(
        bool(re.search(a, p) and re.search(b, q) and not re.search(a, q))
        for a, b in _OPPOSITES
        for p, q in ((one, other), (other, one))
    )
    return (_turned(one) == _turned(other)) != opposed


def _matched(
    variables: list[_Variable], roots: list[int], observed: list[str]
) -> list[tuple[int, str]]:
    found = []
    left = list(roots)
    for phrase in observed:
        if not left:
            break
        best = max(left, key=lambda k: len(stems(phrase) & stems(variables[k].phrases[0])))
        left.remove(best)
        found.append((best, phrase))
    return found


def _value(variables: list[_Variable], k: int, values: dict[int, bool], path: set[int]) -> bool:
    if k in values:
        return values[k]
    rule = variables[k].rule
    if rule is None or k in path:
        raise Unreadable(f"{variables[k].phrases[0]!r}: must be observed, or have a cause")
    joined, causes = rule
    met = [_value(variables, c, values, path | {k}) == wanted for c, wanted in causes]
    held = any(met) if joined.endswith("or") else all(met)
    values[k] = not held if joined.startswith("not") else held
    return values[k]
