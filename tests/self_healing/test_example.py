"""The example of the package's docstring says what it gives."""

import ast
import textwrap
from typing import Any

import quire.self_healing


def test_the_example_gives_what_its_comments_say() -> None:
    text = (
        (quire.self_healing.__doc__ or "").split("::\n\n", 1)[1].split("\n\nRead in this order")[0]
    )
    code = textwrap.dedent(text)
    names: dict[str, Any] = {}
    checked = 0
    for node in ast.parse(code).body:
        line = code.splitlines()[(node.end_lineno or 0) - 1]
        source = ast.get_source_segment(code, node) or ""
        if "  # " in line:
            given = source.split(" = ", 1)[1] if isinstance(node, ast.Assign) else source
            value = eval(given, names)
            assert value == ast.literal_eval(line.split("  # ", 1)[1])
            checked += 1
        exec(source, names)
    assert checked == 5
