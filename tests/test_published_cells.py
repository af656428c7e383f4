"""Cells that somebody transcribes from a paper: filled in, checked, taken in, judged and shown.

All numbers are invented, and the catalogue is a copy: nobody had the paper when this was written.
"""

import csv
import io
import shutil

import numpy as np
import pandas as pd
import pytest
from helpers import one_line, read_json, refusal, tree
from made_paper import CONFIG, IMAGES, made_results, scenario_files, write

from derainbench.audit import verdicts
from derainbench.audit.published_agreement import against_published
from derainbench.audit.standing import runs_standing_for
from derainbench.catalog import files
from derainbench.catalog.cells.claims import claim_id, read_judged_paper
from derainbench.catalog.cells.format import COLUMNS, TEMPLATE_COLUMNS
from derainbench.catalog.cells.intake import check_cells, read_filled
from derainbench.catalog.cells.joining import add_cells
from derainbench.catalog.cells.metrics import cell_metrics
from derainbench.catalog.cells.printed import cells_file, printed_cells
from derainbench.catalog.papers import paper_names
from derainbench.catalog.protocols import protocol_names
from derainbench.config.schema import parse
from derainbench.foundation.errors import BenchError
from derainbench.report.figures.pareto import published_points
from derainbench.report.page.verdict_list import paper_verdicts
from derainbench.report.paper import artefacts
from derainbench.report.tables.comparison import comparison
from derainbench.results.layout import layout_of
from derainbench.results.scores import read_scores
from derainbench.workflow import fingerprints
from derainbench.workflow.fingerprints import fingerprint

