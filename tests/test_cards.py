"""Every model has its fact card, every fact its form, every known digest its file."""

import copy
import subprocess
import sys

import pytest
import yaml
from helpers import CARD_FACTS, ROOT, one_line

from derainbench.catalog import published
from derainbench.catalog.model_cards import all_cards, model_card, model_names, parse_card
from derainbench.catalog.protocols import protocol_names
from derainbench.catalog.published import published_scores
from derainbench.catalog.recipes import load_recipe
from derainbench.energy import model_structure
from derainbench.energy.model_structure import count_models, model_table
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import sha256
from derainbench.models.construction import constructor_arguments
from derainbench.models.weights import load_model
from derainbench.report.model_description import describe

NAMES = model_names()
FILES = [(of.name, file) for of in all_cards().values() for file in of.weights]
WITH_DIGEST = [(name, file) for name, file in FILES if file.sha256]


def place(value: object) -> str | None:
    """Names a weight file in test names."""
    return getattr(value, "name", None)


EXAMPLE = CARD_FACTS | {
    "name": "x",
    "title": "X",
    "network": {"build": "x:X"},
    "weights": [{"name": "x_set/x.pth", "sources": [{"kind": "http", "url": "http://u"}]}],
}


def changed(path: str, value: object) -> dict:
    """The example with one value replaced, or removed by ``...``."""
    values = node = copy.deepcopy(EXAMPLE)
    *way, last = [int(p) if p.isdigit() else p for p in path.split(".")]
    for part in way:
        node = node[part]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return values


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("titel", "X", "x.yaml: titel: unknown key (did you mean 'title'?)"),
        ("title", ..., "x.yaml: title: Field required"),
        ("network", ..., "x.yaml: network: Field required"),
        ("network.build", "x.X", "x.yaml: network.build: String should match pattern"),
        ("network.build", "x:X()", "x.yaml: network.build: String should match pattern"),
        ("network.size_multiple", 0, "x.yaml: network.size_multiple: Input should be greater"),
        ("network.size_multple", 4, "x.yaml: network.size_multple: unknown key (did you mean"),
        ("network.inference", "tile", "x.yaml: network.inference: Input should be 'whole' or"),
        ("network.padding", "zero", "x.yaml: network.padding: Input should be 'replicate', "),
        ("network.quantise", "cut", "x.yaml: network.quantise: Input should be 'round' or"),
        ("network.tiling", {"blend": "sine"}, "x.yaml: network.tiling.blend: Input should be"),
        ("paper.venu", "V", "x.yaml: paper.venu: unknown key (did you mean 'venue'?)"),
        ("paper.arxiv", "1901.9", "x.yaml: paper.arxiv: String should match pattern"),
        ("paper.doi", "http://doi.org/10.1/x", "x.yaml: paper.doi: String should match pattern"),
        ("training.source", ..., "x.yaml: training.source: Field required"),
        ("input", {"range": "0-2"}, "x.yaml: input.range: Input should be '0-1' or '0-255'"),
        ("weights.0.name", "../x.pth", "x.yaml: weights.0.name: String should match pattern"),
        ("weights.0.sha256", "abc", "x.yaml: weights.0.sha256: String should match pattern"),
        ("weights.0.sources", [], "x.yaml: weights.0.sources: Tuple should have at least 1 item"),
        ("weights.0.sources.0.kind", "ftp", "x.yaml: weights.0.sources.0: "),
        ("weights", EXAMPLE["weights"] * 2, "x.yaml: weights: two files called x_set/x.pth"),
        ("weights", [], "x.yaml: needs either weights or no_weights"),
        ("no_weights", "lost", "x.yaml: needs either weights or no_weights"),
        ("published_note", "", "x.yaml: without published_as, published_note must say why"),
        ("sources", [], "x.yaml: sources: Tuple should have at least 1 item"),
        ("name", "y", "x.yaml: name: is 'y'; the file must be y.yaml"),
    ],
)
def test_a_wrong_card_is_refused_in_one_line(path, value, reason):
    with pytest.raises(BenchError) as refused:
        parse_card(changed(path, value), "x.yaml")
    assert one_line(refused.value).startswith(reason)


def test_the_example_is_right_but_for_what_is_changed():
    assert parse_card(EXAMPLE, "x.yaml").citation == "A et al., V 2020"


