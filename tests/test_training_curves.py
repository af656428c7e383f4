"""The figure of a training shows what its history says."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from helpers import ROOT

from derainbench.config import schema
from derainbench.foundation.files import write_text
from derainbench.report.figures.training_curves import training_figure
from derainbench.report.figures.training_figures import run_figures, write_figures
from derainbench.results.expected import training_figures
from derainbench.results.layout import layout_of

HISTORY = pd.DataFrame(
    {
        "epoch": [0, 1, 2, 3],
        "loss": [0.4, 0.3, 0.2, 0.1],
        "selection_psnr_rgb": [None, 22.0, None, 21.0],
        "monitored_psnr_rgb": [None, 19.0, None, 20.0],
        "rate:down.neuron": [None, 0.5, None, 0.25],
        "rate:up.neuron": [None, 0.0, None, 0.0],
    }
)


def lines(axes) -> list[tuple[list, list]]:
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]


def test_loss_scores_and_rates_are_drawn_over_the_epochs():
    loss, scores, rates = training_figure({"seed-1": HISTORY}, "made up").axes
    assert lines(loss) == [([0, 1, 2, 3], [0.4, 0.3, 0.2, 0.1])]
    chosen = ([1], [22.0])
    assert lines(scores)[:3] == [([1, 3], [22.0, 21.0]), ([1, 3], [19.0, 20.0]), chosen]
    assert lines(rates) == [([1, 3], [0.5, 0.25]), ([1, 3], [0.0, 0.0])]
    plt.close("all")


def test_a_network_without_spikes_has_no_panel_of_rates():
    seeds = {f"seed-{i}": HISTORY.filter(regex="^(?!rate|monitored)") for i in (1, 2)}
    loss, scores = training_figure(seeds, "made up").axes
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["seed-1", "seed-2"]
    assert scores.get_legend() is None
    plt.close("all")


def test_every_run_that_is_trained_has_its_figure(tmp_path, monkeypatch):
    config = schema.load(ROOT / "tests" / "killed.yaml")
    monkeypatch.chdir(tmp_path)
    for run in ("spiking", "analog"):
        history = layout_of(config).training(run, "seed-1234") / "history.csv"
        write_text(history, HISTORY.to_csv(index=False))
    write_figures(config, tmp_path / "out")
    names = ["training-spiking", "training-analog"]
    assert [figure.name for figure in run_figures(config)] == names == training_figures(config)
    for name in names:
        assert (tmp_path / "out" / f"{name}.svg").stat().st_size > 1000
        assert "history.csv" in (tmp_path / "out" / f"{name}.svg.provenance.json").read_text()
    assert "SMOKE" in (tmp_path / "out" / f"{names[0]}.svg").read_text() or pytest.fail()
