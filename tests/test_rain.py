"""Synthetic rain is repeatable, physical, and about as heavy as the sets it stands for."""

import numpy as np
import pytest
from helpers import one_line, read_json, tree

from derainbench.catalog.rain import RainSettings, presets
from derainbench.data.generation.rain import add_rain, rain_layer, streak_kernel
from derainbench.data.generation.synthesise import (
    PHOTOGRAPHS,
    SynthesisPlan,
    photograph,
    random_crop,
    synthesise,
)
from derainbench.data.images import read_rgb
from derainbench.data.pairs import read_split
from derainbench.foundation.errors import BenchError
from derainbench.metrics.full_reference import luma, psnr

SMALL = {"size": 64, "train": 3, "val": 1, "test": 2}


def layer(rain: str, seed: int = 0, shape: tuple[int, int] = (64, 80)) -> np.ndarray:
    return rain_layer(shape, presets()[rain], np.random.default_rng(seed))


@pytest.mark.parametrize("rain", ["light", "heavy"])
def test_layer_is_non_negative_and_of_the_asked_size(rain):
    for seed in range(5):
        drawn = layer(rain, seed)
        assert drawn.shape == (64, 80)
        assert drawn.min() >= 0
        assert drawn.max() > 20


@pytest.mark.parametrize("rain", ["light", "heavy"])
def test_equal_seeds_give_equal_layers_and_others_others(rain):
    assert np.array_equal(layer(rain, 1), layer(rain, 1))
    assert not np.array_equal(layer(rain, 1), layer(rain, 2))


def test_rain_is_achromatic_added_rounded_and_clipped():
    clean = np.array([[[0, 100, 250]]], dtype=np.uint8)
    assert add_rain(clean, np.array([[7.4]])).tolist() == [[[7, 107, 255]]]
    assert add_rain(clean, np.array([[7.6]])).tolist() == [[[8, 108, 255]]]
    assert add_rain(clean, np.array([[0.0]])).tolist() == clean.tolist()
    assert add_rain(clean, np.array([[900.0]])).tolist() == [[[255, 255, 255]]]


def test_a_streak_is_as_long_wide_and_steep_as_asked():
    kernel = streak_kernel(length=30, width=1.0, angle=0)
    middle = len(kernel) // 2
    assert kernel[middle, middle] == pytest.approx(1, abs=0.05)
    assert (kernel[:, middle] > 0.5).sum() == pytest.approx(30, abs=1)
    assert kernel[middle].sum() == pytest.approx(np.sqrt(2 * np.pi), rel=0.05)
    lying = streak_kernel(length=30, width=1.0, angle=90)
    np.testing.assert_allclose(lying, kernel.T, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "change",
    [{"layers": 0}, {"depth_scale": 1.5}, {"length": [30, 14]}, {"denisty": [1, 2]}],
    ids=str,
)
def test_impossible_settings_are_refused(change):
    settings = presets()["light"].model_dump() | change
    with pytest.raises(ValueError):
        RainSettings(**settings)


@pytest.fixture(scope="module")
def statistics() -> dict[str, dict[str, float]]:
    """Over all photographs: PSNR of the rainy image and mean of what rain added to it."""
    found = {}
    for rain in ("light", "heavy"):
        scores, means = [], []
        for i, name in enumerate(sum(PHOTOGRAPHS.values(), ())):
            rng = np.random.default_rng([0, i])
            clean = random_crop(photograph(name), 256, rng, name)
            rainy = add_rain(clean, rain_layer((256, 256), presets()[rain], rng))
            scores.append(psnr(luma(rainy), luma(clean)))
            means.append(np.mean(rainy.astype(int) - clean))
        found[rain] = {"psnr": np.mean(scores), "mean": np.mean(means)}
    return found


@pytest.mark.parametrize("rain", ["light", "heavy"])
def test_rain_is_about_as_heavy_as_in_the_set_it_stands_for(rain, statistics):
    reference = presets()[rain].reference
    assert statistics[rain]["psnr"] == pytest.approx(reference["psnr_y"], abs=2.0)
    assert statistics[rain]["mean"] == pytest.approx(reference["mean_layer"], rel=0.5)


