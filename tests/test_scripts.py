"""Scripts that write documents and measure are run rarely: what they import must still be there."""

import ast
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


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_says_how_it_is_called(script):
    """An argument that is taken by its number is missing with a traceback."""
    [file] = [path for folder in FOLDERS if (path := folder / f"{script}.py").is_file()]
    taken = [
        node.lineno
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "sys.argv"
        if isinstance(node.slice, ast.Constant)
    ]
    assert not taken, f"{file.name}, lines {taken}: sys.argv by number"
