"""A chapter of everything that a page may get wrong, with its outputs but without a kernel."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import altair as alt
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from quire.workbook import charts
from quire.workbook.chapters import Chapter
from quire.workbook.entries import CLAIM_MIME, LedgerTable
from quire.workbook.ledger import read_ledger

CARD = """\
paper: {title: Hard cases, authors: [A. Author], arxiv: "2603.20966", cite: aldaas2026sketching}
topic: hard_cases
part: Machines
summary: Formulas, charts, claims and exercises that a page may get wrong.
profiles: {smoke: {}, default: {}, full: {}}
claims:
  - {id: "98.1", role: claim, says: "The ratio of words sent to words bound is one.",
     where: Theorem 3, kind: value, expect: 1, source: seen, fails_if: it sends a word more}
  - {id: "98.2", role: claim, says: "Nothing <at all> ````is sent.", where: "````", kind: exact,
     expect: 8, source: inferred, fails_if: anything is sent}
  - {id: "98.3", role: claim, says: "There is a crossover where it was predicted.", where: Figure 2,
     kind: bound, expect: {at_most: 3}, source: seen, fails_if: it is elsewhere,
     needs: ["dataset:none"]}
  - {id: "98.4", role: finding, says: "The gap closes beyond the range of the paper.", kind: bound,
     expect: {at_most: 3}, fails_if: the gap stays}
  - {id: "98.5", role: check, says: "Two solvers return the same number.", kind: exact, expect: 2,
     fails_if: one returns another}
  - {id: "98.6", role: claim, says: "The method is faster by half.", where: Section 5, kind: bound,
     expect: {at_most: 0.5}, source: seen, fails_if: it takes longer}
"""

OPENING = r"""# Hard cases

*{cite:t}`aldaas2026sketching`* multiply $B = A\Omega$.

## The model

```{prf:theorem} A wide bound
:label: hard-theorem

For all $P$,

$$
W \ge \left(\frac{n_1 n_2 r}{P}\right)^{2/3} + \sum_{i=1}^{n} \frac{a_i b_i c_i d_i}{e_i f_i g_i}
- \int_0^1 \frac{x^2 + 3 x + 2}{x^4 + 2 x^3 + 3 x^2 + 7} \, dx + \prod_{j} (\alpha_j + \beta_j)
$$ (hard-equation)
```

By {prf:ref}`hard-theorem` and {eq}`hard-equation`, the largest value is {glue:text}`hard-peak`.

```{prf:proof}
Clear for $P = 1$, as a one-time pad is.
```

A one-time pad is used once; who uses a one-time pad twice has none.
"""

EXERCISE = """````{exercise}
:label: hard-exercise

What is $1 + 1$?
````

````{solution} hard-exercise
:class: dropdown

It is $2$.
````

:::{note}
A note, and a table.

