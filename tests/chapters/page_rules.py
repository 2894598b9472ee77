"""The form of a page, as rules: each takes an executed notebook and yields what breaks it."""

import ast
import re
from collections.abc import Iterator
from typing import Any

from nbformat import NotebookNode

from quire.workbook.cards import Card
from quire.workbook.charts import VEGALITE_MIME
from quire.workbook.entries import CLAIM_MIME
from quire.workbook.scaffold import install_cell

HEADINGS = (
    "What the paper says",
    "The idea",
    "The model",
    "The claims, one by one",
    "Held against the world",
    "Explore",
    "What we learned",
    "Exercises",
    "Checks",
    "The ledger",
)
LINES, COLUMNS = 12, 80
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
FENCE = r"(?:`{3,}|:{3,})"
# What a program prints of itself, and nobody wrote for a reader.
RAW = {
    r"\bdtype:": "a pandas series",
    r"\bName: .*, (Length|dtype)": "a pandas series",
    r"\[\d+ rows x \d+ columns\]": "a pandas table",
    r"<NA>|\bNaN\b|\bNaT\b": "an absent value as pandas writes it",
    r"(?m)^\s*(\[\]|\(\)|\{\}|None)\s*$": "an empty collection",
    r"(?<!\w)\((?:'[^']*'|\"[^\"]*\"|-?[\d.]+),(?: |\))": "a tuple",
    r"\barray\(|\bArray\(|\bnp\.\w+\(": "an array",
    r"<[\w.]+ (object )?at 0x": "an object's address",
}


def headings(notebook: NotebookNode, number: str) -> Iterator[str]:
    """The title with the chapter's number; then the fixed sections, in their order."""
    first = notebook.cells[0]
    if not re.match(rf"# {number} · \S", first.source):
        yield f"the first cell does not open with '# {number} · Title'"
    if "{cite" not in first.source:
        yield "the first cell does not cite the paper"
    if len(_headings(notebook, 1)) != 1:
        yield "there is more than one title"
    found = _headings(notebook, 2)
    inside = any("Explore" in heading for heading in _headings(notebook, 3))
    wanted = [h for h in HEADINGS if h != "Explore" or h in found or not inside]
    if found != wanted:
        yield f"the sections are {found}, not {wanted}"


def opening(notebook: NotebookNode) -> Iterator[str]:
    """After the title: installation, parameters, set-up, a few sentences and the one chart."""
    if notebook.cells[1].source != install_cell() or "remove-cell" not in _tags(notebook.cells[1]):
        yield "the second cell does not install what is missing (quire new writes it)"
    cells = notebook.cells[2:]
    if not {"parameters", "hide-input"} <= _tags(cells[0]):
        yield "the third cell is not the folded parameters cell"
    if cells[1].cell_type != "code" or not _tags(cells[1]) & FOLDED:
        yield "the fourth cell is not the folded set-up"
    lead = _before_first_section(cells)
    prose = " ".join(cell.source for cell in lead if cell.cell_type == "markdown")
    sentences = len(re.findall(r"[.!?](?=\s|$)", prose))
    if not 3 <= sentences <= 7:
        yield f"{sentences} sentences before the first section, where 3 to 5 say what was found"
    if not any(_charts(cell) for cell in lead):
        yield "no chart before the first section"


def visible_code(notebook: NotebookNode) -> Iterator[str]:
    """A cell that is seen has at most 12 lines of 80 characters."""
    for cell in _code(notebook):
        if _tags(cell) & FOLDED:
            continue
        lines = cell.source.splitlines()
        if len(lines) > LINES:
            yield f"cell {cell.id} has {len(lines)} lines, {LINES} are allowed"
        longest = max(map(len, lines), default=0)
        if longest > COLUMNS:
            yield f"cell {cell.id} has a line of {longest} characters, {COLUMNS} are allowed"


