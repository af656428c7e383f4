"""The paper's tables and figures from invented results: numbers by hand, columns kept apart."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers import SMALL, noise, save

from derainbench.config import PROTOCOL_NAMES, parse
from derainbench.energy import account
from derainbench.energy.scenarios import DEFAULT_COSTS
from derainbench.report import collect, paper
from derainbench.report.architecture import INPUT, architecture
from derainbench.report.architecturefigure import draw
from derainbench.report.cells import Table
from derainbench.report.paperfigures import window

SEEDS = [1, 2]
TRAIN = {"dataset": "Rain200H", "seeds": SEEDS}
CONFIG = {
    "name": "made",
    "label": "paper",
    "title": "Made",
    "data_root": "data",
    "weights_root": "weights",
    "datasets": {"Rain200H": {"kind": "folder", "catalogue": "Rain200H", "subset": True}},
    "runs": {
        "esdnet": {"model": "esdnet", "title": "ESDNet", "train": TRAIN, "test": ["Rain200H"]},
        "twin": {"model": "esdnet-ann", "title": "Twin", "train": TRAIN, "test": ["Rain200H"]},
        "prenet": {
            "model": "prenet",
            "title": "PReNet",
            "weights": "prenet.pth",
            "test": ["Rain200H"],
        },
        "plain": {
            "model": "esdnet",
            "title": "without FRB",
            "kwargs": {"refine": False},
            "train": {"dataset": "Rain200H", "seeds": [1]},
            "test": ["Rain200H"],
            "ablation": {"of": "esdnet", "part": "FRB"},
        },
    },
    "figures": {"dataset": "Rain200H"},
}
# Mean PSNR under protocol esdnet; matlab-double is 0.25 dB lower.
PSNR = {("esdnet", "seed-1"): 28.0, ("esdnet", "seed-2"): 28.2, ("plain", "seed-1"): 27.6}
PSNR |= {("twin", "seed-1"): 29.0, ("twin", "seed-2"): 29.0, ("prenet", "official"): 29.75}
IMAGES = [f"{i}.png" for i in range(8)]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Writes scores and counts of the configuration; gives the configuration."""
    monkeypatch.chdir(tmp_path)

    def build(label: str = "paper", better: float = 0.0):
        config = parse(CONFIG | {"label": label}, "made")
        base = np.linspace(-4, 4, len(IMAGES))
        for ablations in (False, True):
            for entry in collect.entries(config, ablations=ablations):
                psnr = base + PSNR[entry.run, entry.variant] + better
                rows = [
                    {"image": i, "protocol": p, "psnr": v - 0.25 * (p == "matlab-double")}
                    for p in PROTOCOL_NAMES
                    for i, v in zip(IMAGES, psnr, strict=True)
                ]
                table = pd.DataFrame(rows).assign(ssim=0.9, psnr_input=13.0, ssim_input=0.4)
                write(collect.score_folder(config, entry, "Rain200H") / "per_image.csv", table)
                counted(entry)
        return config

    return build


def write(path, table: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)


def counted(entry) -> None:
    spiking = entry.spec.model == "esdnet"
    facts = {"images": 2, "size": [64, 64], "structure": {"parameters": 1000, "macs_dense": 2e9}}
    facts["mean"] = {"sops": 4e8 if spiking else 0, "firing_rate": 0.2 if spiking else None}
    path = f"results/made/energy/{entry.run}/{entry.variant}/energy.json"
    collect.Path(path).parent.mkdir(parents=True, exist_ok=True)
    collect.Path(path).write_text(json.dumps(facts))


