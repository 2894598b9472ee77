"""What the pages load: Vega, MathJax and the charts' themes, all from beside the pages."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import vl_convert

from quire.workbook import charts

# Of MathJax's 24 MB, what a page with TeX and CHTML output asks for.
_MATHJAX = ("tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions")


def stage_themes(static: Path) -> None:
    """Write the charts' two configurations as a script into ``static``, which every page loads."""
    themes = {"light": charts.config(charts.LIGHT), "dark": charts.config(charts.DARK)}
    script = (
        f"window.quireChartThemes = {json.dumps(themes, sort_keys=True)};\n"
        f"window.quireDarkTones = {json.dumps(charts.DARK_TONES, sort_keys=True)};\n"
    )
    (static / "quire-chart-themes.js").write_text(script, encoding="utf-8")


def write_assets(static: Path) -> None:
    """Write Vega and MathJax into ``static`` of the rendered pages.

    They come after rendering, because jupyter-book makes every page load whatever script it finds
    among the sources, and a page without charts has no use for Vega.
    """
    # The bundle's own names must not become the page's: three are enough.
    names = "window.vegaEmbed = vegaEmbed; window.vega = vega; window.vegaLite = vegaLite;"
    bundle = vl_convert.javascript_bundle(names)
    (static / "quire-vega.js").write_text(f"(() => {{\n{bundle}\n}})();\n", encoding="utf-8")
    # The package's name has dashes, and importing it would import all of Sphinx.
    found = importlib.util.find_spec("sphinx-mathjax-offline")
    assert found is not None and found.origin is not None, "sphinx-mathjax-offline is a dependency"
    source = Path(found.origin).parent / "static" / "mathjax"
    for name in _MATHJAX:
        target = static / "mathjax" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(source / name, target)
