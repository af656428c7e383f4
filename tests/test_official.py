"""Official weights, evaluated through the command line, score what the official code scores."""

import os
import shutil
from dataclasses import dataclass, field

import pandas as pd
import pytest
from helpers import GOLDEN, run_process

FULL = os.environ.get("DERAIN_FULL") == "1"  # all images: an hour
FEW = 2  # else
# column of the official files: protocol and column of ours
COLUMNS = {
    "psnr_matlab_double": ("matlab-double", "psnr"),
    "psnr_matlab_uint8": ("matlab-uint8", "psnr"),
    "psnr_esdnet_crop4": ("esdnet", "psnr"),
    "psnr_rgb": ("rgb", "psnr"),
    "psnr_input_matlab_double": ("matlab-double", "psnr_input"),
}


@dataclass(frozen=True)
class Official:
    """Scores of official code with official weights, and how the same is run here."""

    file: str
    model: str
    weights: str
    dataset: str
    target: dict[str, str] = field(default_factory=dict)  # how a target's name differs


CASES = {
    "prenet on Rain100L": Official(
        "prenet6_rain100l_on_Rain100L.csv",
        "prenet",
        "prenet_rain100l/prenet6.pth",
        "Rain100L",
        target={"rain-": "norain-"},
    ),
    "prenet on Rain200H": Official(
        "recderain_prenet_on_Rain200H.csv", "prenet", "recderain_rain200h/prenet.pth", "Rain200H"
    ),
    # Four recurrences, the network's default; the weights' own script has eight.
    "brn on Rain200H": Official(
        "recderain_brn_on_Rain200H.csv", "brn", "recderain_rain200h/brn.pth", "Rain200H"
    ),
}


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def pair(request, tmp_path_factory):
    """The official scores and ours, by image and protocol, of the same images."""
    case, folder = request.param, tmp_path_factory.mktemp("official")
    own = GOLDEN / "official" / case.file
    shared = request.getfixturevalue("shared")
    file = own if own.is_file() else shared / "golden" / "official" / case.file
    official = pd.read_csv(file).set_index("file")
    official = official if FULL else official.iloc[:FEW]
    source = shared / "data" / case.dataset / "test"
    for name in official.index:
        target = name
        for old, new in case.target.items():
            target = target.replace(old, new)
        for side, image in (("input", name), ("target", target)):
            (folder / "test" / side).mkdir(parents=True, exist_ok=True)
            shutil.copy(source / side / image, folder / "test" / side / image)
    done = run_process(
        "evaluate", "--model", case.model, "--weights", shared / "weights" / case.weights,
        "--data", folder / "test", "--out", folder / "out",
    )  # fmt: skip
    assert done.code == 0, done.stderr
    ours = pd.read_csv(folder / "out" / "per_image.csv").set_index(["image", "protocol"])
    return official, ours


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMNS)
def test_psnr_is_the_official_one(column, pair):
    official, ours = pair
    protocol, mine = COLUMNS[column]
    found = ours.xs(protocol, level="protocol")[mine]
    assert len(found) == len(official)
    assert (found - official[column].loc[found.index]).abs().max() <= 0.002


@pytest.mark.slow
def test_ssim_is_the_official_one(pair):
    official, ours = pair
    found = ours.xs("matlab-double", level="protocol")["ssim"]
    assert (found - official["ssim_matlab_double"].loc[found.index]).abs().max() <= 1e-4
