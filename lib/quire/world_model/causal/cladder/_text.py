"""Sentences of a question, read by their printed form: the graph, the query, the tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from quire.world_model.causal.graphs import CausalGraph, causal_graph
from quire.world_model.errors import Unreadable

QUERIES = {
    "ate": r"Will (?P<x>.+) (?P<sign>increase|decrease) the chance of (?P<y>.+)",
    "ett": r"For (?P<c>.+?), would it be (?P<sign>more|less) likely to see (?P<y>.+?) if (?P<x>.+)",
    "marginal": r"Is (?P<y>.+) (?P<sign>more|less) likely than (?P<other>.+) overall",
    "correlation": r"Is the chance of (?P<y>.+) (?P<sign>larger|smaller) when observing (?P<x>.+)",
    "backadj": r"To understand how (?P<x>.+) affects (?P<y>.+), is it (?P<sign>more|less) correct "
    r"to use the Method 1 than Method 2",
    "collider_bias": r"If we look at (?P<c>.+?), does it mean that (?P<x>.+?) "
    r"(?P<sign>affects|does not affect) (?P<y>.+)",
    "exp_away": r"If we look at (?P<c>.+?), does the chance of (?P<y>.+?) "
    r"(?P<sign>increase|decrease) when (?P<x>.+)",
    "nde": r"If we disregard the mediation effect through (?P<m>.+), would (?P<x>.+) "
    r"(?P<sign>positively|negatively) affect (?P<y>.+)",
    "nie": r"Does (?P<x>.+) (?P<sign>positively|negatively) affect (?P<y>.+?) through (?P<m>.+)",
    "det-counterfactual": r"Would (?P<y>.+) if (?P<x0>.+) instead of (?P<x1>.+)",
}
UPWARD = {"increase", "more", "larger", "positively", "affects"}
# Other words for the same: everywhere, and in the question alone.
_SAME = (
    (
        r" (?:directly (?:affects|influences|causes)|has a direct influence on|"
        r"is a direct cause of) ",
        " has a direct effect on ",
    ),
    (r" (?:is|are) (?:not observed|hidden|unmeasured|latent)(?=\.)", " is unobserved"),
    (r"(?<=\d)\s*(?:percent|per cent)\b", "%"),
    (r"\b(the|The) (?:chance|likelihood) of (?=[^.?]+ is \d)", r"\1 probability of "),
    (r"\b(?:Overall|In general), the probability of ", "The overall probability of "),
)
_SAME_ASKED = (
    (r"\b(?:probability|likelihood|odds) of\b", "chance of"),
    (r"^(?:Does|Would|Can|Could) (?=.+ the chance of )", "Will "),
    (r"\b(?:raise|boost) the chance of\b", "increase the chance of"),
    (r"\b(?:lower|reduce) the chance of\b", "decrease the chance of"),
    (r"\b(?:higher|greater) when\b", "larger when"),
    (r"\blower when\b", "smaller when"),
    (r"\bwhen (?:we observe|we see|seeing)\b", "when observing"),
    (r"\b(more|less) probable\b", r"\1 likely"),
    (r"\blikely to observe\b", "likely to see"),
    (r"\b(?:in general|on the whole)$", "overall"),
    (r"\b(?:rise|go up) when\b", "increase when"),
    (r"\b(?:fall|go down) when\b", "decrease when"),
    (
        r"\b(?:ignore|leave out) the (?:mediation|mediated) effect\b",
        "disregard the mediation effect",
    ),
    (r"\b(positively|negatively) influence\b", r"\1 affect"),
    (r"\binfluences\b", "affects"),
    (r"\bdoes not influence\b", "does not affect"),
    (r"\b(?:via|by way of)\b", "through"),
    (r"\b(more|less) (?:right|appropriate) to use\b", r"\1 correct to use"),
)
_EFFECT = re.compile(r"(.+?) (?:has a direct effect on|directly affects) (.+)")
_NUMBER = r"(?P<p>\d+(?:\.\d+)?)\s?%"
_OVERALL = re.compile(rf"The overall probability of (?P<b>.+) is {_NUMBER}")
_GIVEN = re.compile(
    rf"(?:For|Among|In|When|If) (?P<c>.+), the probability of (?P<b>.+) is {_NUMBER}"
)
_JOINT = re.compile(rf"The probability of (?P<b>.+) is {_NUMBER}")
_METHOD = re.compile(r"Method (?P<n>[12]): We look (?P<how>.+)")


@dataclass(frozen=True)
class Table:
    """Consecutive probabilities of one phrase: overall, given conditions, or of joint events."""

    kind: str
    phrase: str
    conditions: tuple[str, ...]
    numbers: tuple[float, ...]


@dataclass(frozen=True)
class Question:
    """What the text says: the graph, hidden nodes, query, its phrases, tables, other sentences."""

    graph: CausalGraph
    hidden: frozenset[str]
    query: str
    upward: bool
    phrases: dict[str, str]
    tables: tuple[Table, ...]
    facts: tuple[str, ...]
    methods: tuple[str, ...]


def read(text: str) -> Question:
    """Return what a question says.

    Raises
    ------
    Unreadable
        When there is no question of a known form, no graph, or a number that is in no known place.
    """
    if not isinstance(text, str):
        raise Unreadable(f"text = {type(text).__name__}: must be text")
    flat = " ".join(text.split())
    for form, plain in _SAME:
        flat = re.sub(form, plain, flat)
    sentences = [s.strip() for s in re.split(r"(?<=[.?])\s+(?=\S)", flat) if s.strip()]
    asked = [s for s in sentences if s.endswith("?")]
    if not asked:
        raise Unreadable("text: must end with a question")
    wanted = asked[-1][:-1]
    for form, plain in _SAME_ASKED:
        wanted = re.sub(form, plain, wanted)
    query, found = _query(wanted)
    edges: list[tuple[str, str]] = []
    hidden: list[str] = []
    tables: list[Table] = []
    facts: list[str] = []
    methods: dict[str, str] = {}
    for sentence in sentences:
        if sentence.endswith("?"):
            continue
        body = sentence.rstrip(".")
        if " has a direct effect on " in body or " directly affects " in body:
            body = body.split(": ")[-1]
            match = _EFFECT.fullmatch(body)
            if match:
                cause = node_name(match[1])
                edges += [(cause, node_name(effect)) for effect in _list(match[2])]
        elif body.endswith(" is unobserved"):
            hidden += [node_name(n) for n in _list(body.removesuffix(" is unobserved"))]
        elif match := _METHOD.match(body):
            methods[match["n"]] = match["how"]
        elif match := _OVERALL.fullmatch(body):
            tables.append(Table("overall", match["b"], (), (_share(match["p"]),)))
        elif match := _GIVEN.fullmatch(body):
            _extend(tables, "given", match["b"], match["c"], _share(match["p"]))
        elif match := _JOINT.fullmatch(body):
            _extend(tables, "joint", "", match["b"], _share(match["p"]))
        elif "%" in body:
            raise Unreadable(f"{body!r}: a number in no known place")
        else:
            facts.append(body)
    if not edges:
        raise Unreadable("text: must tell the graph ('A has a direct effect on B')")
    if query == "backadj" and set(methods) != {"1", "2"}:
        raise Unreadable("text: must tell Method 1 and Method 2")
    graph = _graph(tuple(edges))
    unknown = [n for n in hidden if n not in graph.nodes]
    if unknown:
        raise Unreadable(f"unobserved {unknown}: must be nodes of the graph {graph.nodes}")
    return Question(
        graph,
        frozenset(hidden),
        query,
        found["sign"] in UPWARD if "sign" in found else True,
        found,
        tuple(tables),
        tuple(facts),
        tuple(methods[n] for n in sorted(methods)),
    )


@lru_cache(maxsize=4096)
def _graph(edges: tuple[tuple[str, str], ...]) -> CausalGraph:
    """Return the graph of some arrows: many questions are asked about one."""
    return causal_graph(edges)


def node_name(phrase: str) -> str:
    """Return a name as it is compared: lower case, without an article."""
    return re.sub(r"^the ", "", phrase.strip().lower())


def _query(question: str) -> tuple[str, dict[str, str]]:
    for name, pattern in QUERIES.items():
        match = re.fullmatch(pattern, question)
        if match:
            return name, {k: v.strip() for k, v in match.groupdict().items() if v}
    raise Unreadable(f"{question!r}: must be a question of a known form ({', '.join(QUERIES)})")


def _list(phrase: str) -> list[str]:
    return [p for p in re.split(r",\s*(?:and\s+)?|\s+and\s+", phrase) if p]


def _share(text: str) -> float:
    value = float(text) / 100
    if value > 1:
        raise Unreadable(f"{text} %: must be at most 100")
    return value


def _extend(tables: list[Table], kind: str, phrase: str, condition: str, number: float) -> None:
    last = tables[-1] if tables else None
    if last and (last.kind, last.phrase) == (kind, phrase):
        tables[-1] = Table(kind, phrase, (*last.conditions, condition), (*last.numbers, number))
    else:
        tables.append(Table(kind, phrase, (condition,), (number,)))
