"""Tables as Markdown and LaTeX, and figures, hold any text that a person may write."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from derainbench.foundation.frames import as_markdown
from derainbench.report.figures.style import save, style
from derainbench.report.tables.latex import latex, latex_escaped
from derainbench.report.tables.table import Table

AWKWARD = ["a | b", "two\nlines", "\\textbf{x}", "50 % & #1_2", "~^$", "<b>&amp;</b>", "雨", ""]


@pytest.mark.parametrize("text", AWKWARD)
def test_a_cell_of_any_text_stays_one_cell(text):
    rows = as_markdown(pd.DataFrame({"title": [text], "PSNR": [1.5]})).splitlines()
    assert len(rows) == 3
    bars = rows[-1].replace(r"\|", "").count("|")
    assert bars == rows[0].count("|") == 3


def test_a_heading_of_any_text_stays_one_cell():
    heading = as_markdown(pd.DataFrame({"a | b": [1]})).splitlines()[0]
    assert heading.replace(r"\|", "").count("|") == 2


@pytest.mark.parametrize("text", AWKWARD)
def test_latex_sees_no_command_in_a_title(text):
    view = pd.DataFrame({"method": [text.replace("\n", " ")]})
    written = latex(Table("t", text.replace("\n", " "), view, view), "tab:t")
    for command in ("\\textbf{", "{x}"):
        assert command not in written
    assert latex_escaped("\\{}") == r"\textbackslash{}\{\}"


@pytest.mark.parametrize("text", [r"a $ b^{ $ _x_ \frac", "$x$", *AWKWARD])
def test_a_figure_shows_any_title_as_it_is(tmp_path, text):
    with style():
        figure, axes = plt.subplots()
        axes.set_title(text)
        axes.plot([1, 2], label=text)
        axes.legend()
        save(figure, tmp_path / "figure", ("svg", "png"))
    assert (tmp_path / "figure.png").stat().st_size > 1000
