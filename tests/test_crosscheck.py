"""Other counters, on networks that can be counted on paper and on ESDNet; every difference has a
reason, and one without is not hidden."""

import json
import subprocess
import sys

import pandas as pd
import pytest
import torch
from helpers import ROOT, SMALL, one_line, refusal
from spikingjelly.activation_based import layer
from torch import nn

from derainbench.config.schema import Config
from derainbench.energy.crosscheck import comparison as checks
from derainbench.energy.crosscheck.other_counters import COUNTERS
from derainbench.energy.crosscheck.reading import OtherCounter, Reading
from derainbench.energy.crosscheck.sizes import count_at_sizes
from derainbench.foundation.errors import BenchError
from derainbench.models.construction import build

BY_NAME = {counter.name: counter for counter in COUNTERS}
TORCH, SJ_FLOP, SJ_MAC, ATEN, PTFLOPS, THOP, NEUROBENCH = (
    "torch FlopCounterMode",
    "spikingjelly FlopCounter",
    "spikingjelly MACCounter",
    "ptflops aten",
    "ptflops pytorch",
    "thop",
    "neurobench",
)
PADDING = "leaves out products with padding"
INSIDE = 22 * 22  # taps of a 3x3 kernel that meet an 8x8 image padded by one
BIAS = "counts the bias as an operation"


class Steps(nn.Module):
    """spikingjelly's multi-step convolution on four time steps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = layer.Conv2d(3, 5, 3, padding=1, bias=False, step_mode="m")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x.expand(4, *x.shape))[0]


class Product(nn.Module):
    """Attention's kind of product: no weights."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.flatten(2)
        return rows @ rows.transpose(1, 2)


