"""Nobody waits for what a verb does not need: torch, and libraries that take their time to import."""

import json
import os
import resource
import statistics
import subprocess
import sys

import numpy as np
import pytest
import seaborn as sns
from helpers import ROOT, SMALL, read_json
from invented import results
from scipy.signal import fftconvolve

from derainbench.catalog.model_cards import model_card, model_names
from derainbench.data.generation.rain import convolved, streak_kernel
from derainbench.energy.architecture import architecture
from derainbench.energy.structure import structure
from derainbench.foundation.source_graph import libraries_behind, modules_behind
from derainbench.report.figures.style import WHITE_GRID, palette
from derainbench.results.architecture import read_architecture, write_architecture
from derainbench.results.gradients import GradientReach, write_gradients
from derainbench.results.layout import layout_of
from derainbench.workflow.fingerprints import verb_modules

# They import torch, or are it.
HEAVY = {"torch", "torchvision", "spikingjelly", "pyiqa", "thop", "ptflops", "zeus"}
LIGHT_VERBS = (
    *("data list", "data verify", "data card", "data leaks", "data synthesise"),
    *("score", "scenarios", "audit", "check", "archive"),
    *(
        "tables",
        "figures",
        "energy-figures",
        "spike-figures",
        "training-figures",
        "verdict-figures",
        "paper",
        "report",
    ),
    *("published template", "published add", "plan", "data stand-in"),
)
SECONDS = 1.5
ATTEMPTS = 3  # another job on the machine slows a process down


@pytest.mark.parametrize("verb", LIGHT_VERBS)
def test_nothing_that_a_light_verb_could_call_imports_torch(verb):
    """Imports inside functions included."""
    assert not HEAVY & libraries_behind(modules_behind(verb_modules(verb))).keys()


def process(code: str, **environment: str) -> str:
    """What a process of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


CALLS = """
import contextlib, io, json, os, sys
from derainbench.cli import main
told = {}
for arguments in json.loads(os.environ["CALLS"]):
    sys.argv = ["derainbench", *arguments]
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    told[arguments[0]] = [code, "torch" in sys.modules]
print(json.dumps(told))
"""


@pytest.mark.slow
def test_report_and_audit_run_without_torch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = results(tmp_path)
    files = layout_of(config)
    counted = structure("esdnet", SMALL["esdnet"], 64)
    network = architecture("esdnet", SMALL["esdnet"], counted.layers, 64)
    write_architecture(network, files.architecture("esdnet"))
    reach = GradientReach("esdnet", {}, 17, 82, 82, "2.0.0", ["tau"])
    write_gradients(reach, files.gradients("esdnet"))
    verbs = ("audit", "tables", "figures", "paper", "report")
    calls = [[v, "--config", str(files.config), "--out", f"out/{v}"] for v in verbs]
    calls.append(["models", "esdnet"])
    told = json.loads(process(CALLS, CALLS=json.dumps(calls)))
    assert told == {verb: [0, False] for verb in (*verbs, "models")}
    made = read_json(tmp_path / "out" / "paper" / "esdnet" / "paper.json")["artefacts"]
    assert made["figure-3"]["files"]


def test_what_is_read_of_a_network_is_what_was_seen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = results(tmp_path, ("structure",))
    counted = structure("esdnet", SMALL["esdnet"], 64)
    seen = architecture("esdnet", SMALL["esdnet"], counted.layers, 64)
    write_architecture(seen, layout_of(config).architecture("esdnet"))
    assert read_architecture(config, "esdnet") == seen


@pytest.mark.parametrize("name", model_names())
def test_every_network_can_be_looked_at(name):
    """A network with lists of modules, windows or squares of one size too."""
    side = max(64, model_card(name).network.size_multiple)
    counted = structure(name, SMALL[name], side)
    seen = architecture(name, SMALL[name], counted.layers, side)
    assert seen.parameters == counted.parameters and seen.result
    macs = sum(block.spike_macs + block.analog_macs for block in seen.blocks)
    assert 0 < macs <= counted.layers["macs"].sum() * (1 + 1e-9)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["report", "--help"], ["models", "esdnet"]]
)
def test_help_and_facts_come_at_once(arguments):
    needed = []
    for _ in range(ATTEMPTS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        code = f"import sys; sys.argv[1:] = {arguments}; from derainbench.cli import main; main()"
        assert process(code)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        needed.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if statistics.median(needed) < SECONDS:
            return
    raise AssertionError(f"{needed} s")


def test_the_command_line_itself_imports_no_library_of_numbers():
    loaded = process("import sys, derainbench.cli; print(*sys.modules)").split()
    assert not {"torch", "numpy", "pandas", "matplotlib", "scipy", "pydantic"} & set(loaded)


def test_a_model_without_size_says_how_to_get_its_size(cli):
    assert "models prn_r --size 256" in cli("models", "prn_r").stdout
    assert "21,123 parameters" in cli("models", "prn_r", "--size", 64).stdout


STEP = """
import hashlib, sys
import torch
from derainbench.models import without_compiler
if {with_compiler}:
    without_compiler.leave_out_compiler = lambda: None
import derainbench.models.construction as construction
if {with_compiler}:
    construction.leave_out_compiler = lambda: None
from torch.utils._python_dispatch import TorchDispatchMode

class Watching(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        return function(*arguments, **(keywords or {{}}))

torch.manual_seed(0)
model = construction.build("esdnet", **{kwargs})
optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
image = torch.rand(1, 3, 32, 32)
for _ in range(2):
    with Watching():
        restored = model(image)
    (restored - image).square().mean().backward()
    optimiser.step()
    optimiser.zero_grad()
total = hashlib.sha256()
for tensor in model.state_dict().values():
    total.update(tensor.numpy().tobytes())
print(total.hexdigest(), sum(name.startswith("torch._dynamo.") for name in sys.modules))
"""


@pytest.mark.slow
def test_torch_computes_the_same_without_its_compiler():
    usual, without = (
        process(STEP.format(with_compiler=flag, kwargs=SMALL["esdnet"])).split()
        for flag in (True, False)
    )
    assert usual[0] == without[0]
    assert int(usual[1]) > 0 and without[1] == "0"


@pytest.mark.slow
def test_who_asks_for_the_compiler_gets_it():
    code = """
import torch
from derainbench.models.construction import build
build("prn_r", recurrent_iter=1)
print(torch.compile(lambda x: 2 * x, backend="eager")(torch.ones(1)).item())
import torch._dynamo.config
print(torch._dynamo.is_compiling())
"""
    assert process(code).split() == ["2.0", "False"]


def test_the_look_is_seaborns():
    usual = {**sns.axes_style("whitegrid")}
    assert {key: usual[key] for key in WHITE_GRID} == WHITE_GRID
    assert usual.keys() - WHITE_GRID.keys() == {
        "axes.spines.right",  # set apart
        "axes.spines.top",
        "image.cmap",  # every image that needs one names its own
    }
    for count in (1, 5, 12):
        assert palette(count) == [tuple(c) for c in sns.color_palette("colorblind", count)]


def test_rain_falls_as_scipys_convolution_lets_it():
    random = np.random.default_rng(0)
    for length, width in ((6, 0.5), (23, 1.1), (60, 2.0)):
        kernel = streak_kernel(length, width, random.uniform(-30, 30))
        image = random.random((96 + kernel.shape[0], 131 + kernel.shape[0]))
        assert np.array_equal(convolved(image, kernel), fftconvolve(image, kernel, mode="valid"))
