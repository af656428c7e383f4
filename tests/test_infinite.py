"""One image restored perfectly: its infinite PSNR is named, and spoils no mean, file or figure."""

import json
import math
import shutil

import made_paper
import numpy as np
import pandas as pd
import pytest
import torch
from helpers import noise, save
from invented import PARTS, results

from derainbench.audit import verdicts
from derainbench.catalog.protocols import present_protocols
from derainbench.data.crops import Crops
from derainbench.data.pairs import read_split
from derainbench.data.verify import verify
from derainbench.evaluation.full_reference import score_folders, summarise, summary_line
from derainbench.foundation.files import write_json
from derainbench.report.figures import pareto, score_figures
from derainbench.report.figures.dataset_card import write_card
from derainbench.report.page.writing import write_page
from derainbench.report.paper import artefacts
from derainbench.report.tables.quality import quality
from derainbench.report.tables.writing import BUILDERS, write_tables
from derainbench.results.layout import layout_of
from derainbench.statistics.effects import spread
from derainbench.statistics.equivalence import equivalence
from derainbench.statistics.significance import seeds_p
from derainbench.training import loop


@pytest.fixture
def restored(tmp_path):
    """Folders of restored images and targets; the first of three images is equal to its target."""
    for i in range(3):
        save(tmp_path / "target" / f"{i}.png", noise(30, 40, i))
        save(tmp_path / "restored" / f"{i}.png", noise(30, 40, i if i == 0 else 50 + i))
    return tmp_path


def strict(path):
    """The content of a JSON file that has no word but those of the standard."""
    return json.loads(path.read_text(), parse_constant=pytest.fail)


def test_numbers_that_are_not_finite_become_null(tmp_path):
    content = {"a": [math.inf, (1.5, -math.inf)], "b": {"c": math.nan}, "d": np.float64("inf")}
    write_json(tmp_path / "a.json", content)
    assert strict(tmp_path / "a.json") == {"a": [None, [1.5, None]], "b": {"c": None}, "d": None}


def test_a_summary_counts_and_names_what_its_mean_leaves_out(restored):
    table = score_folders(restored / "restored", restored / "target", restored / "s.csv")
    means = summarise(table)["rgb"]
    others = table[(table["protocol"] == "rgb") & (table["image"] != "0.png")]
    assert means["psnr"] == pytest.approx(others["psnr"].mean(), abs=1e-6)
    assert (means["infinite_psnr"], means["infinite_psnr_images"]) == (1, ["0.png"])
    assert means["ssim"] > others["ssim"].mean()  # which leaves nothing out
    assert "dB without 1 image (0.png) of infinite PSNR" in summary_line("rgb", means)


def test_a_mean_without_any_finite_score_is_empty_and_says_why(restored):
    table = score_folders(restored / "target", restored / "target", restored / "s.csv")
    means = summarise(table)["rgb"]
    assert math.isnan(means["psnr"]) and means["infinite_psnr"] == 3
    assert means["psnr_reason"] == "every image is equal to its ground truth"
    assert summary_line("rgb", means) == (
        "rgb: no mean PSNR, every image is equal to its ground truth, SSIM 1.0000"
    )
    write_json(restored / "summary.json", means)
    assert strict(restored / "summary.json")["psnr"] is None


def test_statistics_leave_infinite_values_out():
    assert spread([1.0, math.inf, 3.0]).mean == 2
    assert spread([math.inf]).n == 0 and math.isnan(spread([math.inf]).mean)
    assert equivalence([30.0, 30.1, math.inf], 30, 0.5).n == 2
    found = equivalence([math.inf], 30, 0.5)
    assert found.n == 0 and not found.inside and not found.outside
    assert seeds_p([1.0, 2.0, math.inf], [1.0, 2.0]) == 1
    assert math.isnan(seeds_p([math.inf], [1.0, 2.0, 3.0]))


def test_a_rainy_image_without_rain_is_named_in_the_facts_of_its_set(restored):
    for side, name in (("input", "restored"), ("target", "target")):
        (restored / "set/test" / side).parent.mkdir(parents=True, exist_ok=True)
        (restored / name).rename(restored / "set/test" / side)
    verify(restored / "set", None, out=restored / "facts")
    split = strict(restored / "facts/dataset.json")["splits"]["test"]
    assert split["infinite_psnr_images"] == ["0.png"] and 0 < split["psnr"] < 40
    write_card(restored / "set", restored / "facts")


