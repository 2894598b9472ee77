"""May code be changed? Static analysis, obligations, a sandbox, and the old answers, in this order.

A modification is the source of one pure function ``step(x, u)`` of a nano model, with the rule set
that would go with it. Whatever is not on the list of allowed syntax is refused before it runs.
"""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from quire.world_model.kernel.obligations import Rules, weakening

STAGES = ("static", "obligations", "sandbox", "regression")
_NODES = (
    ast.Module,
    ast.FunctionDef,
    ast.arguments,
    ast.arg,
    ast.Return,
    ast.Assign,
    ast.Name,
    ast.Load,
    ast.Store,
    ast.Constant,
    ast.BinOp,
    ast.UnaryOp,
    ast.Compare,
    ast.IfExp,
    ast.Call,
    ast.Expr,
    ast.BoolOp,
    ast.Tuple,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.USub,
    ast.UAdd,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.And,
    ast.Or,
)
_CALLS = {"abs", "min", "max"}
POINTS = tuple((x / 4, u / 2) for x in range(0, 40) for u in range(-4, 5))
_RUN = r"""
import json, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (2, 2))
resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
for line in sys.stdin:
    task = json.loads(line)
    space = {"__builtins__": {"abs": abs, "min": min, "max": max}}
    try:
        exec(compile(task["source"], "step", "exec"), space)
        out = [float(space["step"](x, u)).hex() for x, u in task["points"]]
    except Exception as fault:
        out = type(fault).__name__
    sys.stdout.write(json.dumps(out) + "\n")
    sys.stdout.flush()
"""


@dataclass(frozen=True)
class Verdict:
    """Whether a modification passed, the stage that refused it, and why."""

    passed: bool
    stage: str
    reason: str

    def verification(self) -> dict[str, bool]:
        """Return what the kernel is told: which stages were passed."""
        reached = len(STAGES) if self.passed else STAGES.index(self.stage)
        return {stage: k < reached for k, stage in enumerate(STAGES)}


class Sandbox:
    """A process that runs allowed functions under limits of time, memory, files and file sizes."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="quire-sandbox-")

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *fault: object) -> None:
        self._stop()
        self._folder.cleanup()

    def run(self, source: str) -> list[str] | str:
        """Return the values at the regression's points, or the name of what went wrong."""
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _RUN],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=self._folder.name,
                env={},
                text=True,
            )
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"source": source, "points": POINTS}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = ""
        return json.loads(line) if line else "killed"

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def static_fault(source: str) -> str | None:
    """Return what is not allowed about a source, None where all is."""
    if not isinstance(source, str) or len(source) > 4000:
        return "longer than 4,000 characters"
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as fault:
        return type(fault).__name__
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    if len(tree.body) != 1 or len(functions) != 1 or functions[0].name != "step":
        return "must be the function step alone"
    step = functions[0]
    names = [a.arg for a in step.args.args]
    plain = not (
        step.decorator_list
        or step.args.defaults
        or step.args.kwonlyargs
        or step.args.vararg
        or step.args.kwarg
        or step.args.posonlyargs
        or step.returns
    )
    if names != ["x", "u"] or not plain or any(a.annotation for a in step.args.args):
        return "must be step(x, u)"
    for node in ast.walk(tree):
        if not isinstance(node, _NODES):
            return type(node).__name__
        if isinstance(node, ast.FunctionDef) and node is not step:
            return "a function in a function"
        if isinstance(node, ast.Name) and node.id.startswith("_"):
            return f"the name {node.id}"
        if isinstance(node, ast.Constant) and not (
            isinstance(node.value, int | float) and not isinstance(node.value, bool)
        ):
            return "a constant that is no number"
        if isinstance(node, ast.Call) and (
            not isinstance(node.func, ast.Name) or node.func.id not in _CALLS or node.keywords
        ):
            return "a call"
    return None


def verify(source: str, new: Rules, core: Rules, expected: str, sandbox: Sandbox) -> Verdict:
    """Return the verdict on a modification, and the first stage that refuses it.

    Parameters
    ----------
    source
        The function.
    new, core
        The rules that come with it, and the frozen ones.
    expected
        `regression_hash` of the answers that must not change.
    sandbox
        Where the function runs.
    """
    fault = static_fault(source)
    if fault:
        return Verdict(False, "static", fault)
    if new.domain != core.domain:
        return Verdict(False, "obligations", "other attributes")
    weaker = weakening(core, new)
    if weaker is not None:
        return Verdict(False, "obligations", f"allows {weaker}")
    values = sandbox.run(source)
    if isinstance(values, str):
        return Verdict(False, "sandbox", values)
    if regression_hash(values) != expected:
        return Verdict(False, "regression", "other answers")
    return Verdict(True, "", "")


def regression_hash(values: list[str]) -> str:
    """Return the hash of answers, whose zeros have no sign."""
    rounded = [
        "0x0.0p+0" if float.fromhex(v) == 0.0 else f"{float.fromhex(v):.12e}" for v in values
    ]
    return hashlib.sha256(",".join(rounded).encode()).hexdigest()
