"""Results that grew over several versions: not every run was scored under every protocol."""

import pandas as pd
import pytest
from invented import results

from derainbench.catalog.protocols import protocol_names
from derainbench.report.tables.quality import quality
from derainbench.results.scores import read_scores

OLDER = ["esdnet", "matlab-uint8", "matlab-double", "rgb"]


@pytest.fixture
def grown(tmp_path, monkeypatch):
    """A configuration one of whose runs was scored before the newer protocols were known."""
    monkeypatch.chdir(tmp_path)
    config = results(tmp_path, ("scores",))
    for file in (tmp_path / config.results / "scores" / "nafnet").rglob("per_image.csv"):
        table = pd.read_csv(file)
        table[table["protocol"].isin(OLDER)].to_csv(file, index=False)
    return config


def test_runs_are_compared_under_the_protocols_that_all_were_scored_under(grown):
    scores = read_scores(grown)
    assert set(protocol_names()) > set(OLDER)
    assert {tuple(of_run) for _, of_run in scores.groupby("run")["protocol"].unique().items()} == {
        tuple(OLDER)
    }
    assert scores.index.tolist() == list(range(len(scores)))


def test_the_table_of_scores_has_every_run_and_no_empty_cell(grown):
    frame = quality(grown).frame
    assert {"nafnet", "esdnet"} <= set(grown.runs)
    columns = [name for name in frame if name.startswith(("psnr_", "ssim_")) and "std" not in name]
    assert len(columns) == 2 * len(OLDER) and frame[columns].notna().all(axis=None)
