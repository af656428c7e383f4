"""The calibration page says what its tables say, and the tables what is promised."""

import importlib.util

import pandas as pd
import pytest
from helpers import ROOT

SPEC = importlib.util.spec_from_file_location(
    "model_calibration", ROOT / "benchmarks" / "model_calibration.py"
)
calibration = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(calibration)
TABLE = pd.read_csv(calibration.CSV)


def test_the_page_is_made_from_the_tables():
    scores = pd.read_csv(calibration.SCORES)
    assert calibration.PAGE.read_text("utf-8") == calibration.document(TABLE, scores)


@pytest.mark.parametrize("row", TABLE.to_dict("records"), ids=lambda row: row["network"])
def test_every_network_is_the_official_one(row):
    assert row["parameters"] == row["parameters_official"]
    if not pd.isna(row["gmacs_official"]):
        assert row["gmacs"] == pytest.approx(row["gmacs_official"], rel=0.005)
    # Of the largest output; in float32 equal but for rounding, or in float64, where that is given.
    assert row["difference"] < 1e-5 or row["difference64"] < 1e-10
