"""The operation counts of a configuration's runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from derainbench.foundation.documents import read_json_file
from derainbench.foundation.files import regular_file
from derainbench.foundation.frames import read_csv
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_json, read_number, read_table
from derainbench.results.runs import counted_variants, run_variants

if TYPE_CHECKING:
    from derainbench.config.schema import Config

_ABOUT = ["run", "variant", "title", "weights", "dataset", "images", "counted_size"]
_ABOUT += ["parameters", "gmacs_256"]
_MEANS = ["macs_analog", "macs_effective", "macs_attention", "sops", "firing_rate"]
_MEANS += ["membrane_updates"]

_AGAIN = "run `derainbench energy` again"


def read_accounts(config: Config, *, ablations: bool = False) -> pd.DataFrame:
    """One row per entry from its ``energy.json``: structure and means over images.

    Images of others have none: neither weights nor inputs of their network are at hand.
    """
    rows = []
    for entry in counted_variants(config, ablations=ablations):
        path = Path(config.results) / "energy" / entry.run / entry.variant / "energy.json"
        content = read_json(path)
        rows.append(
            {
                "run": entry.run,
                "variant": entry.variant,
                "title": entry.title,
                "weights": entry.weights,
                "dataset": entry.spec.test[0],
                "images": content["images"],
                "counted_size": "x".join(map(str, content["size"])),
                "parameters": content["structure"]["parameters"],
                "gmacs_256": content["structure"]["macs_dense"] / 1e9,
                **{name: read_number(value) for name, value in content["mean"].items()},
            }
        )
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=[*_ABOUT, *_MEANS])


def read_published_sizes(config: Config) -> pd.DataFrame:
    """Size of the networks, at full size, that runs name as the origin of images of others.

    Returns:
        Columns run, parameters, gmacs_256, one row per such run; GMACs are missing where the network
        does not take images of 256x256.

    Raises:
        BenchError: if there is such a run, and the structure has not been counted.
    """
    columns = ["run", "parameters", "gmacs_256"]
    named = [e for e in run_variants(config) if not e.spec.counted and e.spec.network]
    if not named:
        return pd.DataFrame(columns=columns)
    models = read_table(layout_of(config).models).set_index("model")
    rows = [(e.run, *models.loc[e.spec.network, ["parameters", "size", "gmacs"]]) for e in named]
    sizes = pd.DataFrame(rows, columns=["run", "parameters", "size", "gmacs_256"])
    sizes["gmacs_256"] = sizes["gmacs_256"].where(sizes["size"] == "256x256")
    return sizes[columns]


def read_account(folder: Path) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """An account's ``energy.json``, layers and other operators.

    Raises:
        BenchError: if a file is missing.
    """
    for name in ("energy.json", "layers.csv", "others.csv"):
        regular_file(folder / name, "missing; run `derainbench energy` first")
    facts = read_json_file(folder / "energy.json", _AGAIN)
    return facts, read_layers(folder / "layers.csv"), read_layers(folder / "others.csv")


def read_layers(file: Path) -> pd.DataFrame:
    """A table of layers or other operators, every digit kept."""
    texts = ["model", "image", "layer", "step_densities"]
    table = read_csv(file, _AGAIN, dtype=dict.fromkeys(texts, str))
    return table.fillna({column: "" for column in texts if column in table})
