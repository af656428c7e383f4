"""The catalogue says where each set is from and how a true copy is recognised."""

import csv

import pytest
from helpers import ROOT, one_line

from derainbench.catalog.dataset_entries import dataset_entries, dataset_entry, known_digests
from derainbench.catalog.mirrors import DriveFolder, ManualMirror
from derainbench.foundation.errors import BenchError

PAPER = ["Rain12", "Rain200L", "Rain200H", "Rain1200", "RW-Data"]
ALL = [*PAPER, "Rain100L", "Rain100H", "BSDS500", "Rain200H-recomposited"]


def test_every_set_of_the_paper_and_its_relatives_is_listed():
    assert set(dataset_entries()) == set(ALL)


@pytest.mark.parametrize("name", PAPER)
def test_sets_of_the_paper_have_an_automatic_and_a_manual_way(name):
    mirrors = dataset_entry(name).mirrors
    assert any(isinstance(m, DriveFolder) for m in mirrors)
    manual = [m for m in mirrors if isinstance(m, ManualMirror)]
    assert manual and all(m.url.startswith("https://pan.baidu.com/") for m in manual)
    assert all(m.password for m in manual)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("Rain12", {"test": 12}),
        ("Rain200L", {"train": 1800, "test": 200}),
        ("Rain200H", {"train": 1800, "test": 200}),
        ("Rain1200", {"train": 12000, "test": 1200}),
        ("RW-Data", {"test": None}),
        ("Rain100L", {"test": 100}),
        ("Rain100H", {"train": 1800, "test": 100}),
    ],
)
def test_counts(name, counts):
    assert {s: f.images for s, f in dataset_entry(name).splits.items()} == counts


@pytest.mark.parametrize("name", ["Rain100L", "Rain100H", "Rain200H"])
def test_digests_cover_every_image_of_the_test_split(name):
    entry = dataset_entry(name)
    facts = entry.splits["test"]
    known = known_digests(facts.digests)
    for side, rule in (("input", entry.naming.input), ("target", entry.naming.target)):
        stems = {stem for part, stem in known if part == side}
        numbers = [rule.format(n=n) for n in range(1, 1000)]
        assert len(stems) == facts.images
        assert stems <= set(numbers)
    file = ROOT / "derainbench" / "catalog" / "digests" / facts.digests
    rows = list(csv.DictReader(file.open()))
    assert {(int(r["height"]), int(r["width"])) for r in rows} <= set(facts.sizes)


def test_overlaps_name_splits_that_exist():
    for entry in dataset_entries().values():
        for overlap in entry.overlaps:
            other, split = overlap.with_.split("/")
            assert overlap.split in entry.splits
            assert split in dataset_entry(other).splits


@pytest.mark.parametrize("name", ["rain200h", "RAIN-200H", "rw_data", "RWData"])
def test_spelling_of_a_name_does_not_matter(name):
    assert dataset_entry(name).name in ("Rain200H", "RW-Data")


def test_a_misspelt_name_is_answered_with_a_hint():
    with pytest.raises(BenchError) as refused:
        dataset_entry("Rain200K")
    assert "did you mean 'Rain200" in one_line(refused.value)


def test_list_shows_how_to_get_a_set(cli):
    everything = cli("data", "list").stdout
    assert all(name in everything for name in ALL)
    one = cli("data", "list", "rain200h").stdout
    for fact in (
        "https://drive.google.com/drive/folders/1O_EzLBmT9VLGHaqzole27r-xBT5FaeD2",
        "https://pan.baidu.com/s/1pPF4CL7rvKRVvkVkJ0C8RA, password k2iv",
        "derainbench data add Rain200H FILE_OR_FOLDER",
        "1800 images",
        "13.079 dB",
    ):
        assert fact in one
