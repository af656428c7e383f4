"""A second paper beside the first: in a copy of the catalogue, and in results.

Its networks are the first paper's under other names, so that every number of theirs is known.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from derainbench.catalog import files
from derainbench.config.schema import Config, parse
from derainbench.results.layout import layout_of

NAMES = {"esdnet": "otter", "esdnet-ann": "otter-ann"}
TITLES = {"esdnet": "Otter", "esdnet-ann": "Otter-ANN"}
PAPER: dict[str, Any] = {
    "network": "otter",
    "counterpart": "otter-ann",
    "baselines": ["rescan"],
    "method": "Otter",
    "artefacts": {
        "table-2": {"kind": "scores", "title": "Scores", "sets": ["Rain12"]},
        "figure-7": {"kind": "patch", "title": "A patch"},
    },
    "cells": [{"artefact": "table-2", "claim": "psnr"}],
}
CLAIMS: dict[str, Any] = {
    "claims": [
        {"id": "energy", "wording": "saves 30 %", "source": "abstract", "kind": "abstract",
         "published": 0.3, "unit": "share of the baseline's energy", "test": "energy-saving"},
        {"id": "psnr", "wording": "31.5 dB", "source": "Table 2", "kind": "paper",
         "published": 31.5, "unit": "dB", "test": "score", "dataset": "Rain12",
         "speaks": ["paper"]},
        {"id": "as-many", "wording": "as many parameters as the first", "source": "abstract, unnamed",
         "kind": "abstract", "published": 0, "unit": "share of the other network's parameters",
         "test": "parameters-against", "against": "esdnet"},
    ],
    "findings": [
        {"id": "params-0.165M", "wording": "12.8 M parameters", "source": "its code", "kind": "code",
         "published": 12811463, "unit": "parameters", "test": "parameters"},
    ],
}  # fmt: skip


def add_paper(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies the catalogue to a folder, with the second paper in it, and uses that one."""
    shutil.copytree(files.CATALOG, catalog)
    folder = catalog / "papers" / "otter"
    (folder / "models").mkdir(parents=True)
    (folder / "paper.yaml").write_text(yaml.safe_dump(PAPER, sort_keys=False))
    (folder / "claims.yaml").write_text(yaml.safe_dump(CLAIMS))
    for model, name in NAMES.items():
        card = yaml.safe_load((catalog / f"papers/esdnet/models/{model}.yaml").read_text())
        card |= {"name": name, "title": TITLES[model], "origin": f"River et al., {name}"}
        card |= {"counterpart_of": "otter"} if "counterpart_of" in card else {}
        (folder / "models" / f"{name}.yaml").write_text(yaml.safe_dump(card))
    monkeypatch.setattr(files, "CATALOG", catalog)


def add_results(config: Config) -> Config:
    """The same results once more for the second paper's network, as a run of its own."""
    layout = layout_of(config)
    for file in ("models.csv", "layers.csv"):
        _again(layout.structure / file)
    for file in ("energy.csv", "savings.csv"):
        _again(layout.scenarios / file)
    arguments = layout.structure / "arguments.json"
    known = json.loads(arguments.read_text())
    arguments.write_text(json.dumps(known | {NAMES[m]: known[m] for m in NAMES}))
    for folder in ("scores", "energy", "runs", "spikes", "estimators"):
        if (layout.root / folder / "esdnet").is_dir():
            shutil.copytree(layout.root / folder / "esdnet", layout.root / folder / "otter")
    values = config.model_dump(mode="json")
    run = values["runs"]["esdnet"] | {"model": "otter", "title": "Otter (tiny)"}
    runs = values["runs"] | {"otter": run}
    return parse(values | {"runs": runs, "papers": ["esdnet", "otter"]}, "second paper")


def _again(file: Path) -> None:
    """The rows of the first paper's networks once more, under the second's names."""
    table = pd.read_csv(file)
    rows = table[table["model"].isin(NAMES)].copy()
    if "source" in rows:  # only the network itself has a run
        rows = rows[(rows["source"] == "structure") | (rows["model"] == "esdnet")]
    if "baseline" in rows:
        known = rows["baseline"].isin(["esdnet-ann", "rescan"])
        rows = rows[(rows["source"] == "measured") | known]
    for column in {"model", "name", "baseline"} & set(rows):
        rows[column] = rows[column].replace(NAMES).replace({"esdnet/": "otter/"}, regex=True)
    for column in {"title", "baseline_title"} & set(rows):
        rows[column] = rows[column].replace({"ESDNet": "Otter"}, regex=True)
    pd.concat([table, rows]).to_csv(file, index=False)