def folded_code(notebook: NotebookNode) -> Iterator[str]:
    """Set-up, plotting cells and all checks are folded; clocks are tagged volatile."""
    section = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            section = ([section, *_headings_of(cell, 2)])[-1]
            continue
        tags = _tags(cell)
        if _charts(cell) and not tags & FOLDED:
            yield f"cell {cell.id} draws a chart and is not tagged hide-input"
        if re.search(r"\bbegin\(|^import |^from ", cell.source, flags=re.M) and not tags & FOLDED:
            yield f"cell {cell.id} sets up and is not tagged hide-input"
        if section == "Checks" and not tags & FOLDED:
            yield f"cell {cell.id} stands under Checks and is not folded"


def volatile_clocks(notebook: NotebookNode, card: Card) -> Iterator[str]:
    """A target is about speed: the cell that measures one is tagged volatile."""
    targets = {claim.id for claim in card.claims if claim.role == "target"}
    for cell in _code(notebook):
        stored = {o.get("data", {}).get(CLAIM_MIME, {}).get("id") for o in cell.outputs}
        if stored & targets and "volatile" not in _tags(cell):
            yield f"cell {cell.id} measures a target and is not tagged volatile"


def readable_output(notebook: NotebookNode) -> Iterator[str]:
    """No reader meets what a program prints of itself."""
    for cell in _code(notebook):
        if _tags(cell) & {"remove-cell", "remove-output"}:
            continue
        for output in cell.outputs:
            yield from (f"cell {cell.id} shows {what}" for what in _raw(output))


