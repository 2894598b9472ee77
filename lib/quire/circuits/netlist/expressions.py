"""Expressions of decks: ``{2*r0 + 1k}``, ``'sqrt(x)'`` and the right sides of B sources.

Grammar and precedence are ngspice's, which reads parameters and B sources by two parsers of its
own. Both take powers from left to right, ``2^3^2`` being 64. A minus sign after an operator binds
tightest among parameters (``2*-2^2`` is 8) and below powers in a B source (-8).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from quire.circuits.netlist.numbers import parse_number

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[a-z]*)|(?P<name>[a-z_][\w.#:\[\]]*)"
    r"|(?P<mark>\*\*|<=|>=|==|!=|<>|&&|\|\||[-+*/\\%^<>!?:(),{}=]))"
)
_LEVELS = (
    ("||",), ("&&",), ("==", "!=", "<>"), ("<", ">", "<=", ">="), ("+", "-"), ("*", "/", "%", "\\"),
)  # fmt: skip
_DEEPEST = 200


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True)
class Name:
    """A parameter, or ``time``."""

    name: str


@dataclass(frozen=True)
class Probe:
    """A voltage between two nodes, or a current through a named element."""

    kind: str  # v or i
    names: tuple[str, ...]


@dataclass(frozen=True)
class Call:
    """A function of expressions; operators are functions named by their sign."""

    name: str
    arguments: tuple["Expression", ...]


Expression = Number | Name | Probe | Call


def parse_expression(text: str, *, probes: bool = False) -> Expression:
    """Return an expression as a tree.

    Parameters
    ----------
    text
        What stands between braces or quotes.
    probes
        Read as a B source: ``v(a)``, ``v(a,b)`` and ``i(v1)`` are probes.

    Raises
    ------
    ValueError
        With the place at which the text stops making sense.
    """
    return _Parser(text, probes).whole()


class _Parser:
    def __init__(self, text: str, probes: bool) -> None:
        self.text, self.probes, self.depth = text, probes, 0
        self.tokens: list[tuple[str, str]] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise ValueError(f"{text!r}: {text[position:].strip()[:12]!r} is not understood")
            kind = str(match.lastgroup)
            word = match[kind]
            position = match.end()
            if kind == "number" and not probes and re.search(r"\dmil", word):
                raise ValueError(f"{word!r}: ngspice takes mil for milli here, write it out")
            if kind == "number" and re.match(r"[\w.]", text[position : position + 1]):
                raise ValueError(f"{text!r}: {word + text[position]!r} is no number here")
            self.tokens.append((kind, word))
        self.at = 0

    def whole(self) -> Expression:
        found = self.choice()
        if self.at < len(self.tokens):
            raise self.fault(f"{self.tokens[self.at][1]!r} is left over")
        return found

    def fault(self, why: str) -> ValueError:
        return ValueError(f"{self.text.strip()!r}: {why}")

    def peek(self) -> str:
        """Return the next token's text where it is a mark, else nothing."""
        if self.at < len(self.tokens) and self.tokens[self.at][0] == "mark":
            return self.tokens[self.at][1]
        return ""

    def take(self, *marks: str) -> str:
        found = self.peek()
        if found and found in marks:
            self.at += 1
            return found
        return ""

    def expect(self, mark: str) -> None:
        if not self.take(mark):
            raise self.fault(f"{mark!r} is missing")

    def choice(self) -> Expression:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.fault("nests too deeply")
        found = self.binary(0)
        if self.take("?"):
            first = self.branch()
            self.expect(":")
            found = Call("ternary_fcn", (found, first, self.branch()))
        self.depth -= 1
        return found

    def branch(self) -> Expression:
        """Return what stands on one side of a colon."""
        start = self.at
        found = self.choice()
        nested = isinstance(found, Call) and found.name == "ternary_fcn"
        # ngspice reads 1?0?1:2:3 as 1 among parameters, whatever that may mean
        if nested and not self.probes and self.tokens[start][1] not in ("(", "ternary_fcn"):
            raise self.fault("a choice within a choice needs parentheses")
        return found

    def binary(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self.signed()
        left = self.binary(level + 1)
        while mark := self.take(*_LEVELS[level]):
            left = Call("!=" if mark == "<>" else mark, (left, self.binary(level + 1)))
        return left

    def signed(self) -> Expression:
        first = self.at == 0 or self.tokens[self.at - 1][1] in ("(", ",", "{", "?", ":")
        mark = self.take("-", "+", "!")
        if not mark:
            return self.power(self.operand())
        if mark == "!":
            return Call("!", (self.signed(),))
        if self.probes or first:
            inner = self.signed()
        else:  # the sign belongs to the operand before any power
            inner = self.signed() if self.peek() in ("-", "+", "!") else self.operand()
            return self.power(Call("negate", (inner,)) if mark == "-" else inner)
        return Call("negate", (inner,)) if mark == "-" else inner

    def power(self, base: Expression) -> Expression:
        while self.take("^", "**"):
            minus = self.take("-", "+")
            exponent = self.operand()
            base = Call("^", (base, Call("negate", (exponent,)) if minus == "-" else exponent))
        return base

    def operand(self) -> Expression:
        for opening, closing in (("(", ")"), ("{", "}")):
            if self.take(opening):
                inner = self.choice()
                self.expect(closing)
                return inner
        if self.at >= len(self.tokens):
            raise self.fault("ends too early")
        kind, word = self.tokens[self.at]
        if kind == "mark":
            raise self.fault(f"{word!r} stands where a value is needed")
        self.at += 1
        if kind == "number":
            return Number(parse_number(word))
        if self.peek() != "(":
            return Name(word)
        self.at += 1
        if self.probes and word in ("v", "i"):
            return self.probe(word)
        arguments = [] if self.peek() == ")" else [self.choice()]
        while self.take(","):
            arguments.append(self.choice())
        self.expect(")")
        return Call(word, tuple(arguments))

    def probe(self, kind: str) -> Expression:
        names = []
        while True:
            if self.at >= len(self.tokens) or self.tokens[self.at][0] == "mark":
                raise self.fault(f"{kind}() needs a name")
            # a node's name may begin with a digit
            name = self.tokens[self.at][1]
            self.at += 1
            names.append(name)
            if not self.take(","):
                break
        self.expect(")")
        if len(names) > (2 if kind == "v" else 1):
            raise self.fault(f"{kind}() has too many names")
        return Probe(kind, tuple(names))


Leaf = Callable[[Name | Probe | Call], Expression]


def replaced(expression: Expression, leaf: Leaf) -> Expression:
    """Return the tree with every name, probe and call passed through ``leaf``, innermost first."""
    if isinstance(expression, Number):
        return expression
    if isinstance(expression, Call):
        inner = tuple(replaced(part, leaf) for part in expression.arguments)
        return leaf(Call(expression.name, inner))
    return leaf(expression)


def probes_of(expression: Expression) -> tuple[Probe, ...]:
    """Return the probes of a tree in the order of first use."""
    found: dict[Probe, None] = {}

    def visit(part: Expression) -> None:
        if isinstance(part, Probe):
            found.setdefault(part)
        elif isinstance(part, Call):
            for inner in part.arguments:
                visit(inner)

    visit(expression)
    return tuple(found)


def names_of(expression: Expression) -> set[str]:
    """Return the names of a tree."""
    if isinstance(expression, Name):
        return {expression.name}
    if isinstance(expression, Call):
        return set().union(*(names_of(part) for part in expression.arguments))
    return set()
