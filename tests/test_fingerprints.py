"""What decides a verb's result follows from imports: nothing is left out, and nothing is too much."""

import pytest

from derainbench.catalog.files import CATALOG
from derainbench.catalog.model_cards import model_card, model_names
from derainbench.catalog.recipes import load_recipe
from derainbench.foundation import source_graph
from derainbench.workflow import fingerprints
from derainbench.workflow.fingerprints import fingerprint, verb_modules

ESDNET = ("esdnet",)


def files_behind(verb: str, *models: str) -> set[str]:
    """Source files behind a verb and models, relative to the project."""
    roots = {*verb_modules(verb), *(model_card(name).network.module for name in models)}
    files = source_graph.source_files(source_graph.modules_behind(roots))
    return {file.relative_to(CATALOG.parent.parent).as_posix() for file in files}


@pytest.fixture
def edited(monkeypatch):
    """Makes a file look edited to fingerprints, without touching it."""
    read = fingerprints._file_digest

    def edit(name: str) -> None:
        file = CATALOG.parent.parent / name
        assert file.is_file(), name
        monkeypatch.setattr(
            fingerprints,
            "_file_digest",
            lambda path, modified: "edited" if path == file else read(path, modified),
        )

    return edit


@pytest.mark.parametrize(
    ("verb", "needed"),
    [
        ("evaluate", "derainbench/metrics/full_reference.py"),
        ("evaluate", "derainbench/data/pairs.py"),
        ("train", "derainbench/training/losses.py"),
        ("train", "derainbench/foundation/device.py"),
        ("sensitivity", "derainbench/energy/counter.py"),
        ("tables", "derainbench/statistics/bootstrap.py"),
        ("audit", "derainbench/catalog/scenarios.py"),
        ("report", "derainbench/report/page/pictures.py"),
    ],
)
def test_code_that_is_imported_only_indirectly_counts(verb, needed):
    assert needed in files_behind(verb)


@pytest.mark.parametrize(
    "verb", ["data synthesise", "train", "evaluate", "energy", "spikes", "joules", "structure"]
)
def test_editing_a_report_computes_nothing_anew(verb):
    assert not [f for f in files_behind(verb) if "/report/" in f or "published" in f]


@pytest.mark.parametrize("verb", ["train", "evaluate", "energy", "audit", "tables", "report"])
def test_messages_and_records_decide_nothing(verb):
    neutral = {f"{name.replace('.', '/')}.py" for name in source_graph.NEUTRAL}
    assert not files_behind(verb) & neutral


def test_every_neutral_module_exists_and_has_its_reason():
    for module, reason in source_graph.NEUTRAL.items():
        assert source_graph.source_files([module])[0].is_file()
        assert len(reason.split()) >= 2


@pytest.mark.parametrize("verb", ["energy", "structure", "crosscheck"])
def test_other_prices_change_no_count(verb, edited):
    before = fingerprint(verb)
    edited("derainbench/catalog/costs.yaml")
    assert fingerprint(verb) == before


@pytest.mark.parametrize("verb", ["scenarios", "sensitivity", "tables", "energy-figures"])
def test_other_prices_change_what_is_priced(verb, edited):
    before = fingerprint(verb)
    edited("derainbench/catalog/costs.yaml")
    changed = {part for part, digest in fingerprint(verb).items() if digest != before[part]}
    assert changed == {"catalog"}


def test_operator_rules_change_the_sensitivity(edited):
    before = fingerprint("sensitivity")
    edited("derainbench/catalog/operators.yaml")
    assert fingerprint("sensitivity") != before


def test_only_the_models_own_code_counts(edited):
    before = {name: fingerprint("evaluate", models=(name,)) for name in ("esdnet", "prenet")}
    edited("baselines/prenet.py")
    assert fingerprint("evaluate", models=ESDNET) == before["esdnet"]
    assert fingerprint("evaluate", models=("prenet",)) != before["prenet"]


def test_a_counterpart_depends_on_the_network_whose_blocks_it_uses():
    assert "esdnet/blocks.py" in files_behind("train", "esdnet-ann")


def test_all_models_count_where_none_is_named(edited):
    before = fingerprint("structure")
    edited("baselines/uformer.py")
    assert fingerprint("structure") != before


def test_another_licence_or_recipe_file_retrains_nothing(edited):
    recipe = load_recipe("esdnet")
    before = fingerprint("train", models=ESDNET, recipe=recipe)
    edited("derainbench/catalog/papers/esdnet/models/esdnet.yaml")
    assert fingerprint("train", models=ESDNET, recipe=recipe) == before
    edited("derainbench/catalog/papers/esdnet/recipes/esdnet.yaml")
    assert fingerprint("train", models=ESDNET, recipe=recipe) == before


def test_how_a_network_is_built_and_trained_counts(monkeypatch):
    before = fingerprint("train", models=ESDNET, recipe=load_recipe("esdnet"))
    other = fingerprint("train", models=ESDNET, recipe=load_recipe("esdnet", {"lr": 0.5}))
    assert {part for part in before if other[part] != before[part]} == {"recipe"}
    card = model_card("esdnet")
    network = card.network.model_copy(update={"size_multiple": 8})
    monkeypatch.setattr(
        fingerprints, "model_card", lambda _: card.model_copy(update={"network": network})
    )
    other = fingerprint("train", models=ESDNET, recipe=load_recipe("esdnet"))
    assert {part for part in before if other[part] != before[part]} == {"cards"}


def test_another_version_of_a_library_counts_where_it_is_imported(monkeypatch):
    before = {verb: fingerprint(verb) for verb in ("train", "tables", "figures")}
    installed = source_graph._installed
    monkeypatch.setattr(
        source_graph,
        "_installed",
        lambda package: (("torch", "99"),) if package == "torch" else installed(package),
    )
    assert "torch 99" in fingerprint("train")["libraries"]
    for verb in ("tables", "figures"):
        assert fingerprint(verb) == before[verb]


def test_an_unknown_verb_is_refused():
    with pytest.raises(ValueError, match="no verb 'trian'"):
        fingerprint("trian")


def test_every_model_has_its_code():
    for name in model_names():
        assert files_behind("evaluate", name) > files_behind("evaluate"), name


def test_every_reader_of_the_catalogue_declares_what_it_reads():
    """A module of the catalogue that opens files names them, and every file has a reader."""
    readers = source_graph.catalog_patterns(
        ".".join(("derainbench.catalog", *file.relative_to(CATALOG).with_suffix("").parts))
        for file in CATALOG.rglob("*.py")
        if file.stem != "__init__"
    )
    declared = {f for patterns in readers.values() for p in patterns for f in CATALOG.glob(p)}
    there = {f for f in CATALOG.rglob("*") if f.suffix in (".yaml", ".csv")}
    assert declared == there
