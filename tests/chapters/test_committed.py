"""What every committed chapter owes its reader, told from the files alone."""

import re

import yaml

from quire.workbook import charts
from quire.workbook.chapters import Chapter
from quire.workbook.home import home
from quire.workbook.ledger import faults
from quire.workbook.parameters import declared, resolve


def test_its_ledger_is_complete(chapter: Chapter) -> None:
    assert faults(chapter) == ()


def test_every_cell_was_executed_without_error(chapter: Chapter) -> None:
    for cell in chapter.read().cells:
        if cell.cell_type == "code":
            assert cell.execution_count is not None, cell.source
            assert all(output.output_type != "error" for output in cell.outputs)


def test_every_parameter_is_documented_and_every_profile_fits(chapter: Chapter) -> None:
    parameters = declared(chapter)
    assert parameters
    for parameter in parameters.values():
        assert parameter.help, f"{parameter.name} says nothing of itself"
        parameter.check(parameter.default)
    for profile in chapter.card.profiles:
        resolve(chapter, {}, profile)
    assert set(chapter.card.parameters) <= set(parameters)


def test_it_uses_its_topic_and_cites_its_paper(chapter: Chapter) -> None:
    cells = chapter.read().cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    assert re.search(rf"quire(\.| import ){chapter.card.topic}\b", code)
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    cited = set(re.findall(r"\{cite:[a-z]+\}`([^`]+)`", prose))
    keys = {key.strip() for group in cited for key in group.split(",")}
    bibliography = (home() / "book" / "references.bib").read_text(encoding="utf-8")
    known = set(re.findall(r"^@\w+\{([^,]+),", bibliography, flags=re.M))
    assert chapter.card.paper.cite in keys
    assert keys <= known
    assert chapter.card.paper.arxiv in bibliography


def test_it_stands_in_the_table_of_contents_under_its_part(chapter: Chapter) -> None:
    toc = yaml.safe_load((home() / "_toc.yml").read_text(encoding="utf-8"))
    parts = {
        part["caption"]: [entry.get("file") for entry in part["chapters"]] for part in toc["parts"]
    }
    assert f"notebooks/{chapter.slug}" in parts[chapter.part]


def test_every_chart_says_what_it_shows(chapter: Chapter) -> None:
    shown = [
        output.data[charts.VEGALITE_MIME]
        for cell in chapter.read().cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if charts.VEGALITE_MIME in output.get("data", {})
    ]
    assert shown, "a chapter without a chart"
    for spec in shown:
        assert charts.problems(spec) == ()


def test_no_output_names_a_path_of_the_machine(chapter: Chapter) -> None:
    text = chapter.notebook.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.:/-])/(home|root|tmp|work|Users)/", text)