@pytest.mark.parametrize("name", NAMES)
def test_published_scores_are_found_or_their_absence_explained(name):
    of = model_card(name)
    assert bool(published_scores(of)) == bool(of.published_as), (
        "published_as names no method of catalog/published"
    )


@pytest.mark.parametrize(
    "row",
    published.scores().to_dict("records"),
    ids=lambda r: f"{r['method']}-{r['dataset']}",
)
def test_a_published_score_has_numbers_protocol_and_source(row):
    assert 5 < float(row["psnr"]) < 60 and 0 < float(row["ssim"]) < 1
    assert row["protocol"] in (*protocol_names(), "unknown")
    assert row["kind"] in ("first-hand", "first-hand weights", "second-hand", "third-party retrain")
    assert isinstance(row["source"], str)


def test_no_published_score_stands_twice():
    assert not published.scores().duplicated().any()


@pytest.mark.parametrize("name", NAMES)
def test_the_recipe_is_in_the_catalogue(name):
    load_recipe(model_card(name).training.recipe)


def test_every_weight_file_has_a_place_of_its_own():
    places = [file.name for _, file in FILES]
    assert len(places) == len(set(places))


@pytest.mark.parametrize(("name", "file"), FILES, ids=place)
def test_the_model_takes_the_arguments_that_a_file_needs(name, file):
    assert set(file.kwargs) <= set(constructor_arguments(name, {}))


def test_the_configured_weights_are_known():
    config = yaml.safe_load((ROOT / "config" / "real.yaml").read_text())
    used = {(r["model"], r["weights"]) for r in config["runs"].values() if "weights" in r}
    assert used and used <= {(name, file.name) for name, file in FILES}


@pytest.mark.parametrize(("name", "file"), WITH_DIGEST, ids=place)
def test_known_digests_are_those_of_the_official_files(name, file, shared):
    path = shared / "weights" / file.name
    if not path.is_file():
        pytest.skip(f"no copy of {file.name} at hand")
    assert file.sha256 == sha256(path)
    load_model(name, path, file.kwargs)


def test_every_official_file_at_hand_is_on_a_card(shared):
    there = {p.relative_to(shared / "weights").as_posix() for p in shared.glob("weights/*/*.pth")}
    assert there <= {file.name for _, file in WITH_DIGEST}


def test_cards_are_read_without_torch():
    script = (
        "import sys; from derainbench.catalog.model_cards import all_cards; all_cards(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


def test_a_card_is_printed_in_full(cli):
    text = cli("models", "rescan", "--size", 64).stdout
    of = model_card("rescan")
    for fact in (
        of.paper.title, of.code.repository, of.code.licence_source, of.training.rate,
        of.weights[0].sha256, of.weights[0].sources[0].url, "channel_order=bgr", "key 'net'",
        "BGR in 0-1", "149,823 parameters", "published: Rain200H: 28.02 dB / 0.862 (matlab-double",
        *of.notes, *of.sources,
    ):  # fmt: skip
        assert fact in text, fact


@pytest.mark.parametrize("name", NAMES)
def test_no_card_prints_an_empty_fact(name):
    for counted in ("", "1 parameter"):
        lines = list(describe(model_card(name), counted))
        assert all(lines) and not any("None" in line or line.endswith(": ") for line in lines)


def test_the_table_has_origin_and_licences(cli, monkeypatch, tmp_path):
    monkeypatch.setattr(model_structure, "model_names", lambda: ["prn_r", "rescan_lstm"])
    text = cli("models", "--size", 64).stdout
    for fact in ("PRN_r", "CVPR 2019", "21,123", "none stated", "3 automatic", "ECCV 2018", "MIT"):
        assert fact in text, fact
    assert cli("models", "--size", 64, "--out", tmp_path / "m").code == 0
    header = (tmp_path / "m" / "models.csv").read_text().splitlines()[0].split(",")
    assert {"model", "parameters", "gmacs", "venue", "licence", "paper"} <= set(header)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_model_is_counted_at_a_size_that_it_does_not_take(name):
    (row,) = model_table(count_models([name], size=130)).to_dict("records")
    assert row["gmacs"] > 0 and row["size"] in (
        "128x128",
        "130x130",
        "132x132",
        "136x136",
        "144x144",
        "256x256",
    )