def test_crops_restored_perfectly_leave_the_choice_of_the_epoch_to_the_others(restored):
    (restored / "restored").rename(restored / "input")
    pairs = read_split(restored).pairs
    identity, cpu = torch.nn.Identity(), torch.device("cpu")
    every = loop.selection_psnr(identity, Crops(pairs, 16), 2, cpu)
    assert every == loop.selection_psnr(identity, Crops(pairs[1:], 16), 2, cpu)
    assert loop.selection_psnr(identity, Crops(pairs[:1], 16), 2, cpu) == math.inf


def perfect(file, images: int | None = 1) -> list[str]:
    """Makes the first images of a score file, or all, restored perfectly; gives their names."""
    table = pd.read_csv(file)
    names = list(table["image"].unique()[:images])
    table.loc[table["image"].isin(names), ["psnr", "ssim"]] = math.inf, 1.0
    table.to_csv(file, index=False)
    return names


@pytest.fixture
def invented(tmp_path, monkeypatch):
    """Gives results whose ESDNet restored some images of its first set perfectly, or all."""
    monkeypatch.chdir(tmp_path)

    def make(images):
        config = results(tmp_path, PARTS)
        for run in ("esdnet",) if images else config.runs:
            for variant in config.runs[run].variants():
                file = layout_of(config).per_image(run, variant, "synthetic-heavy")
                names = perfect(file, images)
        return config, names

    return make


@pytest.mark.parametrize("images", [1, None], ids=["one image", "every image"])
def test_tables_figures_and_page_are_made(invented, images, tmp_path):
    config, names = invented(images)
    out = tmp_path / config.results
    shutil.rmtree(out / "figures")  # the reference keeps them without records
    write_tables(config, out / "tables")
    score_figures.write_figures(config, out / "figures")
    verdicts.write(config, out / "audit")
    write_page(config, out / "report")
    for file in out.rglob("*.json"):
        strict(file)
    for name in ("quality", "paired", "protocols", "seeds", "papers"):
        table = BUILDERS[name](config)
        numbers = table.frame.select_dtypes("number").to_numpy(float)
        assert not np.isinf(numbers).any(), name
        assert names[0] in table.caption, name
        assert ("no mean" in table.caption) == (images is None), name
    assert names[0] in pareto.caption(config)
    page = (out / "report" / "index.html").read_text()
    assert "Infinity" not in page and "inf dB" in page


def test_means_are_over_the_other_images_and_the_count_stands_beside(invented):
    config, [name] = invented(1)
    file = layout_of(config).per_image("esdnet", "seed-1234", "synthetic-heavy")
    scores = pd.read_csv(file)
    others = scores[(scores["image"] != name) & (scores["protocol"] == "esdnet")]["psnr"]
    frame = quality(config).frame
    row = frame[
        (frame["dataset"] == "synthetic-heavy") & (frame["title"] == config.runs["esdnet"].title)
    ].iloc[0]
    assert row["psnr_esdnet"] == pytest.approx(others.mean())
    assert all(row[f"infinite_{p}"] == 1 for p in present_protocols(scores["protocol"]))


@pytest.mark.parametrize("images", [1, None], ids=["one image", "every image"])
def test_the_tables_of_a_paper_are_made(tmp_path, monkeypatch, images):
    monkeypatch.chdir(tmp_path)
    config = made_paper.made_results()
    for run, variant in made_paper.PSNR:
        if run == "esdnet":
            perfect(layout_of(config).per_image(run, variant, "Rain200H"), images)
    artefacts.write(config, tmp_path / "papers")
    facts = strict(tmp_path / "papers" / "esdnet" / "paper.json")["artefacts"]
    tables = [a for a in facts.values() if a.get("files") and "0.png" in a["caption"]]
    assert len(tables) >= 2  # of scores and of ablations
    for file in (tmp_path / "papers").rglob("*.csv"):
        assert "inf" not in file.read_text().replace("infinite", "")