class Spikes(nn.Module):
    """A convolution of zeros and ones."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv((x > 0.5).float())


class Shared(nn.Module):
    """One convolution in two places."""

    def __init__(self) -> None:
        super().__init__()
        conv = nn.Conv2d(3, 3, 1, bias=False)
        self.first, self.second = nn.Sequential(conv), nn.Sequential(conv)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x))


def compare(make, counter: OtherCounter, side: int = 8) -> tuple[dict, pd.DataFrame]:
    """The rows of one counter on a network that ``make`` builds."""
    device = "cpu" if counter.needs_values else "meta"

    def build() -> nn.Module:
        torch.manual_seed(0)
        with torch.device(device):
            return make().eval()

    image = checks.input_image(side, device)
    row, layers = checks.compare("net", counter, build, image, checks.network_facts(build, image))
    return row, pd.DataFrame(layers)


# What each counter says if it differs from our count (the first number), and why.
@pytest.mark.parametrize(
    ("make", "ours", "others"),
    [
        pytest.param(  # 8x8 -> 4x4
            lambda: nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1, groups=3, bias=False)),
            6 * 4 * 4 * 1 * 9,
            {NEUROBENCH: (6 * 11 * 11, PADDING)},
            id="stride, padding, groups",
        ),
        pytest.param(
            lambda: nn.Sequential(nn.Conv2d(3, 5, 3)),  # 8x8 -> 6x6
            5 * 6 * 6 * 3 * 9,
            {
                SJ_FLOP: (5 * 6 * 6 * 3 * 9 + 5 * 6 * 6 / 2, BIAS),
                ATEN: (5 * 6 * 6 * 3 * 9 + 5 * 6 * 6, BIAS),
                PTFLOPS: (5 * 6 * 6 * 3 * 9 + 5 * 6 * 6, BIAS),
            },
            id="bias",
        ),
        pytest.param(  # 8x8 -> 16x16
            lambda: nn.Sequential(
                nn.ConvTranspose2d(3, 5, 3, stride=2, padding=1, output_padding=1, bias=False)
            ),
            3 * 8 * 8 * 5 * 9,
            {
                THOP: (5 * 16 * 16 * 3 * 9, "by output elements"),
                NEUROBENCH: (0, "ConvTranspose2d has no rule in neurobench: counted as 0"),
            },
            id="transposed",
        ),
        pytest.param(  # 8x8 -> 16x16
            lambda: nn.Sequential(nn.ConvTranspose2d(3, 6, 2, stride=2, groups=3, bias=False)),
            3 * 8 * 8 * 2 * 4,
            {
                THOP: (6 * 16 * 16 * 1 * 4, "by output elements"),
                NEUROBENCH: (0, "ConvTranspose2d has no rule in neurobench: counted as 0"),
            },
            id="transposed, groups",
        ),
        pytest.param(
            lambda: nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 7, bias=False)),
            3 * 8 * 8 * 7,
            {},
            id="linear",
        ),
        pytest.param(
            lambda: nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 7)),
            3 * 8 * 8 * 7,
            {
                SJ_FLOP: (3 * 8 * 8 * 7 + 7 / 2, BIAS),
                ATEN: (3 * 8 * 8 * 7 + 7, BIAS),
                PTFLOPS: (3 * 8 * 8 * 7 + 7, BIAS),
            },
            id="linear, bias",
        ),
        pytest.param(
            Steps,
            4 * 5 * 8 * 8 * 3 * 9,
            {
                PTFLOPS: (0, "though its base torch.nn.modules.conv.Conv2d has: counted as 0"),
                THOP: (0, "though its base torch.nn.modules.conv.Conv2d has: counted as 0"),
                NEUROBENCH: (4 * 5 * 3 * INSIDE, PADDING),
            },
            id="spikingjelly, four steps",
        ),
        pytest.param(
            Product,  # [3,64] times [64,3]
            3 * 64 * 3,
            {
                PTFLOPS: (0, "product of two activations, no module"),
                THOP: (0, "product of two activations, no module"),
                NEUROBENCH: (0, "product of two activations, no module"),
            },
            id="product",
        ),
        pytest.param(
            Spikes,
            5 * 8 * 8 * 3 * 9,
            {
                SJ_FLOP: (5 * 8 * 8 * 3 * 9 + 3 * 8 * 8 / 2, "counts aten.gt"),
                SJ_MAC: (0, "input is spikes (all 0 or 1): counted as accumulates, not MACs"),
                NEUROBENCH: (5 * 3 * INSIDE, PADDING),
            },
            id="spikes",
        ),
        pytest.param(
            lambda: nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU()),
            4 * 8 * 8 * 3,
            {
                # mean and scale: 2 per element; weight and bias: 2; root of the variance: 2 per
                # channel
                SJ_FLOP: (4 * 8 * 8 * 3 + (4 * 4 * 8 * 8 + 2 * 4) / 2, "native_batch_norm"),
                SJ_MAC: (4 * 8 * 8 * 3 + 4 * 8 * 8, "native_batch_norm"),
                PTFLOPS: (4 * 8 * 8 * 3 + 2 * 4 * 8 * 8 + 2 * 4 * 8 * 8, "a second time"),
                THOP: (4 * 8 * 8 * 3 + 4 * 4 * 8 * 8, "counts normalisation"),
            },
            id="norm and activation",
        ),
        pytest.param(
            Shared,
            2 * 3 * 8 * 8 * 3,
            {
                PTFLOPS: (2 * 2 * 3 * 8 * 8 * 3, "used in several places: counted again"),
                # It hooks a module once per place, and adds the total once per place.
                THOP: (2 * 2 * 2 * 3 * 8 * 8 * 3, "used in several places: its rule runs"),
                NEUROBENCH: (2 * 2 * 3 * 8 * 8 * 3, "used in several places: its rule runs"),
            },
            id="shared",
        ),
    ],
)
@pytest.mark.parametrize("name", [TORCH, SJ_FLOP, SJ_MAC, ATEN, PTFLOPS, THOP, NEUROBENCH])
def test_networks_that_can_be_counted_on_paper(make, ours, others, name):
    row, layers = compare(make, BY_NAME[name])
    expected, reason = others.get(name, (ours, ""))
    assert (row["status"], row["macs_ours"], row["macs"]) == ("ok", ours, expected)
    assert reason in row["explanation"] and bool(row["explanation"]) == bool(reason)
    assert row["unexplained"] == 0
    assert layers["macs_ours"].sum() == ours
    assert layers["macs"].sum() == expected
    assert (layers["unexplained"] == 0).all()
    assert ((layers["difference"] != 0) <= (layers["reason"] != "")).all()


def conv() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 5, 3, padding=1, bias=False))


def test_a_difference_without_a_reason_is_shown():
    def one_too_many(model: nn.Module, image: torch.Tensor) -> Reading:
        reading = BY_NAME[TORCH].read(model, image)
        return Reading(reading.macs + 1, {"0": {"aten.convolution": reading.macs + 1}})

    row, layers = compare(conv, OtherCounter("odd", "torch", one_too_many))
    assert (row["difference"], row["unexplained"], row["explanation"]) == (1, 1, "")
    assert list(layers["unexplained"]) == [1]
    table = pd.DataFrame([row], columns=checks.COLUMNS)
    assert "| 0.01%" in checks.markdown(table)  # 1 of 5*64*27


@pytest.mark.parametrize(
    ("read", "status"),
    [
        (
            lambda *_: __import__("no_such_counter"),
            "cannot run: ModuleNotFoundError: No module named 'no_such_counter'",
        ),
        (lambda model, _: model(torch.rand(1, 2, 8, 8)), "cannot run: RuntimeError: "),
    ],
)
def test_a_counter_that_cannot_run_is_a_result(read, status):
    row, layers = compare(conv, OtherCounter("odd", "no-such-package", read, needs_values=True))
    assert row["status"].startswith(status) and "\n" not in row["status"]
    assert row["macs"] is None and row["version"] == "" and layers.empty
    assert row["macs_ours"] == 5 * 64 * 27


def test_syops_counts_or_says_why_not():
    row, _ = compare(conv, BY_NAME["syops"])
    try:
        import syops  # noqa: F401
    except ImportError as error:
        assert row["status"].startswith(f"cannot run: {type(error).__name__}: ")
        assert "/" not in row["status"]
    else:
        assert row["macs"] == 5 * 64 * 27


def test_without_neurobench_its_row_says_so(monkeypatch):
    for name in ("neurobench", *(n for n in sys.modules if n.startswith("neurobench."))):
        monkeypatch.setitem(sys.modules, name, None)  # not installed
    row, layers = compare(conv, BY_NAME[NEUROBENCH])
    assert row["status"].startswith("cannot run: ModuleNotFoundError: ")
    assert row["macs"] is None and layers.empty


def test_neurobench_sees_all_of_esdnets_layers_but_no_products_of_activations():
    """Subclasses have its rules, so nothing but padding separates it from our count."""
    table, layers = checks.crosscheck(["esdnet"], 64, [BY_NAME[NEUROBENCH]])
    [row] = table.to_dict("records")
    assert (row["status"], row["unexplained"], row["version"]) == ("ok", 0, "2.3.0")
    assert set(layers["reason"]) == {"", PADDING}


def test_ptflops_leaves_torch_as_it_was():
    before = torch.add, torch.mul, torch.addmm, torch.baddbmm, nn.functional.relu
    first, second = (compare(conv, BY_NAME[PTFLOPS])[0] for _ in range(2))
    assert first == second
    assert before == (torch.add, torch.mul, torch.addmm, torch.baddbmm, nn.functional.relu)


def test_a_failure_inside_ptflops_is_told():
    with pytest.raises(RuntimeError, match="expected input"):
        BY_NAME[PTFLOPS].read(conv(), torch.rand(1, 2, 8, 8))
    assert not hasattr(torch.add, "op")


@pytest.mark.parametrize(
    "counter", [c for c in COUNTERS if not c.needs_values], ids=lambda c: c.name
)
@pytest.mark.parametrize("name", ["esdnet", "esdnet-ann", "prenet", "nafnet"])
def test_meta_tensors_are_counted_as_real_ones(counter, name):
    readings = []
    for device in ("meta", "cpu"):
        with torch.device(device):
            model = build(name, **SMALL[name]).eval()
        with torch.no_grad():
            readings.append(counter.read(model, checks.input_image(16, device)))
    assert readings[0] == readings[1]


def test_thop_sees_165911_of_the_parameters_of_esdnet():
    """The likely origin of the "0.165 M" that is quoted."""
    table, layers = checks.crosscheck(["esdnet"], 64, [BY_NAME[THOP]])
    [row] = table.to_dict("records")
    assert row["parameters"] == 165_911
    assert row["parameters_ours"] == 12_811_463
    assert row["unexplained"] == 0
    assert layers["parameters"].sum() == 165_911
    assert layers["parameters_unseen"].sum() == 12_811_463 - 165_911
    unseen = layers[layers["parameters_unseen"] > 0]
    assert unseen["reason"].str.contains("has no rule in thop").all()
    assert set(unseen["type"].str.rpartition(".")[2]) == {"Conv2d", "ThresholdDependentBatchNorm2d"}
    assert unseen["type"].str.startswith("spikingjelly.").all()
    assert (unseen["parameters"] == 0).all()
    # The convolutions of torch itself: attention, refinement and output.
    seen = layers[layers["parameters"] > 0]
    assert seen["layer"].str.contains(r"\.attn\.|^refinement\.|^output\.").all()
    assert (seen["parameters"] == seen["parameters_ours"]).all()


@pytest.mark.slow
def test_nothing_is_unexplained_in_the_default_models():
    names = [*checks.default_models(), *Config.model_fields["crosscheck"].default]
    assert set(names) >= {"esdnet", "esdnet-ann", "prenet", "nafnet"}
    table, layers = checks.crosscheck(names, 64)
    assert set(table["model"]) == set(names)
    ran = table[table["status"] == "ok"]
    assert set(table["counter"]) - set(ran["counter"]) <= {"syops"}
    ran = ran[ran["counter"] != "syops"]
    assert (ran["unexplained"] == 0).all()
    assert (layers["unexplained"] == 0).all()
    assert (ran.loc[ran["counter"] == TORCH, "difference"] == 0).all()
    sums = layers.groupby(["model", "counter"])[["macs", "macs_ours", "parameters_ours"]].sum()
    for row in ran.to_dict("records"):
        of_layers = sums.loc[(row["model"], row["counter"])]
        assert list(of_layers) == [row["macs"], row["macs_ours"], row["parameters_ours"]]


def test_the_verb_writes_both_tables_and_prints_a_short_one(cli, tmp_path):
    done = cli("crosscheck", "--model", "prn_r", "--size", 64, "--out", tmp_path / "out")
    assert done.code == 0, done.stderr
    table = pd.read_csv(tmp_path / "out" / "crosscheck.csv")
    assert list(table["counter"]) == list(BY_NAME)
    sizes = dict(zip(table["counter"], table["size"], strict=True))
    assert (sizes[TORCH], sizes[SJ_MAC]) == ("64x64", "32x32")
    layers = pd.read_csv(tmp_path / "out" / "crosscheck-layers.csv", keep_default_na=False)
    assert set(layers.loc[layers["counter"] == THOP, "layer"]) >= {"conv0.0", "conv.0"}
    record = json.loads((tmp_path / "out" / "crosscheck.csv.provenance.json").read_text())
    assert record["settings"] == {"models": ["prn_r"], "size": 64}
    assert done.stdout.count("\n") == 2 + len(COUNTERS)
    assert f"| prn_r   | {THOP}" in done.stdout


@pytest.mark.slow
def test_the_rule_needs_no_data_and_no_training(tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile"),
            *("--configfile", ROOT / "config" / "smoke.yaml", "--directory", tmp_path),
            *("--dry-run", "--quiet", "host", "--", "results/smoke/crosscheck/crosscheck.csv"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rules = [s for s in (done.stdout + done.stderr).splitlines() if s.startswith("rule ")]
    assert rules == ["rule crosscheck:"]


def test_the_same_call_gives_the_same_bytes(tmp_path):
    for out in ("a", "b"):
        checks.write_crosscheck(tmp_path / out, ["prn_r"], 32)
    for file in ("crosscheck.csv", "crosscheck-layers.csv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_no_counter_is_asked_twice_about_one_network_and_size():
    asked, notes = [], {}

    def read(model, image):
        asked.append(image.shape[-1])
        if image.shape[-1] == 96:
            raise ValueError("no such size")
        return Reading(BY_NAME[TORCH].read(model, image).macs, {})

    counter = OtherCounter("noted", "torch", read)
    for size in (64, 96):
        checks.crosscheck(["prn_r"], size, [counter], notes)
    table = count_at_sizes(["prn_r"], [counter], (64, 96, 128), notes)
    assert asked == [64, 96, 128]
    assert table["size"].tolist() == ["64x64", "128x128"]
    pd.testing.assert_frame_equal(table, count_at_sizes(["prn_r"], [counter], (64, 96, 128)))
    assert asked == [64, 96, 128, 64, 96, 128]


def test_unknown_models_and_sizes_are_refused_in_one_line(cli, tmp_path):
    done = cli("crosscheck", "--model", "esdnt", "--out", tmp_path / "out")
    assert "unknown model 'esdnt'" in refusal(done, 1)
    with pytest.raises(BenchError) as error:
        checks.crosscheck(["esdnet"], 66)
    assert one_line(error.value) == ("model 'esdnet' takes sides that are multiples of 4, not 66")
    assert not (tmp_path / "out").exists()
