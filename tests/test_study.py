"""The page on the scaled-down study says what its tables say."""

import re
import sys

import pandas as pd
import pytest
from helpers import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import study
import study_tables


@pytest.fixture(scope="module")
def kept():
    return study.Study(study.RESULTS)


def test_the_page_is_made_from_the_tables():
    assert study.PAGE.read_text("utf-8") == study.document()


def test_differences_are_signed_by_the_network_named_first(kept):
    one, other = (
        kept.difference(*pair)
        for pair in ((study.OWN, study.COUNTERPART), (study.COUNTERPART, study.OWN))
    )
    means = [kept.score(run, "psnr")["mean"] for run in (study.OWN, study.COUNTERPART)]
    assert one["difference"] == pytest.approx(means[0] - means[1], abs=1e-5)
    assert (other["difference"], other["low"]) == (-one["difference"], -one["high"])
    assert {one["verdict"], other["verdict"]} in ({"better", "worse"}, {"undecided"})


def test_words_follow_the_numbers():
    row = pd.Series({"difference": -1.5, "low": -2.0, "high": -1.0})
    assert study_tables.than(row) == "1.50 dB below [-2.00, -1.00]"
    assert study_tables.than(row + 3) == "1.50 dB above [+1.00, +2.00]"
    assert (study_tables.share(0.25), study_tables.share(-0.25)) == ("25 % less", "25 % more")


def test_the_study_is_what_the_configuration_says(kept):
    for short, long in study.LONGER.items():
        runs = [kept.config["runs"][run] for run in (short, long)]
        assert runs[0]["model"] == runs[1]["model"] and runs[0]["kwargs"] == runs[1]["kwargs"]
        assert len(runs[0]["train"]["seeds"]) == 3 and runs[0]["train"]["monitor"]
    budgets = {str(kept.config["runs"][run]["train"]["set"]) for run in study.LONGER}
    assert len(budgets) == 1


def test_short_and_long_trainings_began_alike(kept):
    equal, epochs = map(
        int, re.search(r"in (\d+) of (\d+) such", study_tables.same_start(kept)).groups()
    )
    assert equal == epochs >= 2 * len(study.LONGER)


def test_every_training_is_accounted_for(kept):
    trained = [run["train"] for run in kept.config["runs"].values() if run["train"]]
    rows = [line.split("|") for line in study_tables.training_table(kept).splitlines()[2:]]
    assert sum(int(row[-3]) for row in rows) == sum(len(train["seeds"]) for train in trained)
