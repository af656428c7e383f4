"""A package of somebody else brings its model to every verb, as docs/models.md says."""

import os
import re
import subprocess
import sys

import pytest
from helpers import ROOT, Done

from derainbench.energy.conformance.validation import CHECKS

GUIDE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory):
    """The command line where a package of somebody else is installed, which brings a model."""
    folder = tmp_path_factory.mktemp("others")
    for name, content in re.findall(r'^```\w+ title="(.+?)"\n(.*?)^```$', GUIDE, re.DOTALL | re.M):
        file = folder / "source" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    site = folder / "site"
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", site]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install"]
    subprocess.run([*pip, *options, folder / "source"], check=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}

    def call(*arguments: object) -> Done:
        command = [sys.executable, "-m", "derainbench", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return call


@pytest.mark.slow
def test_the_model_of_an_installed_package_is_listed(installed):
    done = installed("models", "--size", 32)
    [row] = [row for row in done.stdout.splitlines() if "my-net" in row]
    assert done.code == 0
    assert [cell.strip() for cell in row.split("|")][1:5] == ["my-net", "MyNet", "none 2026", "323"]
    assert "prenet" in done.stdout


def test_the_model_of_an_installed_package_is_shown_checked_and_counted(installed, tmp_path):
    shown = installed("models", "my-net", "--size", 64)
    assert shown.code == 0 and "323 parameters" in shown.stdout
    checked = installed("validate", "my-net")
    assert (checked.code, checked.stderr) == (0, "")
    assert checked.stdout.count("| ok ") == len(CHECKS) - 1
    counted = installed("energy", "--model", "my-net", "--size", 64, "--out", tmp_path / "energy")
    assert counted.code == 0
    # A strided 3x3 convolution from 3 to 8 channels, a 2x2 transposed one back.
    assert f'"macs_dense": {32 * 32 * (3 * 8 * 9 + 8 * 3 * 4)}.0' in counted.stdout
    assert (tmp_path / "energy" / "layers.csv").is_file()


def test_an_argument_of_a_package_is_checked_like_any_other(installed):
    done = installed("validate", "my-net", "--kwarg", "wdith=4")
    assert done.code == 1
    assert "takes no argument 'wdith' (did you mean 'width'?)" in done.stdout
