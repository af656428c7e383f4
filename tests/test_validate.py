"""`derainbench validate`: registered models keep the contract, each breach is found."""

import re
from pathlib import Path

import pytest
import toys
import yaml
from helpers import CARD_FACTS, ROOT, SMALL, one_line
from torch import nn

from derainbench.catalog import model_cards
from derainbench.catalog.model_cards import card_files, model_names
from derainbench.energy.conformance.validation import APART, CHECKS, FAILS, OK, validate
from derainbench.foundation.errors import BenchError

CARD = CARD_FACTS | {"name": "toy", "title": "Toy", "no_weights": "it is a toy"}
COUNTERPART = "counterpart's topology"


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Validates a toy under a card with these facts; results by check."""
    known = card_files()

    def run(network: type[nn.Module], **facts: object) -> dict[str, tuple[str, str]]:
        of_network = {k: facts.pop(k) for k in [*facts] if k not in ("spiking", "counterpart_of")}
        card = CARD | facts | {"network": {"build": f"toys:{network.__name__}", **of_network}}
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
        (toys.Toy, {}),
        (toys.Spiking, {"spiking": True}),
        (toys.ResetBefore, {"spiking": True}),
        (toys.EvenSizes, {"size_multiple": 2}),
        (toys.Toy, {"fixed_size": 64, "size_multiple": 64, "tiling": {"side": 64, "overlap": 8}}),
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
        (toys.WithoutDefault, {}, "builds with defaults", "arguments without a default: width", None),
        (toys.DrawnElsewhere, {}, "builds with defaults", "gain differs between two networks", ()),
        (toys.Toy, {"spiking": True}, "spiking as stated", "no module is one of spikingjelly's", ()),
        (toys.Spiking, {}, "spiking as stated", "has spiking neurons, which the card does not say", ()),
        (
            toys.HandWritten, {"spiking": True}, "spiking as stated",
            "no module is one of spikingjelly's neurons", (),
        ),
        (toys.WithoutSteps, {"spiking": True}, "spiking as stated", "the attribute T, is None", ()),
        (toys.Half, {}, "shape and range", "gives 1x3x32x16 for 1x3x32x32", ("size multiple",)),
        (toys.Several, {}, "shape and range", "gives a tuple in place of", None),
        (toys.Double, {}, "shape and range", "gives torch.float64 on cpu", ("size multiple",)),
        (toys.AfraidOfTheDark, {}, "shape and range", "values that are not finite", ()),
        (toys.SingleImages, {}, "shape and range", "gives 1x3x32x32 for 2x3x32x32", ()),
        (toys.Clamped, {}, "shape and range", "is clamped to [0, 1]", ()),
        (toys.Writing, {}, "input left as it is", "writes to the image", ()),
        (toys.EvenSizes, {}, "size multiple", "32x33: RuntimeError: ", ("no state between calls",)),
        (toys.Toy, {"size_multiple": 4}, "size multiple", "takes 33x33, too: 4 is more than it", ()),
        (
            toys.EvenSizes, {"size_multiple": 4}, "size multiple", "takes 34x34, too: 4 is more", (),
        ),
        (toys.OfAnotherMultiple, {}, "size multiple", "the card says 1, the network's size_mul", ()),
        (
            toys.EvenSizes, {"size_multiple": 2, "fixed_size": 63}, "size multiple",
            "fixed_size 63 is no multiple of 2", None,
        ),
        (
            toys.EvenSizes, {"size_multiple": 2, "tiling": {"side": 63, "overlap": 8}}, "tiles",
            "tiles of 63 pixels are no multiple of 2", (),
        ),
        (toys.Toy, {"tiling": {"side": 64, "overlap": 40}}, "tiles", "an overlap of 40", ()),
        (toys.Toy, {"tiling": {"side": 64, "overlap": 0}}, "tiles", "an overlap of 0", ()),
        (toys.Toy, {"max_pixels": 4096}, "tiles", "a tile has 262144 pixels, max_pixels is", ()),
        (toys.Remembering, {}, "no state between calls", "after another image went through", STATE),
        (
            toys.Unreset, {"spiking": True}, "no state between calls",
            "with what a call left in neuron.v", None,
        ),
        (
            toys.OneMemory, {}, "no state between calls", "after another image went through",
            (*STATE, "operators have rules"),
        ),
        (toys.Counting, {}, "no state between calls", "calls changes in a call in eval mode", ()),
        (toys.Random, {}, "evaluation repeats", "differs by up to", ("operators have rules",)),
        (toys.HalfSaved, {}, "weights round-trip", "with the weights loaded from a file", ()),
        (
            toys.Unaccounted, {}, "operators have rules",
            "no rule in catalog/operators.yaml for special_bessel_j0 in the model", (),
        ),
        (toys.Watched, {}, "counting changes nothing", "while it is counted", ()),
        (toys.OtherWithoutValues, {}, "counting changes nothing", "from shapes None, from tens", None),
        (toys.NeedsValues, {}, "operators have rules", "", ("counting changes nothing",)),
        (toys.Toy, {"counterpart_of": "esdnet"}, COUNTERPART, "only the spiking network has ", ()),
        (toys.Toy, {"counterpart_of": "prenet"}, COUNTERPART, "and prenet some", ()),
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
    checked(toys.Clamped, counterpart_of="esdnet")
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


def test_the_guide_lists_every_check():
    guide = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|`]+) \| ", guide[guide.index("| check | rule |") :], re.M)
    assert rows[1:] == [*CHECKS]


def test_an_unknown_model_raises_before_anything_is_built():
    with pytest.raises(BenchError, match="unknown model 'nothing-like-it'"):
        validate("nothing-like-it")
