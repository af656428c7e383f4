"""What another number of threads does to a training: catalogue and document follow from a measurement."""

import sys

import pandas as pd
import pytest
from helpers import ROOT

from derainbench.catalog import tolerances

sys.path.insert(0, str(ROOT / "benchmarks"))
import threads
import threads_page as page
import tolerances as measured

KEPT = pd.read_csv(threads.OUT / "bounds.csv")


def test_the_catalogue_holds_what_follows_from_the_measurement():
    said = "python benchmarks/threads_page.py"
    assert page.BOUNDS.read_text("utf-8") == page.catalogue(KEPT), said
    assert page.described() in page.DOC.read_text("utf-8"), said


def test_no_bound_is_tighter_than_that_of_equal_weights():
    bounds = {name: level for name, level in tolerances.load().tolerances.items() if level.threads}
    assert {"psnr", "psnr_mean", "rate", "energy"} <= {*bounds}
    for name, level in bounds.items():
        kind = "absolute" if level.retrained.absolute else "relative"
        assert getattr(level.threads, kind) >= getattr(level.same, kind), name


def test_the_factor_covers_what_one_seed_does_beyond_the_others():
    assert KEPT[KEPT["tolerance"].isin(page.WORDS)]["needed"].max() <= page.FACTOR


def test_the_largest_differences_and_what_a_seed_calls_for_can_be_checked_on_paper():
    found = pd.DataFrame(
        [
            ("psnr", "absolute", "scores/net/seed-1/x.csv", "a psnr", 0.5),
            ("psnr", "absolute", "scores/net/seed-2/x.csv", "a psnr", 1.5),
            ("psnr", "absolute", "scores/net/seed-3/x.csv", "a psnr", 0.25),
            ("energy", "relative", "scenarios/energy.csv", "name=net/seed-1 mj", 0.1),
            ("outcome", "text", "runs/net/seed-1/training.json", "best_epoch", 0.0),
        ],
        columns=["tolerance", "kind", "file", "where", "difference"],
    )
    table = threads.measured_bounds(found).set_index("tolerance")
    assert {*table.index} == {"psnr", "energy"}
    assert table["difference"].to_dict() == {"psnr": 1.5, "energy": 0.1}
    assert table["needed"]["psnr"] == 3  # seed 2 over seed 1
    bounds = page.bounds(table.reset_index())
    assert bounds["psnr"] == {"absolute": 3} and bounds["energy"] == {"relative": 0.2}


@pytest.mark.parametrize(("value", "rounded"), [(0.1234, 0.13), (0.12, 0.12), (56.7, 57), (0, 0)])
def test_bounds_are_rounded_up_to_two_digits(value, rounded):
    assert page._rounded_up(value) == rounded


def test_a_machine_of_ones_own_is_measured_kept_and_shown(tmp_path, monkeypatch, capsys):
    for folder, psnr, mj in (("a", 20.0, 2.0), ("b", 20.5, 2.2)):
        scores = tmp_path / folder / "scores/net/seed-1/rain"
        scenarios = tmp_path / folder / "scenarios"
        scores.mkdir(parents=True), scenarios.mkdir()
        (scores / "per_image.csv").write_text(f"image,protocol,psnr\nx.png,esdnet,{psnr}\n")
        (scores / "summary.json").write_text(f'{{"esdnet": {{"psnr": {psnr - 0.25 * (mj > 2)}}}}}')
        (scenarios / "energy.csv").write_text(
            "source,name,dataset,costs,scenario,reuse,zero_skipping,mj\n"
            f"measured,net/seed-1,rain,c,a,False,False,{mj}\n"
            f"structure,net,,c,a,False,False,{mj * 7}\n"  # no training enters it
        )
    monkeypatch.setattr(measured, "MACHINES", tmp_path / "machines")
    monkeypatch.setattr(page, "MACHINES", tmp_path / "machines")
    assert page.machines() == "\nNobody has sent one yet.\n"
    command = ["tolerances.py", str(tmp_path / "a"), str(tmp_path / "b"), "--keep", "old-laptop"]
    monkeypatch.setattr(sys, "argv", command)
    measured.main()
    assert "Equal weights." in capsys.readouterr().out
    assert page.machines().splitlines()[-1] == "| old-laptop | 0.5 | 0.25 | 10 % |"
    kept = pd.read_csv(tmp_path / "machines/old-laptop.csv")
    assert "structure" not in " ".join(kept["where"])
    assert (tmp_path / "machines/old-laptop.csv.provenance.json").is_file()


def test_a_machines_name_is_a_files_name(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tolerances.py", "a", "b", "--keep", "../x"])
    with pytest.raises(SystemExit):
        measured.main()
    assert "small letters, digits and hyphens" in capsys.readouterr().err