| a | b |
| - | - |
| 1 | 2 |
:::
"""


def write_chapter(folder: Path) -> Chapter:
    """Write notebook and card of chapter 98 into ``folder`` and return the chapter."""
    (folder / "98_hard_cases.yml").write_text(CARD, encoding="utf-8")
    glued = new_output(
        "display_data",
        data={"application/papermill.record/text/plain": "0.875"},
        metadata={
            "scrapbook": {"name": "hard-peak", "mime_prefix": "application/papermill.record/"}
        },
    )
    wide = "<table class='dataframe'><tr>" + "<td>column</td>" * 40 + "</tr></table>"
    cells = [
        new_markdown_cell(OPENING, id="opening"),
        new_code_cell("glue(...)", id="glue", outputs=[glued], metadata={"tags": ["remove-cell"]}),
        _cell("plain", "hide-input", curve()),
        _cell("slider", "", slider()),
        _cell("beside", "remove-input", beside()),
        _cell("map", "hide-input", clickable()),
        _cell("many", "hide-input", many()),
        new_code_cell(
            "frame", id="frame", outputs=[new_output("display_data", {"text/html": wide})]
        ),
        new_markdown_cell(EXERCISE, id="exercise"),
    ]
    chapter = Chapter(folder / "98_hard_cases.ipynb")
    cells += _ledger(chapter)
    notebook = new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata["quire"] = {"profile": "default", "seconds": 1.5, "packages": {"numpy": "2"}}
    nbformat.write(notebook, chapter.notebook)
    return chapter


def curve() -> dict[str, Any]:
    """Two lines and a legend, under a title that is long."""
    rows = [{"x": x / 9, "y": (x / 9) ** k, "power": f"x^{k}"} for x in range(10) for k in (2, 3)]
    chart = alt.Chart(
        alt.Data(values=rows),
        title="The square stays above the cube from zero to one, which needs a rather long title",
        description="Two rising curves; the square's is above the cube's.",
    )
    return _themed(
        chart.mark_line().encode(
            alt.X("x:Q", title="x (1)"), alt.Y("y:Q", title="power (1)"), color="power:N"
        )
    )


def slider() -> dict[str, Any]:
    """A curve that a reader bends."""
    bend = alt.param(
        "bend", value=2, bind=alt.binding_range(min=1, max=5, step=0.5, name="exponent (1)")
    )
    chart = alt.Chart(
        alt.Data(values=[{"x": x / 9} for x in range(10)]),
        title="The exponent bends the curve",
        description="A curve of x to an exponent that a slider sets.",
    )
    return _themed(
        chart.mark_line()
        .transform_calculate(y="pow(datum.x, bend)")
        .encode(alt.X("x:Q", title="x (1)"), alt.Y("y:Q", title="power (1)"))
        .add_params(bend)
    )


def beside() -> dict[str, Any]:
    """Two charts side by side, wider than a phone."""
    one = (
        alt.Chart(alt.Data(values=[{"x": 1, "y": 1}, {"x": 2, "y": 4}]), width=300)
        .mark_point()
        .encode(alt.X("x:Q", title="x (1)"), alt.Y("y:Q", title="y </script> (1)"))
    )
    return _themed(
        (one | one).properties(
            title="Two views side by side", description="The same two points, drawn twice."
        )
    )


def clickable() -> dict[str, Any]:
    """A map whose cells answer to a click, and a line that shows the cell chosen."""
    chosen = alt.selection_point(fields=["x", "y"], value=[{"x": 0, "y": 0}], empty=False)
    rows = [{"x": x, "y": y, "value": x * y} for x in range(4) for y in range(3)]
    base = alt.Chart(alt.Data(values=rows)).encode(
        alt.X("x:O", title="x (1)"), alt.Y("y:O", title="y (1)")
    )
    cells = base.mark_rect().encode(
        alt.Color("value:Q", title="product (1)"),
        tooltip=[alt.Tooltip("x:O"), alt.Tooltip("y:O"), alt.Tooltip("value:Q")],
    )
    words = base.mark_text().encode(text=alt.value("chosen")).transform_filter(chosen)
    return _themed(
        (cells.add_params(chosen) + words).properties(
            title="A cell can be chosen", description="Products of two numbers as a map."
        )
    )


def many() -> dict[str, Any]:
    """A legend of many long names, and panels of a facet."""
    rows = [
        {"x": x, "y": x * k, "kind": f"a policy with the long name number {k}", "side": f"side {s}"}
        for x in range(3)
        for k in range(6)
        for s in range(2)
    ]
    lines = (
        alt.Chart(width=260)
        .mark_line()
        .encode(
            alt.X("x:Q", title="x (1)"),
            alt.Y("y:Q", title="y (1)"),
            alt.Color("kind:N", title="kind"),
        )
    )
    return _themed(
        lines.facet(
            facet=alt.Facet("side:N", title="side"), columns=2, data=alt.Data(values=rows)
        ).properties(
            title="Six lines on two sides", description="Six lines that rise, drawn twice."
        )
    )


def _themed(chart: Any) -> dict[str, Any]:
    return {**chart.to_dict(), "config": charts.config(charts.LIGHT)}


def _cell(identifier: str, tag: str, spec: dict[str, Any]) -> Any:
    bundle = charts.mimebundle(spec)
    bundle["image/png"] = base64.b64encode(bundle["image/png"]).decode()
    output = new_output("execute_result", data=bundle, execution_count=1)
    metadata = {"tags": [tag]} if tag else {}
    return new_code_cell("chart", id=identifier, outputs=[output], metadata=metadata)


def _ledger(chapter: Chapter) -> list[Any]:
    """Return cells as they are after measuring the card's claims."""
    stored = [
        {"id": "98.1", "measured": 1.0, "verdict": "reproduced", "reason": ""},
        {"id": "98.2", "measured": 7, "verdict": "not reproduced", "reason": ""},
        {"id": "98.3", "measured": None, "verdict": "not run here", "reason": "needs dataset none"},
        {"id": "98.4", "measured": 5.0, "verdict": "our expectation failed", "reason": ""},
        {"id": "98.5", "measured": 2, "verdict": "holds", "reason": ""},
        {
            "id": "98.6",
            "measured": 0.5,
            "interval": [0.4, 0.6],
            "verdict": "undecided",
            "reason": "",
        },
    ]
    outputs = [new_output("display_data", {CLAIM_MIME: claim}) for claim in stored]
    entries = read_ledger(chapter, new_notebook(cells=[new_code_cell("", outputs=outputs)]))
    shown = [new_output("display_data", entry._repr_mimebundle_()) for entry in entries]
    table = new_output("display_data", {"text/html": LedgerTable(entries)._repr_html_()})
    return [
        new_code_cell("claims.measure(...)", id="measure", outputs=shown[:4]),
        new_markdown_cell("## Checks", id="checks"),
        new_code_cell(
            "claims.measure(...)", id="folded", outputs=shown[4:], metadata={"tags": ["hide-cell"]}
        ),
        new_code_cell("claims.table()", id="table", outputs=[table]),
    ]