def scenario_files() -> None:
    """Energies and savings of every seed; structure of two models."""
    common = {"costs": DEFAULT_COSTS, "reuse": False, "zero_skipping": False}
    energies = [
        {"source": "measured", "name": f"{run}/{variant}", "model": model, "mj": mj}
        for run, variant, model, mj in (
            *(("esdnet", f"seed-{s}", "esdnet", 4.0 + s) for s in SEEDS),
            *(("twin", f"seed-{s}", "esdnet-ann", 10.0) for s in SEEDS),
            ("prenet", "official", "prenet", 7.0),
        )
    ]
    energies.append({"source": "structure", "name": "prenet", "model": "prenet", "mj": 70.0})
    energies = pd.DataFrame([e | common | {"scenario": s} for e in energies for s in "abcd"])
    write(collect.Path("results/made/scenarios/energy.csv"), energies)
    savings = [
        {"source": "measured", "name": f"esdnet/seed-{s}", "rival": rival, "rival_bits": bits}
        | common
        | {"scenario": "b", "saving": saving}
        for s, saving in zip(SEEDS, (-0.2, -0.3), strict=True)
        for rival, bits, saving in (
            ("twin/seed-1", None, saving),
            ("twin/seed-2", None, saving),
            ("twin/seed-1", 3, -9.0),
            ("prenet/official", None, -8.0),
        )
    ]
    write(collect.Path("results/made/scenarios/savings.csv"), pd.DataFrame(savings))
    models = [
        ("esdnet", "ESDNet", 12811463, 492.3, True),
        ("prenet", "PReNet", 168963, 66.2, False),
    ]
    models = pd.DataFrame(models, columns=["model", "title", "parameters", "gmacs", "spiking"])
    write(collect.Path("results/made/structure/models.csv"), models.assign(size="256x256"))


def tables(config) -> dict[str, Table]:
    return {table.name: table for table in paper.tables(config)}


def rows(table: Table, **keys) -> pd.DataFrame:
    return table.frame[np.logical_and.reduce([table.frame[k] == v for k, v in keys.items()])]


def test_differences_stand_where_protocol_and_data_set_agree(made):
    table = tables(made())["table-1"]
    prenet = rows(table, dataset="Rain200H", method="PReNet")
    told = prenet[prenet["source"].str.contains("RecDerain")].iloc[0]
    assert (told["published_psnr"], told["stated_protocol"]) == (29.36, "matlab-double")
    assert told["reproduced_psnr"] == pytest.approx(29.5)
    assert told["difference_psnr"] == pytest.approx(0.14)
    assert told["low"] < 0.14 < told["high"]  # 8 images of 200
    own = rows(table, dataset="Rain200H", method="ESDNet").iloc[0]
    assert (own["published_psnr"], own["protocol"]) == (30, "esdnet")
    assert own["reproduced_psnr"] == pytest.approx(28.1)
    assert own["std_over_seeds"] == pytest.approx(0.2 / 2**0.5)
    assert np.isnan(own["difference_psnr"]) and "protocol" in own["difference_reason"]
    assert table.view["Images"].str.contains("8 of 200").any()


def test_a_users_own_training_is_no_published_score(made):
    row = rows(tables(made())["table-1"], dataset="Rain200L", method="ESDNet").iloc[0]
    assert (row["third_party_psnr"], row["third_party_ssim"]) == (38.3531, 0.9843)
    assert np.isnan(row["published_psnr"]) and row["published_reason"].startswith("not transcribed")
    assert row["reproduced_reason"] == "data set not in this configuration"


@pytest.mark.parametrize("label", ["smoke", "study", "paper"])
def test_published_and_own_numbers_never_share_a_column(made, label):
    config = made(label)
    scenario_files()
    before = tables(config)
    assert list(before) == [f"table-{i}" for i in range(1, 6)]
    own = {"smoke": "smoke", "study": "study", "paper": "reproduced"}
    foreign = tuple(f"{name}_{what}" for name in own.values() for what in ("psnr", "mean", "gsops"))
    after = tables(made(label, better=1.5))
    for name, table in before.items():
        old, new = table.frame, after[name].frame
        changed = [c for c in old if not old[c].equals(new[c])]
        assert not [c for c in changed if c.startswith(("published", "third_party"))]
        assert all(c.startswith(own[label]) for c in old if c.startswith(foreign))
        for heading in table.view:
            if label != "paper" and heading.lower().startswith(("smoke", "reproduced")):
                assert "not comparable" in heading or "scaled-down" in heading
        assert table.caption.startswith("SMOKE") == (label == "smoke")
    old, new = (t["table-1"].frame[f"{own[label]}_psnr"].dropna() for t in (before, after))
    assert len(old) and (new - old).round(9).eq(1.5).all()
    if label == "smoke":
        assert before["table-1"].frame["difference_psnr"].isna().all()


