"""The figures of a paper: restored images, and its network drawn from its modules."""

import matplotlib.pyplot as plt
import numpy as np
from helpers import SMALL, noise, read_json, save
from made_paper import IMAGES, made_results

from derainbench.energy.architecture import architecture
from derainbench.energy.structure import structure
from derainbench.report.figures.architecture import draw
from derainbench.report.figures.enlarged_window import window
from derainbench.report.paper import artefacts
from derainbench.results.architecture import INPUT
from derainbench.results.layout import layout_of
from derainbench.results.runs import run_variants


def test_restored_images_are_shown_where_they_differ_most(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = made_results()
    for i, name in enumerate(IMAGES):
        save(tmp_path / "data/Rain200H/test/input" / name, noise(40, 60, seed=i))
        save(tmp_path / "data/Rain200H/test/target" / name, noise(40, 60, seed=i))
        for entry in run_variants(config):
            folder = layout_of(config).scores(entry.run, entry.variant, "Rain200H") / "images"
            save(folder / name, noise(40, 60, seed=i))
    missing = artefacts.write(config, tmp_path / "papers")
    folder = tmp_path / "papers" / "esdnet"
    assert "esdnet/figure-4" not in missing and (folder / "figure-4.svg").stat().st_size > 1000
    caption = read_json(folder / "paper.json")["artefacts"]["figure-4"]["caption"]
    assert "protocol esdnet" in caption and "Rain200H test, 3.png" in caption
    assert "(the paper's Fig. 4)" in caption


def test_the_window_is_where_the_map_is_highest():
    distance = np.zeros((50, 80))
    distance[21:31, 63:73] = 1
    assert window(distance) == (21, 63, 10)
    distance[:] = 0
    distance[40:, 70:] = 1  # in a corner
    assert window(distance) == (40, 70, 10)


def seen(**kwargs):
    kwargs = SMALL["esdnet"] | kwargs
    counted = structure("esdnet", kwargs, 64)
    return architecture("esdnet", kwargs, counted.layers, 64), counted


def test_the_architecture_is_that_of_the_model():
    found, counted = seen(en_num_blocks=[1, 2, 1])
    blocks = {block.name: block for block in found.blocks}
    assert sum(b.parameters for b in found.blocks) == found.parameters == counted.parameters
    layers = counted.layers[counted.layers["role"] == "layer"]
    assert sum(b.spike_macs + b.analog_macs for b in found.blocks) == layers["macs"].sum()
    assert blocks["encoder_level2"].count == 2 and blocks["encoder_level2"].kinds == ("SRB",)
    assert blocks["encoder_level2"].output_shape == (2, 1, 32, 32, 32)  # T, N, C, H, W
    assert blocks["down1_2"].sources == ("encoder_level1",)
    assert set(blocks["decoder_level1"].sources) == {"up2_1", "encoder_level1"}
    assert set(found.result) == {"output", INPUT}
    assert found.operation(blocks["decoder_level1"].sources) == "cat"
    assert found.operation(found.result) == "add"
    assert blocks["encoder_level1"].analog_macs * 2 == blocks["encoder_level1"].spike_macs
    text = figure_text(found)
    assert f"{counted.parameters:,} parameters" in text and "T = 2" in text and "2 x SRB" in text


def test_another_model_gives_another_picture():
    other, counted = seen(T=1, refine=False, shortcut=False, attentions=["temporal", "spatial"])
    names = [block.name for block in other.blocks]
    assert "refinement" not in names and names[-1] == "output"
    assert other.blocks[-1].sources == ("decoder_level1",)
    text = figure_text(other)
    assert "FRB (" not in text and "T = 1" in text and f"{counted.parameters:,} parameters" in text
    assert "shortcut" not in text.split("SRB (")[1] and "ca: " not in text


def figure_text(network) -> str:
    figure = draw(network)
    texts = [figure.get_suptitle(), *(t.get_text() for axes in figure.axes for t in axes.texts)]
    plt.close(figure)
    return "\n".join(texts)


def test_a_neuron_of_several_levels_is_named_by_these_and_not_by_a_threshold():
    counted = structure("vlif", SMALL["vlif"], 64)
    found = architecture("vlif", SMALL["vlif"], counted.layers, 64)
    neurons = {m.label for b in found.blocks for row in b.inside.values() for m in row}
    assert {"VLIF, 5 levels", "LIF 0.15"} <= neurons and "VLIF 1" not in neurons
    assert "VLIF\n5 levels" in figure_text(found)