def test_heavy_rain_is_much_heavier_than_light_rain(statistics):
    assert statistics["heavy"]["psnr"] < statistics["light"]["psnr"] - 10


def test_no_photograph_is_in_two_splits():
    names = sum(PHOTOGRAPHS.values(), ())
    assert len(set(names)) == len(names)
    contents = {photograph(name).tobytes() for name in names}
    assert len(contents) == len(names)
    assert all(photograph(n).shape[2:] == (3,) and photograph(n).dtype == np.uint8 for n in names)


def test_a_set_is_complete_and_its_record_says_what_it_is(tmp_path):
    synthesise(SynthesisPlan("light", **SMALL, seed=5), tmp_path / "set")
    facts = read_json(tmp_path / "set" / "dataset.json")
    assert facts["plan"] == {"rain": "light", **SMALL, "seed": 5}
    for split, count in {"train": 3, "val": 1, "test": 2}.items():
        read = read_split(tmp_path / "set" / split)
        assert len(read.pairs) == count
        assert facts["digests"][split] == read.digest
        for pair in read.pairs:
            rainy, clean = read_rgb(pair.input), read_rgb(pair.target)
            assert rainy.shape == (64, 64, 3)
            added = rainy.astype(int) - clean
            assert added.min() >= 0 and added.max() > 0
            assert pair.name.rsplit("-", 1)[0] in PHOTOGRAPHS[split]
    assert (tmp_path / "set" / "dataset.json.provenance.json").is_file()


def test_no_two_images_share_their_rain(tmp_path):
    synthesise(SynthesisPlan("heavy", **SMALL), tmp_path / "set")
    layers = []
    for file in sorted((tmp_path / "set").glob("*/input/*.png")):
        clean = read_rgb(file.parent.parent / "target" / file.name)
        layers.append(read_rgb(file).astype(int) - clean)
    assert len(layers) == 6
    for i, first in enumerate(layers):
        for second in layers[i + 1 :]:
            assert (first == second).mean() < 0.2


def images(folder) -> dict[str, str]:
    return {name: digest for name, digest in tree(folder).items() if name.endswith(".png")}


def test_equal_plans_give_equal_bytes_and_other_seeds_others(tmp_path):
    for name, seed in (("one", 5), ("two", 5), ("other", 6)):
        synthesise(SynthesisPlan("heavy", **SMALL, seed=seed), tmp_path / name)
    one = images(tmp_path / "one")
    assert len(one) == 12
    assert one == images(tmp_path / "two")
    assert (tmp_path / "one" / "dataset.json").read_bytes() == (
        tmp_path / "two" / "dataset.json"
    ).read_bytes()
    assert not set(one.values()) & set(images(tmp_path / "other").values())


def test_more_images_leave_the_first_ones_alone(tmp_path):
    synthesise(SynthesisPlan("light", **SMALL), tmp_path / "few")
    synthesise(SynthesisPlan("light", **SMALL | {"train": 5}), tmp_path / "more")
    assert images(tmp_path / "few").items() < images(tmp_path / "more").items()


@pytest.mark.parametrize("size", [320, 420])  # too large for the test split; for val as well
def test_size_beyond_a_photograph_is_refused_and_nothing_left(size, tmp_path):
    with pytest.raises(BenchError) as refused:
        synthesise(SynthesisPlan("light", **SMALL | {"size": size, "train": 1}), tmp_path / "set")
    assert f"size {size} exceeds photograph" in one_line(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_an_earlier_set_as_it_was(tmp_path):
    synthesise(SynthesisPlan("light", **SMALL), tmp_path / "set")
    before = tree(tmp_path / "set")
    with pytest.raises(BenchError):
        synthesise(SynthesisPlan("light", **SMALL | {"size": 320}), tmp_path / "set")
    assert tree(tmp_path / "set") == before


def test_unknown_setting_is_answered_with_a_suggestion(tmp_path):
    with pytest.raises(BenchError) as refused:
        synthesise(SynthesisPlan("haevy"), tmp_path / "set")
    assert one_line(refused.value) == "unknown rain setting 'haevy' (did you mean 'heavy'?)"
    assert list(tmp_path.iterdir()) == []
