"""Energy at equal quality: pairs, frontier and headline, by hand."""

import numpy as np
import pandas as pd
import pytest
from judging import SMALL, TRAIN, Results

from derainbench.audit.equal_quality import NO_FINITE, OTHER_IMAGES, STRUCTURE_ONLY, quality_pair
from derainbench.audit.quality_energy import (
    COMPARED,
    NO_ANN,
    NONE_AS_GOOD,
    ONLY_BETTER,
    UNSCORED,
    headline,
    mean_in_range,
    on_frontier,
    points,
)
from derainbench.catalog import margins as margins_of_catalogue
from derainbench.catalog.costs import DEFAULT_COSTS
from derainbench.catalog.margins import margins
from derainbench.foundation.errors import BenchError
from derainbench.report.page.equal_quality import headlines
from derainbench.report.tables.equal_quality import equal_quality
from derainbench.report.tables.latex import latex
from derainbench.report.tables.quality_energy import quality_energy
from derainbench.report.tables.savings import savings
from derainbench.results.runs import run_variants
from derainbench.results.training_sets import training_set
from derainbench.workflow.verdict_summary import verdict_summary

OPTIONS = {"costs": DEFAULT_COSTS, "scenario": "b", "reuse": False, "zero_skipping": False}
INFINITE = float("inf")


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A results folder that a test writes what it needs into."""
    monkeypatch.chdir(tmp_path)
    return Results(tmp_path)


def made(results, energies, scores, trained_on=None, **more):
    """A configuration whose runs take energies (mJ) and score PSNRs (dB), by run: one per seed.

    Args:
        energies: by run; ``own`` is the spiking one, others are ANNs.
        scores: by run: for each seed one PSNR per image.
        trained_on: data sets of runs that were not trained on the same one as ``own``.
        more: further columns of the savings.
    """
    runs = {}
    for run, of_seeds in scores.items():
        train = {**TRAIN, "seeds": list(range(1, len(of_seeds) + 1))}
        train["dataset"] = (trained_on or {}).get(run, "rain")
        model = "esdnet" if run == "own" else "esdnet-ann"
        kwargs = {"kwargs": SMALL} if run == "own" else {}
        runs[run] = {
            "model": model,
            "train": train,
            "test": ["rain"],
            "title": run.upper(),
        } | kwargs
        for seed, psnr in enumerate(of_seeds, 1):
            if psnr:
                results.scores(run, psnr, seed)
    named = {run: [f"{run}/seed-{i}" for i in range(1, len(s) + 1)] for run, s in scores.items()}
    common = OPTIONS | {"source": "measured", "dataset": "rain", "firing_rate": 0.2}
    priced = [
        common
        | {"name": name, "model": run, "title": run.upper(), "mj": mj, "size": 64, "images": 2}
        for run, names in named.items()
        for name, mj in zip(names, energies[run], strict=True)
    ]
    results.write("scenarios/energy.csv", priced)
    saved = [
        common
        | {"name": own, "model": "esdnet", "title": "OWN", "baseline": name}
        | {"baseline_title": run.upper(), "baseline_bits": None}
        | {"saving": 1 - energies["own"][i] / mj, "low": 0.9 - energies["own"][i] / mj}
        | {"high": 1.1 - energies["own"][i] / mj, "break_even_rate": 0.1, "fixed_share": 0.5}
        | more
        for i, own in enumerate(named["own"])
        for run, names in named.items()
        if run != "own"
        for name, mj in zip(names, energies[run], strict=True)
    ]
    columns = [*common, "name", "baseline", "baseline_bits", "saving", "low", "high"]
    columns += ["title", "baseline_title", "firing_rate"]
    table = pd.DataFrame(saved, columns=None if saved else list(dict.fromkeys(columns)))
    table.to_csv(results.folder / "scenarios" / "savings.csv", index=False)
    return results.config(**runs)


def only_row(config):
    [row] = headline(config).to_dict("records")
    return row


def test_a_network_of_21_db_is_credited_with_nothing_against_one_of_30_db(results, tmp_path):
    config = made(results, {"own": [4], "ann": [100]}, {"own": [[20, 22]], "ann": [[29, 31]]})
    table = savings(config)
    [row] = table.view.to_dict("records")
    assert (row["(b)"][:6], row["Equal quality"]) == ("+96 % ", "no: 9.00 dB apart")
    assert (row["PSNR (dB), esdnet"], row["PSNR (dB), esdnet, baseline"]) == ("21.00", "30.00")
    assert table.grey == {0} and r"\textcolor{gray}{+96 \%" in latex(table, "tab:x")
    row = only_row(config)
    assert row["answer"] == ONLY_BETTER and pd.isna(row["ratio"]) and pd.isna(row["baseline"])
    shown = [*equal_quality(config).view.to_dict("records")[0].values()]
    said = str(headlines(config)["runs"]) + str(shown)
    assert "times the energy" not in said and "96" not in said and "0.04" not in said
    assert quality_energy(config).grey == {1}


def test_the_cheapest_ann_that_is_not_worse_is_compared(results):
    scores = {"own": [[24, 26]], "dear": [[24.05, 26.05]], "cheap": [[23.95, 25.95]]}
    scores |= {"worse": [[23.8, 25.8]], "better": [[25, 27]]}
    energies = {"own": [10], "dear": [20], "cheap": [8], "worse": [1], "better": [9]}
    row = only_row(made(results, energies, scores))
    assert (row["answer"], row["candidates"]) == (COMPARED, 4)
    # 0.05 dB less is within 0.1; 0.2 less is worse; 1 dB more, though cheaper, is not its equal.
    assert (row["baseline"], row["ratio"]) == ("cheap", pytest.approx(10 / 8))
    assert (row["psnr"], row["psnr_baseline"]) == (25, pytest.approx(24.95))
    assert row["difference"] == pytest.approx(0.05) == pytest.approx(row["difference_high"])
    assert (row["low"], row["high"]) == (pytest.approx(1.15), pytest.approx(1.35))
    assert not row["frontier"]  # 26 dB for 9 mJ


def test_what_is_dearer_per_scenario_is_said_with_both_qualities(results, tmp_path):
    config = made(results, {"own": [10], "ann": [8]}, {"own": [[25, 25]], "ann": [[24.95, 24.95]]})
    [run] = headlines(config)["runs"]
    assert run["about"] == "25.00 dB, esdnet, rain test"
    assert run["sentences"] == [
        "1.25 (b) times the energy of ANN (25.00 dB against 24.95 dB, esdnet)"
    ]
    equal_quality(config).frame.to_csv(tmp_path / "equal_quality.csv", index=False)
    (tmp_path / "claims.csv").write_text("claim,verdict\n")
    lines = verdict_summary(
        tmp_path / "index.html", tmp_path / "claims.csv", tmp_path / "equal_quality.csv"
    )
    assert " ".join(" ".join(lines[6:]).split()).endswith(run["sentences"][0])
    assert all(len(line) <= 100 for line in lines[1:])


def test_a_difference_that_is_not_sure_shows_nothing(results):
    # The ANN is 0.05 dB better on average, but may be 1 dB worse.
    config = made(
        results,
        {"own": [10], "ann": [8]},
        {"own": [[25.0] * 4], "ann": [[23.0, 27.1, 23.0, 27.1]]},
    )
    row = only_row(config)
    assert (row["answer"], row["candidates"]) == (NONE_AS_GOOD, 1)
    assert savings(config).grey == frozenset()  # of equal quality all the same


def test_none_as_good_and_no_ann_on_the_same_data_are_answers(results):
    energies, scores = {"own": [10], "ann": [8]}, {"own": [[25, 27]], "ann": [[24.6, 26.6]]}
    assert only_row(made(results, energies, scores))["answer"] == NONE_AS_GOOD
    elsewhere = made(results, energies, scores, {"ann": "Rain200H"})
    assert only_row(elsewhere)["answer"] == NO_ANN
    assert headlines(elsewhere)["runs"][0]["sentences"] == [f"(b): {NO_ANN}"]


def test_seeds_are_averaged_image_by_image_and_energies_over_seeds(results):
    config = made(
        results,
        {"own": [10, 14], "ann": [8, 8, 8]},
        {"own": [[24, 26], [26, 28]], "ann": [[25, 27], [25.2, 27.2], [25.1, 27.1]]},
    )
    row = only_row(config)
    assert row["answer"] == COMPARED
    assert (row["psnr"], row["psnr_baseline"]) == (26, pytest.approx(26.1))
    assert (row["difference_low"], row["difference_high"]) == (pytest.approx(-0.1),) * 2
    assert (row["ratio"], row["mj"], row["mj_baseline"]) == (pytest.approx(1.5), 12, 8)
    own, ann = points(config).drop_duplicates("run").to_dict("records")
    assert (own["seeds"], own["psnr_min"], own["psnr_max"]) == (2, 25, 27)
    assert own["psnr_sd"] == pytest.approx(2**0.5) and (own["mj_min"], own["mj_max"]) == (10, 14)
    assert (ann["seeds"], ann["frontier"], own["frontier"]) == (3, True, False)
    assert len(savings(config).view) == 1  # one row per pair of runs
    # One seed without scores: the run has none.
    (results.folder / "scores" / "ann" / "seed-2" / "rain" / "per_image.csv").unlink()
    assert only_row(config)["answer"] == UNSCORED


def test_an_image_restored_perfectly_by_one_is_left_out_for_both(results):
    config = made(
        results,
        {"own": [10], "ann": [8]},
        {"own": [[24, 26, 50]], "ann": [[24.3, 26.3, INFINITE]]},
    )
    [row] = savings(config).view.to_dict("records")
    assert (row["PSNR (dB), esdnet"], row["PSNR (dB), esdnet, baseline"]) == ("25.00", "25.30")
    assert only_row(config)["scored_images"] == 2


def test_pairs_without_scores_have_no_saving_but_a_reason(results):
    config = made(results, {"own": [4], "ann": [8]}, {"own": [[25, 26]], "ann": [None]})
    table = savings(config)
    assert table.view.empty
    assert "no saving stands without both scores: no scores of ann/seed-1 on rain." in table.caption
    assert table.frame[["saving", "low", "high", "psnr"]].isna().all(axis=None)
    assert list(table.frame["no_saving_because"]) == ["no scores of ann/seed-1 on rain"]
    assert only_row(config)["answer"] == UNSCORED
    for values, reason in (([25], OTHER_IMAGES), ([INFINITE, INFINITE], NO_FINITE)):
        results.scores("ann", values)
        assert list(savings(config).frame["no_saving_because"]) == [reason]


def test_a_quantised_form_and_the_structure_alone_have_no_quality(results):
    scores = {"own": [[25, 26]], "ann": [[25, 26]]}
    config = made(results, {"own": [4], "ann": [8]}, scores, baseline_bits=3)
    assert list(savings(config).frame["no_saving_because"]) == [
        "the quantised network was not scored"
    ]
    assert headline(config).empty
    config = made(results, {"own": [4], "ann": [8]}, scores, source="structure")
    assert list(savings(config).frame["no_saving_because"]) == [STRUCTURE_ONLY]
    assert "Empty: " in savings(config).caption and "Empty: " in equal_quality(config).caption


@pytest.mark.parametrize(
    ("apart", "equal"), [(0.5, True), (-0.5, True), (0.51, False), (-0.51, False)]
)
def test_the_margin_of_equal_quality_counts_both_ways_and_includes_its_end(apart, equal):
    own = pd.DataFrame({"seed-1": [20.0, 30.0]}, index=["a", "b"])
    pair = quality_pair(own, own + apart)
    assert (pair.equal_quality, pair.difference) == (equal, pytest.approx(-apart))
    assert pair.apart == ("" if equal else "0.51 dB apart")
    assert pair.not_worse == (apart > 0)


def test_one_image_alone_shows_nothing():
    one = pd.DataFrame({"seed-1": [20.0]}, index=["a"])
    pair = quality_pair(one, one + 0.2)
    assert pair.equal_quality and not pair.not_worse and pd.isna(pair.low)


def test_the_frontier_by_hand():
    psnr = np.array([20.0, 22.0, 21.0, 22.0, 25.0, 25.0])
    mj = np.array([1.0, 3.0, 4.0, 5.0, 9.0, 9.0])
    # 21 dB for 4 is beaten by 22 for 3, and so is 22 for 5; equal points do not beat each other.
    assert list(on_frontier(psnr, mj)) == [True, True, False, False, True, True]


def test_a_part_of_a_set_is_other_data_than_the_whole(results):
    train = {"dataset": "Rain200H", "recipe": "esdnet", "seeds": [1]}
    runs = {
        "own": {"model": "esdnet", "train": train, "test": ["rain"]},
        "whole": {"model": "prenet", "weights": "recderain_rain200h/prenet.pth", "test": ["rain"]},
        "unknown": {"model": "prenet", "weights": "mine/prenet.pth", "test": ["rain"]},
    }
    config = results.config(**runs)
    values = config.model_dump(mode="json")
    found = []
    for subset in (True, False):
        values["datasets"]["Rain200H"] |= {"catalogue": "Rain200H", "subset": subset}
        parsed = type(config).model_validate(values)
        found.append({e.run: training_set(parsed, e) for e in run_variants(parsed)})
    assert found[0] == {"own": "Rain200H, part", "whole": "Rain200H", "unknown": ""}
    assert found[1]["own"] == found[1]["whole"] == "Rain200H"


def test_the_margins_have_meaning_and_source_and_are_checked(monkeypatch):
    known = margins()
    assert known.equal_quality_margin_db.value == 0.5 and known.not_worse_margin_db.value == 0.1
    assert all(getattr(m, part) for _, m in known for part in ("meaning", "source"))
    monkeypatch.setattr(margins_of_catalogue, "read_yaml", lambda file: {"equal_margin": {}})
    with pytest.raises(BenchError, match=r"margins\.yaml: equal_margin: unknown key"):
        margins()


def test_the_mean_of_equal_energies_is_none_of_a_higher_energy():
    equal = pd.Series([0.1, 0.1, 0.1])
    assert equal.mean() > equal.max()
    assert mean_in_range(equal) == 0.1
    assert mean_in_range(pd.Series([1.0, 2.0, 6.0])) == 3
