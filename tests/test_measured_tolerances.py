"""What other threads and other processors do to a training: catalogue and document follow from measurements."""

import sys

import pandas as pd
import pytest
from helpers import ROOT

from derainbench.catalog import tolerances

sys.path.insert(0, str(ROOT / "benchmarks"))
import processors
import threads
import tolerances as measured
import tolerances_page as page

LEVELS = [*page.MEASUREMENTS]


def test_the_catalogue_holds_what_follows_from_the_measurements():
    said = "python benchmarks/tolerances_page.py"
    assert page.BOUNDS.read_text("utf-8") == page.catalogue(page.MEASUREMENTS), said
    for described in (page.described_threads(), page.described_processors()):
        assert described in page.DOC.read_text("utf-8"), said


def test_every_number_that_says_so_has_a_measured_bound_of_another_training():
    levels = tolerances.load().tolerances
    measured = {name for name, level in levels.items() if level.measured}
    assert {"loss", "psnr", "psnr_mean", "rate", "energy", "saving"} <= measured
    assert {name for name in measured if levels[name].retrained} == measured


@pytest.mark.parametrize("level", LEVELS)
def test_no_bound_is_tighter_than_that_of_equal_weights(level):
    for name, levels in tolerances.load().tolerances.items():
        if levels.measured and getattr(levels, level):
            for form in ("absolute", "relative"):
                own = getattr(getattr(levels, level), form)
                assert own == 0 or own >= getattr(levels.same, form), name


@pytest.mark.parametrize("level", LEVELS)
def test_the_factor_covers_what_one_part_does_beyond_the_others(level):
    kept = pd.read_csv(page.MEASUREMENTS[level])
    for name, bound in page.bounds(kept).items():
        for form in bound:
            own = kept[(kept["tolerance"] == name) & (kept["kind"] == form)]
            assert not own["needed"].gt(page.FACTOR).any(), (name, form)


def test_what_a_kind_of_processor_calls_for_can_be_checked_on_paper():
    def pair(first, second, difference):
        return ("rate", "absolute", "spikes/net/seed-1/spikes.csv", "a", difference, first, second)

    columns = ["tolerance", "kind", "file", "where", "difference", "first", "second"]
    found = [pair("a", "b", 0.1), pair("a", "c", 0.3), pair("b", "c", 0.2)]
    table = processors.measured_bounds(pd.DataFrame(found, columns=columns))
    assert table["difference"].tolist() == [0.3]
    assert table["needed"].tolist() == [pytest.approx(3)]  # without c: a and b, 0.1 apart


def test_a_share_of_little_is_bounded_by_its_size_and_others_as_they_are(tmp_path):
    for folder, small, large in (("a", 0.5, -200), ("b", 0.75, -210)):
        out = tmp_path / folder / "scenarios"
        out.mkdir(parents=True)
        (out / "savings.csv").write_text(
            "source,name,dataset,baseline,baseline_bits,costs,scenario,reuse,zero_skipping,saving\n"
            f"measured,n,d,b,32,c,a,False,False,{small}\n"
            f"measured,n,d,b,32,c,f,False,False,{large}\n"
        )
    rules = tolerances.load()
    compared = measured.drift.compare(tmp_path / "a", tmp_path / "b", rules)
    table = measured.largest(measured.differences(compared, rules)).set_index("kind")
    assert table["difference"].to_dict() == {"absolute": 0.25, "relative": pytest.approx(0.05)}


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
