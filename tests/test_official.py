"""The official PReNet, evaluated through the command line, scores what the official code scores."""

import os
import shutil

import pandas as pd
import pytest
from helpers import GOLDEN, run_process

OFFICIAL = pd.read_csv(GOLDEN / "official" / "prenet6_rain100l_on_Rain100L.csv")
FULL = os.environ.get("DERAIN_FULL") == "1"  # all 20 images: minutes
# column of the official file: protocol and column of ours
COLUMNS = {
    "psnr_matlab_double": ("matlab-double", "psnr"),
    "psnr_matlab_uint8": ("matlab-uint8", "psnr"),
    "psnr_esdnet_crop4": ("esdnet", "psnr"),
    "psnr_rgb": ("rgb", "psnr"),
    "psnr_input_matlab_double": ("matlab-double", "psnr_input"),
}


@pytest.fixture(scope="module")
def scores(shared, tmp_path_factory):
    """Our per-image scores of the official weights, by image and protocol."""
    folder = tmp_path_factory.mktemp("official")
    source = shared / "data" / "Rain100L" / "test"
    for name in OFFICIAL["file"] if FULL else OFFICIAL["file"][:3]:
        for side, file in (("input", name), ("target", name.replace("rain-", "norain-"))):
            (folder / "test" / side).mkdir(parents=True, exist_ok=True)
            shutil.copy(source / side / file, folder / "test" / side / file)
    weights = shared / "weights" / "prenet_rain100l" / "prenet6.pth"
    done = run_process(
        "evaluate", "--model", "prenet", "--weights", weights, "--data", folder / "test",
        "--out", folder / "out",
    )  # fmt: skip
    assert done.code == 0, done.stderr
    return pd.read_csv(folder / "out" / "per_image.csv").set_index(["image", "protocol"])


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMNS)
def test_psnr_is_the_official_one(column, scores):
    protocol, ours = COLUMNS[column]
    mine = scores.xs(protocol, level="protocol")[ours]
    official = OFFICIAL.set_index("file")[column].loc[mine.index]
    assert len(mine) == (20 if FULL else 3)
    assert (mine - official).abs().max() <= 0.002


@pytest.mark.slow
def test_ssim_is_the_official_one(scores):
    mine = scores.xs("matlab-double", level="protocol")["ssim"]
    official = OFFICIAL.set_index("file")["ssim_matlab_double"].loc[mine.index]
    assert (mine - official).abs().max() <= 1e-4
