"""`derainbench validate`: registered models keep the contract, each breach is found, others join."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from helpers import ROOT, SMALL, Done, one_line
from spikingjelly.activation_based import functional, neuron
from torch import nn

from baselines.esdnet_ann import ESDNetANN
from derainbench.catalog import model_cards
from derainbench.catalog.model_cards import card_files, model_names
from derainbench.energy.conformance.topology import absent, differences, topology
from derainbench.energy.conformance.validation import APART, CHECKS, FAILS, OK, validate
from derainbench.foundation.errors import BenchError
from esdnet import ESDNet

CARD = {
    "name": "toy",
    "title": "Toy",
    "paper": {"authors": "A, B", "title": "T", "venue": "V", "year": 2020},
    "code": {"repository": "r", "licence": "MIT", "licence_source": "LICENSE"},
    "training": {"source": "s"},
    "published_note": "none",
    "weights_licence": "none",
    "no_weights": "it is a toy",
    "sources": ["s"],
}
COUNTERPART = "counterpart's topology"


class Toy(nn.Module):
    """A network that keeps the contract; the others break it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x) + x


class WithoutDefault(Toy):
    def __init__(self, width: int) -> None:
        super().__init__()


class DrawnElsewhere(Toy):
    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.from_numpy(np.random.default_rng().random(3)))


class Spiking(Toy):
    T: int | None = 2

    def __init__(self) -> None:
        super().__init__()
        self.neuron = neuron.LIFNode(step_mode="m")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        functional.reset_net(self)
        spikes = self.neuron(self.conv(x).expand(2, *x.shape))
        functional.reset_net(self)
        return spikes.mean(0) + x


class ResetBefore(Spiking):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        functional.reset_net(self)
        return self.neuron(self.conv(x).expand(2, *x.shape)).mean(0) + x


class WithoutSteps(Spiking):
    T = None


class Half(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x)[..., ::2]


class Several(Toy):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (super().forward(x),)


class Double(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).double()


class AfraidOfTheDark(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x / x.amax())


class SingleImages(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x[:1])


