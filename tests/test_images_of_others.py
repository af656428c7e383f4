"""Images that others restored stand in a configuration as a run: paired, scored, shown, marked."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers import ROOT, noise, one_line, read_json, save
from judging import Results, judged
from PIL import Image

from derainbench.audit.method_comparisons import paired
from derainbench.catalog.papers import read_paper
from derainbench.catalog.protocols import protocol_names
from derainbench.config.checks import check_files, check_models, check_restored_images
from derainbench.config.schema import Config, parse
from derainbench.data.pairs import read_split
from derainbench.data.restored import match_restored
from derainbench.energy.accounts import measured_accounts
from derainbench.evaluation.full_reference import evaluate_images, score_folders
from derainbench.evaluation.named_weights import find_weights
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import sha256
from derainbench.report.figures.pareto import NOTHING, caption, pareto, pareto_points
from derainbench.report.page import gaps, origins, pareto_plot, pictures
from derainbench.report.tables.complexity import complexity
from derainbench.report.tables.quality import quality
from derainbench.report.tables.savings import savings
from derainbench.results import expected
from derainbench.results.accounts import read_accounts
from derainbench.results.runs import run_variants
from derainbench.results.scores import read_scores

OTHERS = "restored images of others"
THEIRS = {"images": "theirs", "title": "Theirs", "test": ["rain"]}


def configuration(run: dict, **more: object) -> dict:
    return {
        "name": "mine",
        "label": "study",
        "title": "Mine",
        "data_root": "data",
        "datasets": {"rain": {"kind": "folder"}, "snow": {"kind": "folder"}},
        "runs": {"theirs": run},
        "figures": {"dataset": "rain", "strip_images": 1},
    } | more


def configured(run: dict, **more: object) -> Config:
    return parse(configuration(run, **more), "my.yaml")


def refusal(check, *arguments) -> str:
    with pytest.raises(BenchError) as refused:
        check(*arguments)
    return one_line(refused.value)


# What a configuration may say


def test_a_run_of_images_needs_neither_model_nor_weights():
    config = configured(THEIRS)
    assert list(config.evaluations()) == [("theirs", "images", "rain")]
    assert list(config.spiking()) == []
    assert config.restored_folder("theirs", "rain") == "data/theirs"
    assert run_variants(config)[0].weights == f"{OTHERS}, theirs"
    assert configured(THEIRS | {"images": "/far"}).restored_folder("theirs", "rain") == "/far"
    check_models(config)


def test_several_test_sets_have_a_folder_each():
    folders = {"rain": "theirs/A", "snow": "theirs/B"}
    config = configured(THEIRS | {"images": folders, "test": ["rain", "snow"]})
    assert config.restored_folder("theirs", "snow") == "data/theirs/B"
    [theirs] = run_variants(config)
    assert theirs.weights == f"{OTHERS}, theirs/A, theirs/B"
    assert theirs.origin_on("snow") == f"{OTHERS}, theirs/B"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weights": "a.pth"}, "runs.theirs: give either train or weights or images"),
        ({"images": None}, "runs.theirs: give either train or weights or images"),
        ({"images": ""}, "runs.theirs.images: give a folder, or a mapping"),
        ({"images": {"rain": ["a"]}}, "runs.theirs.images: give a folder, or a mapping"),
        ({"images": {"snow": "a"}}, "images and test must name the same sets; 'rain' is in one"),
        ({"test": ["rain", "snow"]}, "several test sets need a folder each"),
        ({"title": None}, "images of others need a title, or the model"),
        ({"model": "prent"}, "runs.theirs.model: unknown model 'prent' (did you mean 'prenet'?)"),
        ({"kwargs": {"T": 2}}, "kwargs goes with a network that is run here"),
        ({"inference": "whole"}, "inference goes with a network that is run here"),
        ({"quantise": "round"}, "quantise goes with a network that is run here"),
        ({"ablation": {"of": "x", "part": "y"}}, "ablation goes with a network that is run here"),
        ({"image": "theirs"}, "unknown key (did you mean 'images'?)"),
    ],
)
def test_a_wrong_run_of_images_is_refused_in_one_line(change, said):
    assert said in refusal(parse, configuration(THEIRS | change), "my.yaml")


def test_a_relative_folder_needs_the_data_root():
    synthetic = {"rain": {"kind": "synthetic", "rain": "heavy"}}
    without = configuration(THEIRS, data_root=None, datasets=synthetic)
    assert "'theirs' needs data_root" in refusal(parse, without, "my.yaml")
    without["runs"]["theirs"] = THEIRS | {"images": "/far"}
    parse(without, "my.yaml")


def test_no_ablation_is_held_against_images():
    weights = {"model": "esdnet", "weights": "a.pth", "test": ["rain"]}
    ablated = weights | {"ablation": {"of": "theirs", "part": "normalisation"}}
    runs = {"theirs": THEIRS | {"model": "esdnet"}, "own": ablated}
    config = configuration(THEIRS, runs=runs, weights_root="weights")
    assert "'theirs' is no run that can be compared with" in refusal(parse, config, "my.yaml")


def test_configurations_without_images_are_written_as_before():
    weights = {"model": "prenet", "weights": "a.pth", "test": ["rain"]}
    assert "images" not in configured(weights, weights_root="w").model_dump()["runs"]["theirs"]
    config = configured(THEIRS)
    assert parse(config.model_dump(), "again") == config


# Which image belongs to which


@pytest.fixture
def there(tmp_path, monkeypatch, paired_set) -> Path:
    """A folder with the set `data/rain` and restored images of it in `data/theirs`."""
    monkeypatch.chdir(tmp_path)
    paired_set("data/rain", {"test": 3})
    for i in range(3):
        clean = np.asarray(Image.open(f"data/rain/test/target/0{i}.png"))
        restored = np.clip(clean + noise(24, 32, seed=i) // 32, 0, 255).astype(np.uint8)
        save(tmp_path / "data" / "theirs" / f"0{i}.png", restored)
    return tmp_path


def renamed(folder: Path, names: dict[str, str]) -> Path:
    for old, new in names.items():
        (folder / old).rename(folder / new)
    return folder


def matched(there: Path) -> dict[str, str]:
    found = match_restored(there / "data/theirs", read_split(there / "data/rain/test"))
    return {name: file.name for name, file in found.items()}


def test_names_match_whatever_the_kind_of_file(there):
    renamed(there / "data/theirs", {"00.png": "00.bmp"})
    assert matched(there) == {"00.png": "00.bmp", "01.png": "01.png", "02.png": "02.png"}


def test_names_of_the_clean_images_match_too(there):
    test = there / "data/rain/test"
    renamed(test / "input", {"00.png": "rain-00.png", "01.png": "01_7.png"})
    renamed(test / "target", {"00.png": "norain-00.png"})
    renamed(there / "data/theirs", {"00.png": "norain-00.png"})
    assert matched(there) == {
        "01_7.png": "01.png",
        "02.png": "02.png",
        "rain-00.png": "norain-00.png",
    }


def test_one_image_does_not_stand_for_several_rainy_ones(there):
    test = there / "data/rain/test"
    renamed(test / "input", {"00.png": "01_2.png", "01.png": "01_1.png"})
    (test / "target/00.png").unlink()
    assert "has no restored image of 01_1.png and 1 more" in refusal(matched, there)
    renamed(there / "data/theirs", {"00.png": "01_1.png", "01.png": "01_2.png"})
    assert matched(there)["01_2.png"] == "01_2.png"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "01.png").unlink(), "theirs: has no restored image of 01.png (test"),
        (lambda f: save(f / "03.png", noise(24, 32)), "03.png: restored from no test image"),
        (lambda f: save(f / "01.bmp", noise(24, 32)), "both stand for image '01'"),
        (lambda f: save(f / "01.png", noise(24, 24)), "is 24x24 but"),
    ],
)
def test_images_missing_too_many_or_of_another_size_are_named(there, spoil, said):
    spoil(there / "data/theirs")
    config = configured(THEIRS, datasets={"rain": {"kind": "folder"}})
    assert said in refusal(matched, there)
    check_files(config)
    message = refusal(check_restored_images, config)
    assert message.startswith("runs.theirs.images: ") and said in message


def test_folders_are_looked_for_before_work_starts(there):
    sets = {"rain": {"kind": "folder"}}
    config = configured(THEIRS, datasets=sets)
    check_files(config)
    check_restored_images(config)
    message = refusal(check_files, configured(THEIRS | {"images": "nowhere"}, datasets=sets))
    assert message.startswith("runs.theirs.images: data/nowhere: no such folder")
    inside = there / "results/smoke/scores/own/seed-1/rain/images"
    inside.mkdir(parents=True)
    message = refusal(check_files, configured(THEIRS | {"images": str(inside)}, datasets=sets))
    assert message.startswith("runs.theirs.images: ") and "lies inside results/" in message


# Scores


def test_they_are_scored_as_any_restored_images(there, cli):
    restored, test = there / "data/theirs", there / "data/rain/test"
    out = there / "out"
    done = cli("evaluate-images", "--restored", restored, "--data", test, "--out", out)
    assert done.code == 0 and done.stdout.count("rainy input") == len(protocol_names())
    table = pd.read_csv(out / "per_image.csv", dtype={"image": str})
    assert list(table) == ["image", "protocol", "psnr", "ssim", "psnr_input", "ssim_input"]
    scored = score_folders(restored, test / "target", there / "score.csv")
    rainy = score_folders(test / "input", test / "target", there / "rainy.csv")
    assert table["image"].tolist() == scored["image"].tolist()
    for column in ("psnr", "ssim"):
        assert np.allclose(table[column], scored[column], rtol=1e-9)
        assert np.allclose(table[f"{column}_input"], rainy[column], rtol=1e-9)
    summary = read_json(out / "summary.json")
    assert summary["model"] == "restored images of others" and summary["images"] == 3
    assert tuple(summary["protocols"]) == protocol_names()
    record = read_json(out / "per_image.csv.provenance.json")
    for i in range(3):
        assert record["inputs"][f"restored 0{i}.png"] == sha256(restored / f"0{i}.png")
        with Image.open(restored / f"0{i}.png") as a, Image.open(out / f"images/0{i}.png") as b:
            assert np.array_equal(np.asarray(a), np.asarray(b))
    assert "data" in record["inputs"]


def test_scores_bear_the_names_of_the_rainy_images(there):
    test = there / "data/rain/test"
    renamed(test / "input", {"00.png": "rain-00.png"})
    renamed(test / "target", {"00.png": "norain-00.png"})
    renamed(there / "data/theirs", {"00.png": "norain-00.png"})
    table = evaluate_images(there / "data/theirs", test, there / "out")
    assert "rain-00.png" in set(table["image"])
    assert (there / "out/images/rain-00.png").is_file()


def test_photographs_without_ground_truth_are_copied_for_the_other_metrics(there):
    test = there / "data/rain/test"
    for file in (test / "target").iterdir():
        file.unlink()
    (test / "target").rmdir()
    assert evaluate_images(there / "data/theirs", test, there / "out").empty
    assert len(list((there / "out/images").glob("*.png"))) == 3


# Where they stand


@pytest.fixture
def scored(there) -> Config:
    """Two runs of images, one of them of a network, scored; nothing was counted."""
    second = THEIRS | {"model": "prenet", "title": "PReNet"}
    config = configured(
        THEIRS, runs={"theirs": THEIRS, "known": second}, datasets={"rain": {"kind": "folder"}}
    )
    for entry in run_variants(config):
        folder = Path(config.results) / "scores" / entry.run / entry.variant / "rain"
        evaluate_images(there / "data/theirs", there / "data/rain/test", folder)
    return config


def test_tables_and_statistics_say_whose_images_they_are(scored):
    table = quality(scored)
    assert set(table.frame["weights"]) == {"", f"{OTHERS}, theirs"}
    assert "Restored images of others were scored here as they are" in table.caption
    assert table.frame["seeds"].isna().all()
    pairs = paired(read_scores(scored))
    assert (pairs["difference"] == 0).all() and set(pairs["run"]) == {"theirs"}
    shown = pictures.comparison(scored, Path("assets"))
    assert set(shown["sets"][0]["images"][0]["versions"]) == {"input", "theirs", "known", "target"}
    rows, absent = origins.runs(scored)
    assert [r["title"] for r in rows] == [
        "Theirs (images): scores on rain",
        "PReNet (images): scores on rain",
    ]
    assert absent == []


def test_nothing_is_counted_and_nothing_of_it_missed(scored):
    assert read_accounts(scored).empty
    assert measured_accounts(scored) == []
    counted, absent = gaps.counted(scored)
    assert counted.runs == {} and absent == []
    assert expected.spiking_runs(scored) == []
    assert "patch" not in str(expected.paper_figures(scored, read_paper("esdnet")))
    Path("results/mine/config.json").write_text(scored.model_dump_json())
    assert "no such weight file" in refusal(find_weights, "theirs")


def test_the_figure_of_parameters_takes_images_of_a_named_network_alone(scored):
    models = Path(scored.results) / "structure" / "models.csv"
    models.parent.mkdir(parents=True)
    models.write_text("model,parameters,size,gmacs\nprenet,168963,256x256,66.2\n")
    points = pareto_points(scored)
    assert points[["run", "parameters", "gmacs_256"]].values.tolist() == [["known", 168963, 66.2]]


def test_the_figure_of_parameters_says_if_it_has_nothing_to_show(scored):
    theirs = scored.model_copy(update={"runs": {"theirs": scored.runs["theirs"]}})
    assert pareto_points(theirs).empty
    assert [text.get_text() for text in pareto(theirs).axes[0].texts] == [NOTHING]
    assert OTHERS not in caption(theirs)
    assert caption(scored).endswith("Restored images of others, with parameters and MACs of the "
                                    "network as published: PReNet.")  # fmt: skip


def test_tables_and_plots_of_energy_stand_without_a_counted_run(scored):
    folder = Path(scored.results) / "scenarios"
    folder.mkdir(parents=True)
    options = {"costs": "horowitz-45nm-fp32", "scenario": "a", "reuse": False}
    options |= {"source": "structure", "name": "prenet", "model": "prenet", "zero_skipping": False}
    amounts = {"mj": 1.0, "baseline_bits": 4, "saving": 0.1, "title": "", "baseline_title": ""}
    amounts |= {"dataset": None, "baseline": "nafnet", "low": 0.0, "high": 0.2, "firing_rate": None}
    for name in ("energy", "savings"):
        pd.DataFrame([options | amounts]).to_csv(folder / f"{name}.csv", index=False)
    for table in (complexity(scored), savings(scored)):
        assert table.view.empty and "Empty: " in table.caption
    points = pareto_plot.pareto(scored, gaps.counted(scored)[0])["points"]
    assert [point["weights"] for point in points] == [f"{OTHERS}, theirs"] * 2
    assert all(point["parameters"] is None and point["energy"] == {} for point in points)


@pytest.mark.parametrize("model", ["esdnet", "prenet", None])
def test_a_claim_takes_the_images_of_its_own_network_alone_and_says_so(
    tmp_path, monkeypatch, model
):
    monkeypatch.chdir(tmp_path)
    results = Results(tmp_path)
    run = {"model": model, "title": "ESDNet", "images": "theirs", "test": ["Rain200H"]}
    config = results.config(label="paper", theirs=run)
    claims = [c.id for c in _score_claims("Rain200H")]
    assert claims
    results.write(
        "scores/theirs/images/Rain200H/per_image.csv",
        [{"image": "1.png", "protocol": p, "psnr": 30.0, "ssim": 0.9, "psnr_input": 20.0,
          "ssim_input": 0.5} for p in protocol_names()],
    )  # fmt: skip
    results.scores("own", [20.0])
    [verdict] = judged(config, claims[0])
    if model == "esdnet":
        assert verdict.measured == 30.0
        assert OTHERS in verdict.reading and f"{OTHERS}, one image of a set" in verdict.reason
        assert verdict.reason.endswith("one image decides nothing yet: 3 at least")
    else:
        assert verdict.measured is None and verdict.verdict == "not testable here"


def _score_claims(dataset: str) -> list:
    from derainbench.catalog.audited_papers import read_audited_paper

    ledger = read_audited_paper("esdnet").ledger
    return [c for c in ledger.all() if c.test == "score" and c.dataset == dataset]


# The workflow


def snakemake(folder: Path, config: dict, *arguments: str) -> subprocess.CompletedProcess:
    (folder / "mine.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--cores", "1", *arguments, "--configfile", "mine.yaml"]
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_the_workflow_scores_them_counts_nothing_and_sees_a_replaced_image(there):
    config = copy.deepcopy(configuration(THEIRS, datasets={"rain": {"kind": "folder"}}))
    config["runs"]["prenet"] = {"model": "prenet", "weights": "a.pth", "test": ["rain"]}
    config["weights_root"] = "."
    (there / "a.pth").touch()
    plan = snakemake(there, config, "--dry-run")
    assert plan.returncode == 0, plan.stdout + plan.stderr
    jobs = plan.stdout + plan.stderr
    assert "results/mine/scores/theirs/images/rain/per_image.csv" in jobs
    assert "energy/prenet/official/energy.json" in jobs
    assert "energy/theirs" not in jobs and "joules/theirs" not in jobs
    assert snakemake(there, config, "--dry-run", "all_joules").returncode == 0

    target = "results/mine/scores/theirs/images/rain/per_image.csv"
    del config["runs"]["prenet"]
    done = snakemake(there, config, target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (there / target).is_file()
    again = snakemake(there, config, target, "--dry-run")
    assert "Nothing to be done" in again.stdout + again.stderr
    save(there / "data/theirs/01.png", noise(24, 32, seed=9))
    again = snakemake(there, config, target, "--dry-run")
    assert "rule evaluate_images" in again.stdout + again.stderr
    (there / "data/theirs/01.png").unlink()
    refused = snakemake(there, config, target)
    assert refused.returncode != 0
    assert "runs.theirs.images: data/theirs: has no restored image of 01.png" in refused.stderr