PAPER = ("--paper", "esdnet")  # the catalogue holds several
SOURCE = "Invented 2024, p. 1, Table 1"
GOOD = ("table-1", "PReNet", "Rain200H", "psnr", "29.5", "dB", "matlab-double")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with a copy of the catalogue, which is used, and the working directory."""
    shutil.copytree(files.CATALOG, tmp_path / "derainbench" / "catalog")
    (tmp_path / "Snakefile").write_text("")
    monkeypatch.setattr(files, "CATALOG", tmp_path / "derainbench" / "catalog")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def filled(folder, *rows, header=TEMPLATE_COLUMNS, separator=","):
    """A filled-in template."""
    file = folder / "cells.csv"
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows([header, *rows])
    file.write_text(text.getvalue(), encoding="utf-8")
    return file


def change(**fields) -> tuple[str, ...]:
    """The good row with other fields."""
    return tuple((dict(zip(TEMPLATE_COLUMNS, GOOD, strict=True)) | fields).values())


def taken(folder, *rows, source=SOURCE, **options):
    """Checks rows and adds them."""
    file = filled(folder, *rows)
    cells = check_cells(
        read_judged_paper("esdnet"), file, read_filled(file), source=source, **options
    )
    return add_cells("esdnet", cells)


def refused(folder, *rows, **options) -> str:
    before = tree(folder / "derainbench")
    with pytest.raises(BenchError) as error:
        taken(folder, *rows, **options)
    assert tree(folder / "derainbench") == before
    return one_line(error.value)


def test_nobody_has_transcribed_anything_yet():
    assert not list(files.CATALOG.glob("papers/*/cells.csv"))
    assert not any(read_judged_paper(name).ledger.cells for name in paper_names())


def test_the_template_has_a_row_per_expected_cell_and_no_value(checkout, cli):
    cli("published", "template", *PAPER, "--out", "cells.csv")
    rows = list(csv.DictReader((checkout / "cells.csv").open()))
    assert tuple(rows[0]) == TEMPLATE_COLUMNS
    keys = [(r["table"], r["method"], r["dataset"], r["metric"]) for r in rows]
    assert len(set(keys)) == len(keys) and not any(r["value"] or r["protocol"] for r in rows)
    for dataset in ("Rain12", "Rain200L", "Rain200H", "Rain1200"):
        assert {("table-1", "ESDNet", dataset, m) for m in ("psnr", "ssim")} <= set(keys)
    assert {("table-2", "ESDNet", "RW-Data", m) for m in ("niqe", "brisque", "piqe")} <= set(keys)
    assert {("table-3", "MPRNet", "", m) for m in ("parameters", "operations", "energy")} <= set(
        keys
    )
    assert ("table-4", "FRB", "Rain200H", "psnr") in keys
    assert {r["unit"] for r in rows if r["metric"] == "psnr"} == {"dB"}
    assert not any(r["table"].startswith("figure") for r in rows)


def test_a_template_that_was_filled_in_is_not_written_over(checkout, cli):
    (checkout / "cells.csv").write_text("my work")
    message = refusal(cli("published", "template", *PAPER, "--out", "cells.csv"), 1)
    assert "exists already" in message and (checkout / "cells.csv").read_text() == "my work"


def test_filled_cells_join_with_their_source_and_empty_ones_are_left_out(checkout, cli):
    file = filled(checkout, GOOD, change(metric="ssim", value="", unit=""))
    said = cli("published", "add", file, *PAPER, "--source", SOURCE).stdout
    assert "1 cells added, 1 in all" in said
    assert "git add derainbench/catalog/papers/esdnet/cells.csv" in said
    place = checkout / "derainbench/catalog/papers/esdnet/cells.csv"
    assert place.read_text().splitlines() == [
        ",".join(COLUMNS),
        'table-1,PReNet,Rain200H,psnr,29.5,dB,matlab-double,"Invented 2024, p. 1, Table 1"',
    ]
    cli("published", "template", *PAPER, "--out", "rest.csv")
    assert ",PReNet,Rain200H,psnr," not in (checkout / "rest.csv").read_text()
    taken(checkout, change(method="MPRNet"), source="Invented 2024, p. 2, Table 1")
    assert [c.source for c in printed_cells("esdnet")] == [SOURCE, "Invented 2024, p. 2, Table 1"]


@pytest.mark.parametrize(
    ("encoding", "separator", "line_end"),
    [("utf-8-sig", ",", "\n"), ("utf-8", ",", "\r\n"), ("utf-8-sig", ";", "\r\n")],
    ids=["byte order mark", "CRLF", "semicolons"],
)
def test_what_spreadsheets_write_is_read(checkout, encoding, separator, line_end):
    file = filled(checkout, GOOD, separator=separator)
    file.write_bytes(file.read_text().replace("\n", line_end).encode(encoding))
    [row] = read_filled(file)
    assert (row.line, tuple(row.fields[c] for c in TEMPLATE_COLUMNS)) == (2, GOOD)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value": "2.95"}, "PSNR of 2.95 dB is out of range (5 to 60 dB)"),
        ({"value": "61"}, "out of range"),
        ({"metric": "ssim", "unit": "", "value": "1.01"}, "SSIM of 1.01 is out of range (0 to 1)"),
        ({"value": "29,5"}, "'29,5' is no number; write it as 30.01: a point for decimals"),
        ({"value": "nan"}, "'nan' is no number"),
        ({"value": "inf"}, "'inf' is no number"),
        ({"value": "29.5 dB"}, "is no number"),
        ({"value": "29.5/0.91"}, "is no number"),
        ({"table": "table-11"}, "no table of the paper is called 'table-11' (did you mean 'table-1'?)"),
        ({"table": "figure-1"}, "no table of the paper is called 'figure-1'"),
        ({"method": "PRNet"}, "no method is called 'PRNet' (did you mean 'PReNet'?)"),
        ({"method": "Unheard Of"}, "name it with --new-method"),
        ({"dataset": "Rain200K"}, "(did you mean 'Rain200"),
        ({"dataset": "RW-Data"}, "table-1 shows Rain12, Rain200L, Rain200H, Rain1200, not RW-Data"),
        ({"dataset": ""}, "the data set is missing"),
        ({"metric": "PSNR"}, "no metric of table-1 is called 'PSNR'"),
        ({"metric": "niqe"}, "no metric of table-1 is called 'niqe'"),
        ({"unit": "db"}, "no unit of PSNR is called 'db'; there is: dB"),
        ({"metric": "ssim", "value": "0.9"}, "SSIM has no unit: leave it out, not 'dB'"),
        ({"protocol": ""}, "the protocol is missing; the paper's is one of esdnet"),
        ({"protocol": "matlab"}, "no protocol is called 'matlab'; the paper's is one of"),
        ({"protocol": "unknown"}, "unstated"),
        ({"table": "table-3", "metric": "parameters", "dataset": "", "unit": "M", "value": "-1"},
         "Parameters of -1 M is out of range"),
        ({"table": "table-3", "metric": "parameters", "dataset": "", "unit": "parameters",
          "value": "0.165", "protocol": ""}, "out of range (100 to 1e+10 parameters)"),
        ({"table": "table-3", "metric": "parameters", "unit": "M", "value": "1"},
         "costs belong to a network alone: leave the data set out, not 'Rain200H'"),
        ({"table": "table-3", "metric": "parameters", "dataset": "", "unit": "M", "value": "1"},
         "Parameters has no protocol: leave it out, not 'matlab-double'"),
        ({"table": "table-3", "metric": "energy", "dataset": "", "unit": "mJ", "value": "1"},
         "for which image size Energy was counted"),
        ({"table": "table-4", "method": "FRBB"}, "no part of this table of ablations is called 'FRBB'"),
    ],
)  # fmt: skip
def test_a_wrong_cell_is_refused_with_its_line_and_nothing_is_taken_in(checkout, fields, said):
    message = refused(checkout, change(method="MPRNet"), change(**fields))
    assert said in message and "cells.csv, line 3: " in message
    assert message.endswith("nothing was taken in")


def test_several_wrong_lines_are_counted(checkout):
    message = refused(checkout, change(value="1"), change(method="MPRNet", value="x"))
    assert "line 2" in message and "(and 1 more lines are wrong)" in message


def test_a_cell_without_a_source_is_refused(checkout, cli):
    for source in ("", "  ", "paper"):
        assert "the source is missing" in refused(checkout, GOOD, source=source)
    message = refusal(cli("published", "add", filled(checkout, GOOD), *PAPER), 2)
    assert "--source" in message


def test_the_same_cell_twice_is_refused(checkout):
    assert "the same cell as line 2" in refused(checkout, GOOD, change(value="29.6"))
    taken(checkout, GOOD)
    message = refused(checkout, GOOD)
    assert "is in the catalogue already: line 2 of papers/esdnet/cells.csv" in message


def test_a_contradiction_is_refused_with_what_is_contradicted(checkout):
    taken(checkout, change(method="MPRNet"), GOOD)
    message = refused(checkout, change(value="29.6"))
    assert f"contradicts line 3 of papers/esdnet/cells.csv (table-1, PReNet, Rain200H, psnr): 29.5 dB there, from {SOURCE}" in message  # fmt: skip
    message = refused(checkout, change(method="ESDNet", value="25"))
    assert "contradicts claim 'rain200h-psnr-main'" in message and "30 dB" in message
    taken(checkout, change(method="ESDNet", value="30.2"))  # "about 30 dB"
    size = {"table": "table-3", "method": "ESDNet", "dataset": "", "metric": "parameters"}
    message = refused(checkout, change(**size, value="12.8", unit="M", protocol=""))
    assert "contradicts claim 'params-0.165M'" in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the columns must be table,method,dataset,metric,value,unit,protocol, found ''"),
        (b"just some text\n", "the columns must be"),
        (b"table,method,dataset,metric,value\na,b,c,d,1\n", "the columns must be"),
        (",".join([*TEMPLATE_COLUMNS, "source"]).encode(), "the columns must be"),
        (b"PK\x03\x04rest of a spreadsheet", "a spreadsheet, not CSV; save it as CSV, UTF-8"),
        (b"\xff\xfet\x00a\x00", "not UTF-8 text"),
        (",".join(TEMPLATE_COLUMNS).encode(), "no row has a value"),
        (",".join(TEMPLATE_COLUMNS).encode() + b"\ntable-1,PReNet,Rain200H,psnr,29,5,dB,esdnet\n",
         "line 2: 7 fields expected, found 8; write decimals with a point"),
        (",".join(TEMPLATE_COLUMNS).encode() + b'\n"table-1,PReNet\n', "not CSV"),
    ],
)  # fmt: skip
def test_what_is_no_template_is_refused(checkout, cli, content, said):
    file = checkout / "mine.csv"
    file.write_bytes(content)
    message = refusal(cli("published", "add", file, *PAPER, "--source", SOURCE), 1)
    assert said in message and "mine.csv" in message and not cells_file("esdnet").exists()


def test_a_missing_file_and_a_folder_are_refused(checkout, cli):
    assert "no such file" in refusal(
        cli("published", "add", "no.csv", *PAPER, "--source", SOURCE), 1
    )
    assert "is a folder" in refusal(
        cli("published", "add", checkout, *PAPER, "--source", SOURCE), 1
    )


def test_a_method_that_is_new_must_be_named(checkout):
    taken(checkout, change(method="NewNet"), new_methods=["NewNet"])
    taken(checkout, change(method="NewNet", metric="ssim", value="0.9", unit=""))  # known since
    assert [cell.method for cell in printed_cells("esdnet")] == ["NewNet", "NewNet"]


def test_a_protocol_for_all_rows_can_be_named_once(checkout):
    taken(checkout, change(protocol=""), change(method="MPRNet"), protocol="unstated")
    assert [cell.protocol for cell in printed_cells("esdnet")] == ["unstated", "matlab-double"]


def test_an_installed_package_takes_nothing_in(checkout, cli):
    (checkout / "Snakefile").unlink()
    message = refusal(
        cli("published", "add", filled(checkout, GOOD), *PAPER, "--source", SOURCE), 1
    )
    assert "belongs to an installed package" in message and "clone it" in message


def test_several_papers_must_be_told_apart(checkout, cli):
    for command in (("template", "--out", "x.csv"), ("add", "x.csv", "--source", SOURCE)):
        message = refusal(cli("published", *command), 2)
        assert f"name a --paper; there is: {', '.join(paper_names())}" in message
    message = refusal(cli("published", "template", "--out", "x.csv", "--paper", "esdent"), 1)
    assert "unknown paper 'esdent' (did you mean 'esdnet'?)" in message


def test_the_only_paper_needs_no_name(checkout, cli):
    for name in set(paper_names()) - {"esdnet"}:
        shutil.rmtree(files.CATALOG / "papers" / name)
    cli("published", "template", "--out", "cells.csv")
    assert "table-1,ESDNet,Rain12,psnr,,dB," in (checkout / "cells.csv").read_text()


@pytest.mark.parametrize("paper", ["spikerain", "vlif"])
def test_a_paper_of_which_no_table_is_known_has_no_cells(checkout, cli, paper):
    file, name = filled(checkout, GOOD), ("--paper", paper)
    for command in (("template", "--out", "x.csv"), ("add", file, "--source", SOURCE)):
        message = refusal(cli("published", *command, *name), 1)
        assert f"papers/{paper}/paper.yaml: names no table" in message and "artefacts" in message
    assert not (checkout / "x.csv").exists() and not cells_file(paper).exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [("method,dataset\nx,y\n", "the first line must be table,method"),
     (",".join(COLUMNS) + "\ntable-1,x\n", "line 2: 8 columns expected"),
     (",".join(COLUMNS) + "\ntable-1,PReNet,Rain200H,psnr,good,dB,esdnet,s\n", "line 2: value")],
)  # fmt: skip
def test_a_damaged_file_of_the_catalogue_is_named(checkout, content, said):
    cells_file("esdnet").write_text(content)
    with pytest.raises(BenchError) as error:
        read_judged_paper("esdnet")
    assert said in one_line(error.value) and "cells.csv" in one_line(error.value)


def test_ranges_are_ordered_and_contain_their_tolerances():
    for metric in cell_metrics().values():
        low, high = metric.range
        assert low < high and metric.tolerance > 0 and next(iter(metric.units.values())) == 1


# From here on: what becomes of them.


def judged(config) -> pd.DataFrame:
    (layout_of(config).scenarios / "savings.csv").unlink(missing_ok=True)  # too short to judge
    table = verdicts.write(config, layout_of(config).audit)
    return table[table["claim"].str.startswith("table-")].set_index("claim")


def scored(psnr: dict[tuple[str, str], float], images: int = 8):
    """Results in which a network restores every image alike: by run and variant, in dB."""
    seeds = sorted(int(v.removeprefix("seed-")) for r, v in psnr if r == "esdnet")
    runs = CONFIG["runs"]
    train = {"dataset": "Rain200H", "seeds": seeds}
    runs = {
        "esdnet": runs["esdnet"] | {"train": train},
        "prenet": runs["prenet"],
    }
    made = made_results()
    config = parse(CONFIG | {"label": "paper", "runs": runs}, "made")
    for (run, variant), mean in psnr.items():
        rows = [
            {"image": f"{i}.png", "protocol": p, "psnr": mean + 0.001 * (-1) ** i, "ssim": 0.9}
            for p in protocol_names()
            for i in range(images)
        ]
        table = pd.DataFrame(rows).assign(psnr_input=13.0, ssim_input=0.4)
        write(layout_of(made).per_image(run, variant, "Rain200H"), table)
    return config


SEEDS = [("esdnet", f"seed-{n}") for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("means", "word"),
    [
        ([30.0, 30.01, 29.99], "reproduced"),
        ([30.0, 30.01], "undecided"),
        ([30.0], "undecided"),
        ([29.5, 29.51, 29.49], "deviates"),
        ([29.5, 30.5, 30.0], "undecided"),
    ],
)
def test_a_score_of_the_papers_network_is_decided_over_three_seeds_or_more(checkout, means, word):
    config = scored(dict(zip(SEEDS, means, strict=False)) | {("prenet", "official"): 29.75})
    taken(checkout, change(method="ESDNet", value="30", protocol="esdnet"))
    row = judged(config).loc["table-1.Rain200H.ESDNet.psnr"]
    assert (row["verdict"], row["published"], row["kind"]) == (word, 30, "paper")
    assert row["measured"] == pytest.approx(np.mean(means), abs=1e-6)
    assert row["source"] == SOURCE


@pytest.mark.parametrize(
    ("images", "mean", "word"),
    [
        (8, 29.52, "reproduced"),
        (8, 29.9, "deviates"),
        (200, 29.59, "reproduced"),
        (200, 29.61, "deviates"),
    ],
)
def test_official_weights_are_decided_over_images_and_by_the_difference_on_the_whole_set(
    checkout, images, mean, word
):
    config = scored({s: 30.0 for s in SEEDS} | {("prenet", "official"): mean}, images)
    taken(checkout, GOOD)
    row = judged(config).loc["table-1.Rain200H.PReNet.psnr"]
    assert row["verdict"] == word and f"{images} images of 200" in row["reason"]


def test_without_a_stated_protocol_every_one_has_a_verdict(checkout):
    config = made_results()
    taken(checkout, change(protocol="unstated", value="29.75"))
    rows = judged(config)
    assert [r.split("protocol ")[1] for r in rows["reading"]] == [
        f"{p} (the paper states none)" for p in protocol_names()
    ]
    lower = {"matlab-double": 29.5}
    assert rows["measured"].tolist() == pytest.approx(
        [lower.get(p, 29.75) for p in protocol_names()]
    )


def test_what_nothing_stands_for_is_not_testable_here_and_smoke_judges_no_score(checkout):
    taken(checkout, change(method="MPRNet"), change(method="ESDNet", dataset="Rain12"), GOOD)
    rows = judged(made_results())
    assert rows.loc["table-1.Rain200H.MPRNet.psnr", "verdict"] == "not testable here"
    reason = rows.loc["table-1.Rain12.ESDNet.psnr", "reason"]
    assert reason == "no run of ESDNet as published is tested on Rain12"
    rows = judged(made_results("smoke"))
    assert set(rows["verdict"]) == {"not testable here"}


def costs(method: str, metric: str, value: str, unit: str, protocol: str = "") -> tuple[str, ...]:
    return ("table-3", method, "", metric, value, unit, protocol)


def test_costs_are_judged_by_structure(checkout):
    config = made_results("smoke")
    scenario_files()
    energy = layout_of(config).scenarios / "energy.csv"
    table = pd.read_csv(energy).assign(fixed_mj=np.nan, slope_mj=np.nan)
    snn = {"source": "structure", "name": "esdnet", "model": "esdnet", "costs": "some costs"}
    snn |= {"reuse": False, "zero_skipping": False, "fixed_mj": 10.0, "slope_mj": 40.0}
    rows = pd.DataFrame([snn | {"scenario": s, "mj": 50.0} for s in "abcd"])
    write(energy, pd.concat([table, rows]))
    taken(
        checkout,
        costs("PReNet", "parameters", "0.169", "M"),
        costs("MPRNet", "parameters", "3.64", "M"),
        costs("ESDNet", "parameters", "0.165", "M"),
        costs("PReNet", "operations", "66.2", "GMACs", "256x256"),
        costs("ESDNet", "operations", "984.6", "GFLOPs", "unstated"),
        costs("PReNet", "energy", "70.5", "mJ", "unstated"),
        costs("ESDNet", "energy", "20", "mJ", "256x256"),
    )
    rows = judged(config)
    words = rows["verdict"].to_dict()
    assert words["table-3.PReNet.parameters"] == "reproduced"
    assert words["table-3.ESDNet.parameters"] == "contradicted"
    assert words["table-3.MPRNet.parameters"] == "not testable here"  # not counted in these results
    assert words["table-3.PReNet.operations"] == "reproduced"
    flops = rows.loc["table-3.ESDNet.operations"]
    assert flops["verdict"].tolist() == ["deviates", "reproduced"]  # one or two per MAC
    assert flops["measured"].tolist() == pytest.approx([492.3, 984.6])
    assert set(rows.loc["table-3.PReNet.energy", "verdict"]) == {"reproduced"}
    energies = rows.loc["table-3.ESDNet.energy"]
    assert set(energies["verdict"]) == {"not testable here"}
    assert energies["reason"].str.contains("a mean firing rate of 0.250 under some costs").all()


def test_an_energy_that_no_firing_rate_gives_is_contradicted(checkout):
    config = made_results("smoke")
    scenario_files()
    energy = layout_of(config).scenarios / "energy.csv"
    snn = {"source": "structure", "name": "esdnet", "model": "esdnet", "costs": "some costs"}
    snn |= {"reuse": False, "zero_skipping": False, "fixed_mj": 10.0, "slope_mj": 40.0}
    write(energy, pd.DataFrame([snn | {"scenario": s, "mj": 50.0} for s in "abcd"]))
    taken(checkout, costs("ESDNet", "energy", "5", "mJ", "256x256"))
    rows = judged(config)
    assert set(rows["verdict"]) == {"contradicted"}
    assert rows["reason"].str.contains("10 to 50 mJ").all()


def test_an_ablation_is_judged_against_the_run_that_changes_that_part(checkout):
    config = made_results()
    row = {"table": "table-4", "protocol": "esdnet"}
    taken(
        checkout,
        change(**row, method="FRB", value="27.6"),
        change(**row, method="MAU: without any", value="27"),
    )
    rows = judged(config)
    found = rows.loc["table-4.Rain200H.FRB.psnr"]
    assert found["measured"] == pytest.approx(27.6) and found["verdict"] == "undecided"
    other = rows.loc["table-4.Rain200H.MAU-without-any.psnr"]
    assert other["verdict"] == "not testable here"
    table = next(
        t for t in artefacts.tables(config, read_judged_paper("esdnet")) if t.name == "table-4"
    )
    frame = table.frame.set_index("variant")
    assert frame.loc["without FRB", "published_psnr"] == 27.6
    assert frame.loc["without FRB", "difference_psnr"] == pytest.approx(0)
    printed = frame.loc["without any (as printed)"]
    assert printed["published_psnr"] == 27 and np.isnan(printed["reproduced_psnr"])
    assert frame.loc["ESDNet", "published_psnr"] == 29  # the user's report, as before


def test_real_rain_is_judged_over_photographs(checkout):
    values = {"RW-Data": {"kind": "folder", "catalogue": "RW-Data", "paired": False}}
    runs = CONFIG["runs"]
    prenet = runs["prenet"] | {"test": ["Rain200H", "RW-Data"]}
    made_results()
    config = parse(
        CONFIG | {"datasets": CONFIG["datasets"] | values, "runs": runs | {"prenet": prenet}},
        "made",
    )
    layout = layout_of(config)
    for file in (layout.no_reference_input("RW-Data"), layout.no_reference("prenet", "official", "RW-Data")):  # fmt: skip
        scores = [(i, m, 4 + 0.01 * n, "") for n, i in enumerate(IMAGES) for m in ("niqe", "piqe", "brisque")]  # fmt: skip
        write(file, pd.DataFrame(scores, columns=["image", "metric", "score", "reason"]))
    taken(
        checkout,
        ("table-2", "PReNet", "RW-Data", "niqe", "4.05", "", ""),
        ("table-2", "PReNet", "RW-Data", "brisque", "30", "", ""),
    )
    words = judged(config)["verdict"].to_dict()
    assert words["table-2.RW-Data.PReNet.niqe"] == "reproduced"
    assert words["table-2.RW-Data.PReNet.brisque"] == "deviates"
    table = next(
        t for t in artefacts.tables(config, read_judged_paper("esdnet")) if t.name == "table-2"
    )
    row = table.frame[(table.frame["method"] == "PReNet") & (table.frame["metric"] == "NIQE")].iloc[
        0
    ]
    assert (row["published_mean"], row["source"]) == (4.05, SOURCE)
    assert row["difference"] == pytest.approx(4.035 - 4.05)


def test_table_figure_equivalence_and_page_show_them_beside_what_was_found(checkout):
    config = made_results()
    scenario_files()
    taken(
        checkout,
        GOOD,
        change(metric="ssim", value="0.9123", unit=""),
        costs("PReNet", "parameters", "0.17", "M"),
        costs("PReNet", "operations", "66", "GMACs", "256x256"),
        costs("PReNet", "energy", "123", "mJ", "unstated"),
    )
    tables = {t.name: t for t in artefacts.tables(config, read_judged_paper("esdnet"))}
    scores = tables["table-1"].frame
    row = scores[scores["source"] == f"paper: {SOURCE}"].iloc[0]
    assert (row["published_psnr"], row["published_ssim"]) == (29.5, 0.9123)
    assert row["reproduced_psnr"] == pytest.approx(29.5)  # matlab-double, 0.25 dB below
    assert row["difference_psnr"] == pytest.approx(0)
    cost = tables["table-3"].frame
    row = cost[(cost["method"] == "PReNet") & cost["basis"].str.startswith("structure")].iloc[0]
    assert (row["published_parameters"], row["full_size_parameters"]) == (170000, 168963)
    assert row["difference_parameters"] == 168963 - 170000
    assert (row["published_operations"], row["published_energy_mj"]) == (66, 123)
    assert row["published_operations_unit"] == "GMACs"
    point = published_points(config).set_index("title").loc["PReNet, as printed"]
    assert (point["psnr"], point["parameters"], point["gmacs_256"]) == (29.5, 170000, 66)
    agreement = against_published(read_scores(config), config)
    row = agreement[agreement["source"] == f"Table 1: {SOURCE}"].iloc[0]
    assert (row["run"], row["protocol"], row["published_psnr"]) == ("prenet", "matlab-double", 29.5)
    row = comparison(config).frame.set_index("source").loc[SOURCE]
    assert (row["published_psnr"], row["published_ssim"]) == (29.5, 0.9123)
    judged(config)
    groups = dict(next(p for p in paper_verdicts(config) if p.name == "esdnet").groups)
    shown = {claim["id"]: claim for claim in groups["Cells of its tables"]}
    assert len(shown) == 5
    claim = shown["table-1.Rain200H.PReNet.psnr"]
    assert claim["published_text"] == "29.5 dB" and claim["tolerance_text"] == "± 0.1 dB"
    assert claim["wording"] == "Table 1: PReNet, PSNR on Rain200H: 29.5 dB (protocol matlab-double)"
    papers = {p["paper"]: p for p in read_json(layout_of(config).audit / "claims.json")["papers"]}
    assert set(papers) == set(paper_names()) and papers["esdnet"]["claims"][-1]["cell"]


def test_a_cell_has_one_name(checkout):
    taken(checkout, GOOD, change(method="PRN_r"), change(metric="ssim", value="0.9", unit=""))
    names = [claim_id(cell) for cell in printed_cells("esdnet")]
    assert len(set(names)) == len(names) == 3


SHOWS = ("audit", "tables", "figures", "verdict-figures", "paper", "report")
OTHERS = ("train", "evaluate", "energy", "structure", "scenarios", "sensitivity", "crosscheck")
OTHERS += ("estimators", "spikes", "gradients", "joules", "energy-figures", "spike-figures")
OTHERS += ("training-figures",)
OTHERS += ("no-reference", "data verify")


def test_cells_run_again_what_judges_or_shows_them_and_nothing_else(tmp_path, monkeypatch):
    before = {verb: fingerprint(verb) for verb in (*SHOWS, *OTHERS)}
    joined = tmp_path / "cells.csv"
    joined.write_text("table\n")

    def matching(*patterns):
        found = files.matching(*patterns)
        return [*found, joined] if "papers/*/cells.csv" in patterns else found

    monkeypatch.setattr(fingerprints, "matching", matching)
    after = {verb: fingerprint(verb) for verb in before}
    changed = {verb for verb in before if after[verb] != before[verb]}
    assert changed == set(SHOWS)
    assert all(
        {p for p in after[v] if after[v][p] != before[v].get(p)} == {"catalog"} for v in SHOWS
    )


def test_the_cells_of_one_table_weigh_as_much_as_one_claim_and_take_no_training_of_others(checkout):
    taken(checkout, GOOD, change(method="MPRNet"), change(method="ESDNet", value="30.1"))
    paper = read_judged_paper("esdnet")
    cells = [claim for claim in paper.ledger.all() if claim.cell]
    assert sum(claim.weight for claim in cells) == pytest.approx(1)
    assert {claim.branch for claim in cells} == {"accuracy"}
    judged(made_results())
    papers = read_json(checkout / "results/made/audit/coverage.json")["papers"]
    [covered] = [found for found in papers if found["paper"] == "esdnet"]
    by_claim = {claim["claim"]: claim for claim in covered["by_claim"]}
    need = by_claim["table-1.Rain200H.MPRNet.psnr"]["need"]
    assert need["networks"] == 0 and "no run of MPRNet as published" in need["takes"]
    assert by_claim["table-1.Rain200H.ESDNet.psnr"]["need"]["networks"] == 1


def test_released_weights_of_others_stand_for_them_with_the_arguments_that_they_take(checkout):
    made_results()
    prenet = CONFIG["runs"]["prenet"]
    runs = {
        "prenet": prenet | {"kwargs": {"recurrent_iter": 8}},
        "small": prenet | {"title": "PReNet-small", "kwargs": {"recurrent_iter": 1}},
    }
    config = parse(CONFIG | {"runs": runs}, "made")
    paper = read_judged_paper("esdnet")
    taken(checkout, GOOD)
    [cell] = printed_cells("esdnet")
    assert [entry.run for entry in runs_standing_for(config, paper, cell)] == ["prenet"]