class Clamped(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(4 * x).clamp(0, 1)


class Writing(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.mul_(0.5))


class EvenSizes(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.pixel_shuffle(F.pixel_unshuffle(super().forward(x), 2), 2)


class OfAnotherMultiple(Toy):
    size_multiple = 2


class Remembering(Toy):
    last: torch.Tensor | float = 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        restored = super().forward(x) + self.last
        self.last = x.mean()
        return restored


class Unreset(Spiking):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.neuron(self.conv(x).expand(2, *x.shape)).mean(0) + x


class OneMemory(Remembering):
    """Gives the same tensor every time."""

    memory = torch.zeros(1, 3, 32, 32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        restored = super().forward(x)
        if restored.shape != self.memory.shape:
            return restored
        return self.memory.copy_(restored)


class Counting(Toy):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return super().forward(x)


class Random(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(super().forward(x), 0.5, training=True)


class HalfSaved(Toy):
    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.rand(3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * self.gain.to(x)


class Unaccounted(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.special.bessel_j0(x))


class Watched(Toy):
    """Knows when it is counted."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + len(self.conv._forward_hooks)


class OtherWithoutValues(Toy):
    """Leaves its layer out where there are shapes only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.is_meta else super().forward(x)


class NeedsValues(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) if x.mean().item() > -1 else x


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Validates a network of this file under a card with these facts; results by check."""
    known = card_files()

    def run(network: type[nn.Module], **facts: object) -> dict[str, tuple[str, str]]:
        of_network = {k: facts.pop(k) for k in [*facts] if k not in ("spiking", "twin_of")}
        card = (
            CARD | facts | {"network": {"build": f"test_validate:{network.__name__}", **of_network}}
        )
        file = tmp_path / "toy.yaml"
        file.write_text(yaml.safe_dump(card))
        monkeypatch.setattr(model_cards, "card_files", lambda: {**known, "toy": file})
        results = validate("toy")
        assert [result.check for result in results] == [*CHECKS]
        assert all(one_line(result.seen) for result in results)
        return {result.check: (result.result, result.seen) for result in results}

    return run


def failing(results: dict[str, tuple[str, str]]) -> set[str]:
    return {check for check, (result, _) in results.items() if result == FAILS}


@pytest.mark.parametrize(
    ("network", "facts"),
    [
        (Toy, {}),
        (Spiking, {"spiking": True}),
        (ResetBefore, {"spiking": True}),
        (EvenSizes, {"size_multiple": 2}),
        (Toy, {"fixed_size": 64, "size_multiple": 64, "tiling": {"side": 64, "overlap": 8}}),
    ],
)
def test_a_network_that_keeps_the_contract_passes(checked, network, facts):
    results = checked(network, **facts)
    assert failing(results) == set()
    assert [check for check, (result, _) in results.items() if result == APART] == [COUNTERPART]


STATE = ("evaluation repeats", "counting changes nothing")


@pytest.mark.parametrize(
    ("network", "facts", "check", "reason", "others"),
    [
        (WithoutDefault, {}, "builds with defaults", "arguments without a default: width", None),
        (DrawnElsewhere, {}, "builds with defaults", "gain differs between two networks", ()),
        (Toy, {"spiking": True}, "spiking as stated", "no module is one of spikingjelly's", ()),
        (Spiking, {}, "spiking as stated", "has spiking neurons, which the card does not say", ()),
        (WithoutSteps, {"spiking": True}, "spiking as stated", "the attribute T, is None", ()),
        (Half, {}, "shape and range", "gives 1x3x32x16 for 1x3x32x32", ("size multiple",)),
        (Several, {}, "shape and range", "gives a tuple in place of", None),
        (Double, {}, "shape and range", "gives torch.float64 on cpu", ("size multiple",)),
        (AfraidOfTheDark, {}, "shape and range", "values that are not finite", ()),
        (SingleImages, {}, "shape and range", "gives 1x3x32x32 for 2x3x32x32", ()),
        (Clamped, {}, "shape and range", "is clamped to [0, 1]", ()),
        (Writing, {}, "input left as it is", "writes to the image", ()),
        (EvenSizes, {}, "size multiple", "32x33: RuntimeError: ", ("no state between calls",)),
        (Toy, {"size_multiple": 4}, "size multiple", "takes 33x33, too: 4 is more than it", ()),
        (
            EvenSizes, {"size_multiple": 4}, "size multiple", "takes 34x34, too: 4 is more", (),
        ),
        (OfAnotherMultiple, {}, "size multiple", "the card says 1, the network's size_mul", ()),
        (
            EvenSizes, {"size_multiple": 2, "fixed_size": 63}, "size multiple",
            "fixed_size 63 is no multiple of 2", None,
        ),
        (
            EvenSizes, {"size_multiple": 2, "tiling": {"side": 63, "overlap": 8}}, "tiles",
            "tiles of 63 pixels are no multiple of 2", (),
        ),
        (Toy, {"tiling": {"side": 64, "overlap": 40}}, "tiles", "an overlap of 40", ()),
        (Toy, {"tiling": {"side": 64, "overlap": 0}}, "tiles", "an overlap of 0", ()),
        (Toy, {"max_pixels": 4096}, "tiles", "a tile has 262144 pixels, max_pixels is", ()),
        (Remembering, {}, "no state between calls", "after another image went through", STATE),
        (
            Unreset, {"spiking": True}, "no state between calls",
            "with what a call left in neuron.v", None,
        ),
        (
            OneMemory, {}, "no state between calls", "after another image went through",
            (*STATE, "operators have rules"),
        ),
        (Counting, {}, "no state between calls", "calls changes in a call in eval mode", ()),
        (Random, {}, "evaluation repeats", "differs by up to", ("operators have rules",)),
        (HalfSaved, {}, "weights round-trip", "with the weights loaded from a file", ()),
        (
            Unaccounted, {}, "operators have rules",
            "no rule in catalog/operators.yaml for special_bessel_j0 in the model", (),
        ),
        (Watched, {}, "counting changes nothing", "while it is counted", ()),
        (OtherWithoutValues, {}, "counting changes nothing", "from shapes None, from tens", None),
        (NeedsValues, {}, "operators have rules", "", ("counting changes nothing",)),
        (Toy, {"twin_of": "esdnet"}, COUNTERPART, "only the spiking network has ", ()),
        (Toy, {"twin_of": "prenet"}, COUNTERPART, "and prenet some", ()),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)  # fmt: skip
def test_each_breach_is_found(checked, network, facts, check, reason, others):
    """By its own check, and by ``others`` alone; None: whatever else fails."""
    results = checked(network, **facts)
    assert results[check][0] == FAILS
    assert reason in results[check][1]
    if others is not None:
        assert failing(results) == {check, *others}


@pytest.mark.parametrize("name", model_names())
def test_every_registered_model_keeps_the_contract(name):
    results = validate(name, SMALL[name])
    assert [(r.check, r.seen) for r in results if r.result == FAILS] == []


# Topology

SHAPE = {"dim": 16, "en_num_blocks": (1, 1, 1), "de_num_blocks": (1, 1, 1)}


@pytest.fixture(scope="module")
def spiking():
    return topology(ESDNet(**SHAPE, T=2), 32)


def counterpart(**changes: object):
    return topology(ESDNetANN(**(SHAPE | changes)), 32)


def test_a_counterpart_has_the_layers_of_its_spiking_network(spiking):
    assert differences(spiking, counterpart()) == []
    assert all(".ta." in place.layer for place in absent(spiking, counterpart()))
    assert len(absent(spiking, counterpart())) == 2 * 6


@pytest.mark.parametrize(
    ("changes", "first", "count"),
    [
        ({"dim": 32}, "only the spiking network has patch_embed.proj (weight 16x3x3x3, output", 60),
        ({"en_num_blocks": (1, 2, 1)}, "only the counterpart has encoder_level2.1.residual.1", 3),
        ({"refine": False}, "only the spiking network has refinement.sa.0 (weight 32x32x3x3", 5),
        ({"shortcut": False}, "only the spiking network has encoder_level1.0.shortcut.0", 6),
    ],
)
def test_another_topology_is_told(spiking, changes, first, count):
    found = differences(spiking, counterpart(**changes))
    assert found[0].startswith(first)
    assert len([f for f in found if ".attn." not in f]) == count


def test_more_attention_than_the_spiking_network_has_is_told():
    plain = topology(ESDNet(**SHAPE, T=2, attentions=("temporal",)), 32)
    assert ".attn." in differences(plain, counterpart())[0]


class Stepped(nn.Module):
    """Two layers, stepped in a loop."""

    T = 3

    def __init__(self, steps: int = 3, last: str = "second", neurons: bool = True) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.neuron = neuron.IFNode() if neurons else nn.ReLU()
        self.steps, self.last = steps, last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = (
            (self.first, self.second) if self.last == "second" else (self.second, self.first)
        )
        functional.reset_net(self)
        out = sum(second(self.neuron(first(x))) for _ in range(self.steps))
        functional.reset_net(self)
        return out


def test_steps_in_a_loop_are_folded_out():
    spiking = topology(Stepped(), 32)
    assert differences(spiking, topology(Stepped(1, neurons=False), 32)) == []
    [swapped] = differences(spiking, topology(Stepped(1, "first", neurons=False), 32))
    assert swapped == "second runs where the spiking network runs first"
    twice = differences(spiking, topology(Stepped(2, neurons=False), 32))
    assert twice[0] == "first runs 2 times, in the spiking network 3 times"


# Command line


def test_the_verb_shows_every_check(cli):
    done = cli("validate", "PRN-r", "--size", 40)
    assert (done.code, done.stderr) == (0, "")
    title, _, header, _, *rows, _ = done.stdout.splitlines()
    assert title == "prn_r"
    assert [cell.strip() for cell in header.split("|")[1:-1]] == [
        "check",
        "result",
        "what was seen",
    ]
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert [(check, result) for check, result, _ in cells] == [
        (check, APART if check == COUNTERPART else OK) for check in CHECKS
    ]
    seen = {check: text for check, _, text in cells}
    assert seen["builds with defaults"].startswith("21,123 parameters")
    assert "40x41" in seen["size multiple"]


def test_the_verb_ends_with_1_after_every_check_of_every_model(cli, checked):
    checked(Clamped, twin_of="esdnet")
    done = cli("validate", "toy", "prn_r")
    assert done.code == 1
    assert done.stdout.count("builds with defaults") == 2
    assert done.stderr == (
        f"derainbench: error: rules broken: toy: shape and range, {COUNTERPART}\n"
    )


def test_arguments_are_those_of_one_model(cli):
    done = cli("validate", "prn_r", "--kwarg", "recurrent_iter=2")
    assert done.code == 0 and "24 convolutions" in done.stdout
    assert cli("validate", "prn_r", "prn", "--kwarg", "recurrent_iter=2").code == 2


def test_an_unknown_model_is_refused_before_any_check(cli):
    done = cli("validate", "prn_r", "prennet")
    assert (done.code, done.stdout) == (1, "")
    assert "did you mean 'prenet'" in done.stderr


# A package of others

PYPROJECT = """
    [build-system]
    requires = ["setuptools"]
    build-backend = "setuptools.build_meta"

    [project]
    name = "my-deraining"
    version = "1.0"

    [project.entry-points."derainbench.models"]
    my-net = "my_deraining"

    [tool.setuptools]
    packages = ["my_deraining"]

    [tool.setuptools.package-data]
    my_deraining = ["*.yaml"]
"""
NETWORK = """
    import torch
    from torch import nn


    class MyNet(nn.Module):
        def __init__(self, width: int = 8) -> None:
            super().__init__()
            self.layers = nn.Sequential(
                nn.Conv2d(3, width, 3, 2, 1), nn.ReLU(), nn.ConvTranspose2d(width, 3, 2, 2)
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.layers(x)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory):
    """The command line where a package of somebody else is installed, which brings a model."""
    folder = tmp_path_factory.mktemp("others")
    package = folder / "source" / "my_deraining"
    package.mkdir(parents=True)
    (folder / "source" / "pyproject.toml").write_text(textwrap.dedent(PYPROJECT))
    (package / "__init__.py").touch()
    (package / "network.py").write_text(textwrap.dedent(NETWORK))
    network = {"build": "my_deraining.network:MyNet", "size_multiple": 2}
    card = CARD | {"name": "my-net", "title": "MyNet", "network": network}
    (package / "my-net.yaml").write_text(yaml.safe_dump(card))
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
    assert [cell.strip() for cell in row.split("|")][1:5] == ["my-net", "MyNet", "V 2020", "323"]
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


def test_an_unknown_model_raises_before_anything_is_built():
    with pytest.raises(BenchError, match="unknown model 'nothing-like-it'"):
        validate("nothing-like-it")