def test_every_row_with_an_empty_cell_says_why(made):
    config = made()
    scenario_files()
    for name, table in tables(config).items():
        if table.view.empty:
            continue
        published = [c for c in table.view if "ublished" in c and "Difference" not in c]
        empty = (table.view[published] == "").any(axis=1)
        assert (table.view.loc[empty, "Empty because"] != "").all(), name


def test_an_ablation_by_hand(made):
    found = tables(made())
    assert found["table-5"].frame.empty and "Empty" in found["table-5"].caption
    base, plain = (row for _, row in found["table-4"].frame.iterrows())
    assert (base["variant"], base["published_psnr"]) == ("ESDNet", 29)
    assert (plain["part"], plain["variant"], plain["seeds"]) == ("FRB", "without FRB", 1)
    assert plain["change"] == pytest.approx(27.6 - 28.1)
    assert (plain["low"], plain["high"]) == (pytest.approx(-0.5), pytest.approx(-0.5))
    assert plain["base_std"] == pytest.approx(0.2 / 2**0.5)
    # t = 0.5 / (0.1414 sqrt(1 + 1/2)) = 2.887 with one degree of freedom: p = 2 atan(1/t) / pi
    assert plain["p"] == pytest.approx(2 / np.pi * np.arctan(3**0.5 / 5)) == plain["p_holm"]


def test_the_twin_has_what_either_sets_and_the_budget_if_there_are_several(made):
    config = made()

    def runs(**changes):
        own = config.runs["esdnet"].model_copy(update={"kwargs": changes.pop("own", {})})
        twins = {
            name: config.runs["twin"].model_copy(update=change) for name, change in changes.items()
        }
        alone = config.model_copy(update={"runs": {"esdnet": own} | twins})
        found = collect.twin(alone, collect.entries(alone)[0])
        return found and found.run

    assert runs(twin={}) == "twin"
    assert runs(twin={"kwargs": {"dim": 48}}) == "twin"  # the default
    assert runs(own={"dim": 16}, twin={}) is None
    assert runs(own={"v_threshold": 0.05}, twin={}) == "twin"  # the twin has no threshold
    longer = config.runs["twin"].train.model_copy(update={"set": {"epochs": 9}})
    assert runs(longer={"train": longer}, twin={}) == "twin"
    assert runs(longer={"train": longer}) == "longer"


def test_costs_by_hand(made):
    config = made()
    scenario_files()
    table = tables(config)["table-3"]
    full, run = (row for _, row in rows(table, method="ESDNet").iterrows())
    assert (full["published_parameters"], full["full_size_parameters"]) == (165000, 12811463)
    assert full["difference_parameters"] == 12811463 - 165000
    assert run["reproduced_energy_mj_b"] == pytest.approx(5.5)
    assert (run["published_saving"], run["reproduced_saving_b"]) == (0.54, pytest.approx(-0.25))
    assert run["difference_saving_b"] == pytest.approx(-0.79)
    assert (run["reproduced_gsops"], run["reproduced_firing_rate"]) == (0.4, 0.2)
    assert rows(table, method="PReNet")["full_size_energy_mj_a"].iloc[0] == 70


def test_what_is_missing_is_named_and_the_rest_is_written(made, tmp_path):
    config, out = made(), tmp_path / "paper"
    out.mkdir()
    (out / "figure-5.svg").write_text("of an earlier call")
    missing = paper.write(config, out)
    content = json.loads((out / "paper.json").read_text())["artefacts"]
    assert list(content) == [*paper.TABLES, *paper.FIGURES]
    assert set(missing) == {"table-3", *paper.FIGURES}
    assert "structure" in missing["figure-3"] and "pareto" in missing["figure-1"]
    assert "no photographs of real rain" in missing["figure-5"]
    assert not (out / "figure-5.svg").exists()
    for name, fact in content.items():
        assert ("reason" in fact) == (name in missing) != bool(fact["files"])
        assert all((out / file).is_file() for file in fact["files"])
    assert (out / "table-1.csv.provenance.json").is_file()