def exercises(notebook: NotebookNode) -> Iterator[str]:
    """An exercise, a cell that checks the answer, and its solution folded in a cell of its own."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    asked = re.findall(rf"^{FENCE}\{{exercise", text, flags=re.M)
    if not asked:
        yield "there is no exercise"
    checks = [cell for cell in _code(notebook) if "check_answer(" in cell.source]
    if len(checks) != len(asked):
        yield f"{len(asked)} exercises, {len(checks)} cells that check an answer"
    for cell in checks:
        if not re.search(r"^\w+ *= *None\b", cell.source, flags=re.M):
            yield f"cell {cell.id} does not start from an open answer (answer = None)"
        if not re.search(r"check_answer\(\s*\w+,\s*exercises\.\w+\s*\)", cell.source):
            yield f"cell {cell.id} does not hold an answer against exercises.NAME"
        if re.search(r"^\s*assert\b", cell.source, flags=re.M):
            yield f"cell {cell.id} asserts, and shows what is right"
    solutions = [cell for cell in notebook.cells if re.search(rf"{FENCE}\{{solution", cell.source)]
    if len(solutions) != len(asked):
        yield f"{len(asked)} exercises, {len(solutions)} cells with a solution"
    for cell in solutions:
        alone = re.fullmatch(rf"({FENCE})\{{solution(-start)?\}}.*\1\s*", cell.source, flags=re.S)
        if not alone or len(re.findall(rf"{FENCE}\{{solution", cell.source)) > 1:
            yield f"cell {cell.id} holds more than one solution"
        if not re.search(r"^:class: .*dropdown", cell.source, flags=re.M):
            yield f"cell {cell.id} shows its solution unfolded"


def ledgers(notebook: NotebookNode, card: Card) -> Iterator[str]:
    """Claims and findings in one table; checks and targets in another."""
    calls = [
        [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
        for cell in _code(notebook)
        for node in ast.walk(_parsed(cell))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") == "table"
        and getattr(getattr(node.func, "value", None), "id", "") == "claims"
    ]
    roles = {claim.role for claim in card.claims}
    for pair in (["claim", "finding"], ["check", "target"]):
        if roles & set(pair) and pair not in calls:
            yield f"no ledger of {pair[0]}s and {pair[1]}s: claims.table{tuple(pair)}"


def claims_are_sentences(card: Card) -> Iterator[str]:
    """Each claim is a sentence that can be read alone (the card's schema asks for the rest)."""
    for claim in card.claims:
        if not re.match(r"[A-Z0-9\"'(*$`]", claim.says) or len(claim.says.split()) < 5:
            yield f"claim {claim.id} is no whole sentence: {claim.says!r}"
        if re.match(
            r"(The same (for|on|at|in|with|as|prediction)|As above|Likewise)\b", claim.says
        ):
            yield f"claim {claim.id} cannot be read alone: {claim.says!r}"


def nothing_typed(notebook: NotebookNode) -> Iterator[str]:
    """A measurement that names nothing computed would be a verdict typed by hand."""
    for cell in _code(notebook):
        for node in ast.walk(_parsed(cell)):
            if not (isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "measure"):
                continue
            values = [*node.args[1:2], *(k.value for k in node.keywords if k.arg == "value")]
            for value in values:
                if not any(isinstance(part, ast.Name) for part in ast.walk(value)):
                    yield f"cell {cell.id} measures the literal {ast.unparse(value)}"


def legends_below(notebook: NotebookNode) -> Iterator[str]:
    """The legend of a chart stands below it, where no column cuts it."""
    for cell in _code(notebook):
        for spec in _charts(cell):
            default = spec.get("config", {}).get("legend", {}).get("orient", "right")
            for legend in _legends(spec):
                orient = legend.get("orient", default)
                if orient not in ("bottom", "none"):
                    yield f"cell {cell.id} has a legend at the {orient}"


def _headings(notebook: NotebookNode, level: int) -> list[str]:
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found += _headings_of(cell, level)
    return found


def _headings_of(cell: NotebookNode, level: int) -> list[str]:
    outside = re.sub(r"(?ms)^(`{3,}|:{3,}).*?^\1", "", cell.source)
    return re.findall(rf"^#{{{level}}} (.+?)\s*$", outside, flags=re.M)


def _before_first_section(cells: list[NotebookNode]) -> list[NotebookNode]:
    lead: list[NotebookNode] = []
    for cell in cells:
        if cell.cell_type == "markdown" and _headings_of(cell, 2):
            break
        lead.append(cell)
    return lead


def _code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _parsed(cell: NotebookNode) -> ast.Module:
    try:
        return ast.parse(cell.source)
    except SyntaxError:
        return ast.parse("")


def _tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def _charts(cell: NotebookNode) -> list[dict[str, Any]]:
    return [
        output.data[VEGALITE_MIME]
        for output in cell.get("outputs", [])
        if VEGALITE_MIME in output.get("data", {})
    ]


def _legends(spec: Any) -> Iterator[dict[str, Any]]:
    """Yield the legend of every channel that draws one, however deep the chart nests."""
    if isinstance(spec, list):
        for item in spec:
            yield from _legends(item)
    elif isinstance(spec, dict):
        for name, channel in spec.get("encoding", {}).items():
            drawn = name in ("color", "fill", "stroke", "shape", "size", "opacity", "strokeDash")
            if drawn and isinstance(channel, dict) and ("field" in channel or "legend" in channel):
                legend = channel.get("legend", {})
                if legend is not None:
                    yield legend
        for key in ("layer", "concat", "hconcat", "vconcat", "spec"):
            yield from _legends(spec.get(key))


def _raw(output: NotebookNode) -> Iterator[str]:
    if output.output_type == "stream":
        if output.name == "stderr":
            yield "what was written to stderr"
        yield from _patterns(output.text)
        return
    data = output.get("data", {})
    if CLAIM_MIME in data or any(name.startswith("application/") for name in data):
        return
    if set(data) == {"text/plain"}:
        yield f"the bare value {data['text/plain'][:40]}"
    if 'class="dataframe"' in data.get("text/html", ""):
        yield "a table as pandas draws it (use workbook.show)"
    yield from _patterns(re.sub(r"<[^>]*>", " ", data.get("text/html", "")))


def _patterns(text: str) -> Iterator[str]:
    for pattern, what in RAW.items():
        found = re.search(pattern, text)
        if found:
            yield f"{what}: {found.group().strip()[:40]}"
