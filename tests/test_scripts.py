"""Scripts that write documents and measure are run rarely: what they import must still be there."""

import sys
from importlib import import_module

import pytest
from helpers import ROOT

FOLDERS = [ROOT / "benchmarks", ROOT / "tools"]
sys.path += map(str, FOLDERS)
SCRIPTS = sorted(path.stem for folder in FOLDERS for path in folder.glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_all_that_a_script_imports_is_there(script):
    import_module(script)