def test_restored_images_are_shown_where_they_differ_most(made, tmp_path):
    config = made()
    for i, name in enumerate(IMAGES):
        save(tmp_path / "data/Rain200H/test/input" / name, noise(40, 60, seed=i))
        save(tmp_path / "data/Rain200H/test/target" / name, noise(40, 60, seed=i))
        for entry in collect.entries(config):
            folder = collect.score_folder(config, entry, "Rain200H") / "images"
            save(folder / name, noise(40, 60, seed=i))
    missing = paper.write(config, tmp_path / "paper")
    assert "figure-4" not in missing and (tmp_path / "paper/figure-4.svg").stat().st_size > 1000
    caption = json.loads((tmp_path / "paper/paper.json").read_text())["artefacts"]["figure-4"]
    assert "protocol esdnet" in caption["caption"] and "Rain200H test, 3.png" in caption["caption"]


def test_the_window_is_where_the_map_is_highest():
    distance = np.zeros((50, 80))
    distance[21:31, 63:73] = 1
    assert window(distance) == (21, 63, 10)
    distance[:] = 0
    distance[40:, 70:] = 1  # in a corner
    assert window(distance) == (40, 70, 10)


def seen(**kwargs):
    kwargs = SMALL["esdnet"] | kwargs
    counted = account.structure("esdnet", kwargs, 64)
    return architecture("esdnet", kwargs, counted.layers, 64), counted


def test_the_architecture_is_that_of_the_model():
    found, counted = seen(en_num_blocks=[1, 2, 1])
    blocks = {block.name: block for block in found.blocks}
    assert sum(b.parameters for b in found.blocks) == found.parameters == counted.parameters
    layers = counted.layers[counted.layers["role"] == "layer"]
    assert sum(b.spike_macs + b.analog_macs for b in found.blocks) == layers["macs"].sum()
    assert blocks["encoder_level2"].count == 2 and blocks["encoder_level2"].kinds == ("SRB",)
    assert blocks["encoder_level2"].output_shape == (2, 1, 32, 32, 32)  # T, N, C, H, W
    assert blocks["down1_2"].sources == ("encoder_level1",)
    assert set(blocks["decoder_level1"].sources) == {"up2_1", "encoder_level1"}
    assert set(found.result) == {"output", INPUT}
    assert (
        found.joins[blocks["decoder_level1"].sources] == "cat"
        and found.joins[found.result] == "add"
    )
    assert blocks["encoder_level1"].analog_macs * 2 == blocks["encoder_level1"].spike_macs
    text = figure_text(found)
    assert f"{counted.parameters:,} parameters" in text and "T = 2" in text and "2 x SRB" in text


def test_another_model_gives_another_picture():
    other, counted = seen(T=1, refine=False, shortcut=False, attentions=["temporal", "spatial"])
    names = [block.name for block in other.blocks]
    assert "refinement" not in names and names[-1] == "output"
    assert other.blocks[-1].sources == ("decoder_level1",)
    text = figure_text(other)
    assert "FRB (" not in text and "T = 1" in text and f"{counted.parameters:,} parameters" in text
    assert "shortcut" not in text.split("SRB (")[1] and "ca: " not in text


def figure_text(found) -> str:
    figure = draw(found)
    texts = [figure.get_suptitle(), *(t.get_text() for axes in figure.axes for t in axes.texts)]
    paper.plt.close(figure)
    return "\n".join(texts)


def test_latex_is_escaped():
    view = pd.DataFrame({"Part & name": ["a_b 5 %"], "Empty because": ["#1"]})
    text = paper.latex(Table("table-9", "50 % of a_b & #", view, view), parse(CONFIG, "made"))
    assert r"Part \& name" in text and r"a\_b 5 \%" in text and r"\#1" in text
    assert r"\caption{50 \% of a\_b \& \#}" in text
    assert text.count("{") == text.count("}")
