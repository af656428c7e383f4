"""The verdicts on one slide: a row per claim, a cell per reading, the word on every stretch of them."""

import pandas as pd
import pytest
from matplotlib.patches import Rectangle
from PIL import Image

from derainbench.catalog.audited_papers import read_audited_paper
from derainbench.catalog.cells.claims import claim_of
from derainbench.catalog.cells.format import PrintedCell
from derainbench.catalog.claim_kinds import BRANCHES
from derainbench.catalog.verdicts import Outcome
from derainbench.report.figures import verdicts
from derainbench.report.figures.style import save, style
from derainbench.report.figures.verdicts import LOOKS, Segment, rows_of, verdict_figure

PAPER = read_audited_paper("esdnet")


def judged(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["claim", "verdict", "reason"])


FOUND = judged(
    ("energy-54", "not testable here", "a"),
    ("energy-54", "contradicted", "b"),
    ("energy-54", "contradicted", "c"),
    ("comparable", "deviates", "scaled down: d"),
    ("comparable", "reproduced", "second-hand report: scaled down: e"),
    ("comparable", "undecided", "f"),
    ("no-released-library", "reproduced", "g"),
)


def texts(figure) -> list[str]:
    return [t.get_text() for t in (*figure.axes[0].texts, *figure.texts)]


def cells(figure) -> list[Rectangle]:
    return [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]


def test_rows_are_claims_by_branch_and_their_readings_stand_together_by_word():
    rows = rows_of(PAPER, FOUND)
    assert [row.branch for row in rows] == ["accuracy", "energy", "code"]
    assert rows[0].text == "PSNR and SSIM comparable to those of ANN methods"
    assert rows[0].segments == (
        Segment(Outcome.REPRODUCED, True, 1),
        Segment(Outcome.DEVIATES, True, 1),
        Segment(Outcome.UNDECIDED, False, 1),
    )
    assert rows[1].segments == (
        Segment(Outcome.CONTRADICTED, False, 2),
        Segment(Outcome.NOT_TESTABLE, False, 1),
    )


def test_a_cell_per_reading_and_the_word_on_it():
    with style():
        figure = verdict_figure(rows_of(PAPER, FOUND), "A paper")
    assert len(cells(figure)) == len(FOUND)
    shown = texts(figure)
    for words in (
        "A paper",
        "✗ contradicted ×2",
        "– not testable here",
        "≈ deviates†",
        "? undecided",
    ):
        assert words in shown, words
    assert any("smaller network" in text for text in shown)
    widths = {round(cell.get_width(), 6) for cell in cells(figure)[:3]}
    assert len(widths) == 1  # readings of one claim are equally wide
    assert f"Accuracy: {BRANCHES['accuracy']}" in shown


def test_where_a_word_does_not_fit_its_symbol_stands():
    many = judged(*[("energy-54", "contradicted", "")] * 30, ("energy-54", "undecided", ""))
    with style():
        figure = verdict_figure(rows_of(PAPER, many), "A paper")
    assert "?" in texts(figure) and "✗ contradicted ×30" in texts(figure)


def test_the_cells_of_one_table_share_a_row():
    cells_of = [
        PrintedCell(table="table-1", method=m, dataset="Rain200H", metric="psnr", value=30, unit="dB",
                    protocol="unstated", source="invented, Table 1")
        for m in ("ESDNet", "PReNet")
    ]  # fmt: skip
    claims = tuple(map(claim_of, cells_of))
    ledger = PAPER.ledger.model_copy(update={"cells": claims})
    paper = PAPER.model_copy(update={"ledger": ledger, "transcribed": tuple(cells_of)})
    found = judged((claims[0].id, "deviates", ""), (claims[1].id, "reproduced", ""))
    [row] = rows_of(paper, found)
    assert row.text == "Table 1: PSNR and SSIM on paired test sets (2 cells)"
    assert [(s.outcome, s.readings) for s in row.segments] == [("reproduced", 1), ("deviates", 1)]


@pytest.mark.parametrize("claims", [1, 15])
@pytest.mark.parametrize("title", ["T", "W" * 60 + "i" * 60], ids=["short", "long"])
def test_the_picture_has_the_shape_of_a_slide(tmp_path, claims, title):
    names = [claim.id for claim in PAPER.ledger.all()][:claims]
    with style():
        figure = verdict_figure(
            rows_of(PAPER, judged(*[(n, "deviates", "") for n in names])), title
        )
        save(figure, tmp_path / "verdicts", ("png",))
    with Image.open(tmp_path / "verdicts.png") as image:
        assert image.width / image.height == pytest.approx(16 / 9, abs=0.01)


def _luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    from matplotlib.colors import to_rgb

    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_words_can_be_read_on_their_colours():
    assert set(LOOKS) == set(Outcome)
    for fill, text, _ in LOOKS.values():
        bright, dark = sorted((_luminance(fill), _luminance(text)), reverse=True)
        assert (bright + 0.05) / (dark + 0.05) >= 3  # WCAG 2.2, bold text of 14 points or more


def test_the_symbols_are_those_of_the_page():
    from derainbench.report.page.verdict_list import SYMBOLS

    assert {outcome: look[2] for outcome, look in LOOKS.items()} == SYMBOLS
    assert verdicts.DAGGER not in SYMBOLS.values()
