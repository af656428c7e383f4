"""Re-composited pairs carry real rain on other photographs, and say so."""

import numpy as np
import pytest
from helpers import noise, one_line, read_json, save, tree

from derainbench.data.generation.recomposite import recomposite
from derainbench.data.images import read_rgb
from derainbench.data.pairs import read_split
from derainbench.foundation.errors import BenchError


@pytest.fixture
def sources(paired_set, tmp_path):
    split = paired_set(splits={"train": 3}) / "train"
    for i in range(4):
        save(tmp_path / "clean" / f"photo{i}.png", noise(24, 32, seed=70 + i) // 2)
    return split, [tmp_path / "clean"]


def test_rain_is_that_of_the_pair_and_background_that_of_the_photograph(sources, tmp_path):
    recomposite(*sources, tmp_path / "out", seed=1)
    made = read_split(tmp_path / "out" / "train").pairs
    facts = read_json(tmp_path / "out" / "dataset.json")
    assert len(made) == len(facts["pairs"]) == 4
    layers = {p.name: p for p in read_split(sources[0]).pairs}
    for pair, row in zip(made, sorted(facts["pairs"], key=lambda r: r["image"]), strict=True):
        assert row["image"] == pair.name and pair.name.startswith("recomposited-")
        clean = read_rgb(pair.target)
        assert np.array_equal(clean, read_rgb(sources[1][0] / row["photograph"]))
        source = layers[row["layer_of"]]
        layer = read_rgb(source.input).astype(int) - read_rgb(source.target)
        expected = np.clip(clean + layer, 0, 255)
        assert np.array_equal(read_rgb(pair.input), expected)


def test_every_layer_is_used_before_one_is_used_again(sources, tmp_path):
    recomposite(*sources, tmp_path / "out", count=6, seed=1)
    used = [row["layer_of"] for row in read_json(tmp_path / "out" / "dataset.json")["pairs"]]
    assert sorted(used[:3]) == sorted(used[3:]) == ["00.png", "01.png", "02.png"]


def test_a_seed_decides_everything(sources, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        recomposite(*sources, tmp_path / name, seed=seed)
    a, b, c = (tree(tmp_path / name / "train") for name in "abc")
    assert a == b != c


def test_layers_of_the_other_orientation_are_turned(sources, tmp_path):
    save(tmp_path / "clean" / "upright.png", noise(32, 24))
    recomposite(*sources, tmp_path / "out")
    assert len(read_split(tmp_path / "out" / "train").pairs) == 5


def test_other_sizes_are_refused_and_nothing_is_left(sources, tmp_path):
    save(tmp_path / "clean" / "small.png", noise(20, 20))
    with pytest.raises(BenchError) as refused:
        recomposite(*sources, tmp_path / "out")
    assert "give photographs of the pairs' size" in one_line(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_photograph_given_twice_is_refused(sources, tmp_path):
    with pytest.raises(BenchError) as refused:
        recomposite(sources[0], sources[1] * 2, tmp_path / "out")
    assert "photo0" in one_line(refused.value)
