"""The tables, as data frames and as CSV, Markdown and LaTeX files."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pandas as pd

from derainbench import provenance
from derainbench.config import PROTOCOL_NAMES, Config
from derainbench.files import staged_folder, write_text
from derainbench.report import collect
from derainbench.report.structure import model_table

RAINY = "Rainy input"


@dataclass(frozen=True)
class Table:
    """A table with what a reader must know beside it.

    Attributes:
        name: file stem.
        caption: one or two sentences, naming protocol, sizes and assumptions.
        frame: numbers, unrounded.
        digits: decimals shown, by column; the CSV keeps all.
    """

    name: str
    caption: str
    frame: pd.DataFrame
    digits: dict[str, int]

    def shown(self) -> pd.DataFrame:
        """The table as text, rounded; cells without a value are empty."""
        text = self.frame.copy().astype(object)
        for column in text:
            digits = self.digits.get(column)
            text[column] = [_cell(value, digits) for value in self.frame[column]]
        return text


def _cell(value: object, digits: int | None) -> str:
    if pd.isna(value):
        return ""
    if isinstance(value, float):
        return f"{value:.{3 if digits is None else digits}f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def prefix(config: Config) -> str:
    """What every caption starts with."""
    return {"smoke": "SMOKE (pipeline check, no scientific content): ", "study": "", "paper": ""}[
        config.label
    ]


def quality(config: Config) -> Table:
    """PSNR and SSIM by data set and method under every protocol, mean over images and seeds."""
    scores = collect.scores(config)
    keys = ["dataset", "title", "weights"]
    rows = []
    for _, of_set in scores.groupby("dataset", sort=False):
        # Every run saw the same rainy images: the first one's scores of them are everyone's.
        first = of_set[(of_set["run"] == of_set["run"].iloc[0])]
        first = first[first["variant"] == first["variant"].iloc[0]]
        rainy = first.drop(columns=["psnr", "ssim"]).rename(
            columns={"psnr_input": "psnr", "ssim_input": "ssim"}
        )
        rows.append(_means(rainy.assign(title=RAINY, weights="", variant=""), keys))
        rows.append(_means(of_set, keys))
    frame = pd.concat(rows, ignore_index=True)
    frame.insert(0, "configuration", config.name)
    digits = {f"psnr_{p}": 2 for p in PROTOCOL_NAMES} | {f"ssim_{p}": 4 for p in PROTOCOL_NAMES}
    caption = (
        f"{prefix(config)}mean PSNR (dB) and SSIM per protocol over the test images, and over "
        "seeds where there are several."
    )
    return Table("quality", caption, frame, digits)


def _means(scores: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """One row per method: means over images, then over seeds; sample deviation over seeds."""
    per_seed = scores.groupby([*keys, "run", "variant", "protocol"], sort=False)[
        ["psnr", "ssim"]
    ].mean()
    rows = []
    for key, group in per_seed.groupby([*keys, "run"], sort=False):
        row = dict(zip(keys, key[:-1], strict=True))
        of_run = scores[scores["run"] == key[-1]]
        row["images"] = int(of_run["image"].nunique())
        row["seeds"] = int(of_run["variant"].nunique()) if row["title"] != RAINY else None
        for protocol in PROTOCOL_NAMES:
            values = group.xs(protocol, level="protocol")
            row[f"psnr_{protocol}"] = values["psnr"].mean()
            row[f"ssim_{protocol}"] = values["ssim"].mean()
            if len(values) > 1:
                row[f"psnr_{protocol}_std_over_seeds"] = values["psnr"].std()
        rows.append(row)
    frame = pd.DataFrame(rows)
    return frame.astype({"seeds": "Int64"})


def comparison(config: Config) -> Table:
    """Published scores of the methods whose official weights were run, beside the reproduced."""
    text = resources.files("derainbench.catalog").joinpath("published.csv")
    with text.open(encoding="utf-8") as stream:
        published = pd.read_csv(stream)
    ours = quality(config).frame
    official = ours[ours["weights"].str.startswith("official")]
    rows = []
    for _, row in official.iterrows():
        same = published[
            (published["method"] == row["title"]) & (published["dataset"] == row["dataset"])
        ]
        for _, cell in same.iterrows():
            psnr = row.get(f"psnr_{cell['protocol']}")
            rows.append(
                {
                    "configuration": config.name,
                    "dataset": row["dataset"],
                    "method": row["title"],
                    "protocol": cell["protocol"],
                    "published_psnr": cell["psnr"],
                    "published_ssim": cell["ssim"],
                    "reproduced_psnr": psnr,
                    "reproduced_ssim": row.get(f"ssim_{cell['protocol']}"),
                    "difference_psnr": psnr - cell["psnr"],
                    "images": row["images"],
                    "weights": row["weights"],
                    "kind": cell["kind"],
                    "source": cell["source"],
                }
            )
    columns = [
        *("configuration", "dataset", "method", "protocol", "published_psnr", "published_ssim"),
        *("reproduced_psnr", "reproduced_ssim", "difference_psnr", "images", "weights"),
        *("kind", "source"),
    ]
    frame = pd.DataFrame(rows, columns=columns)
    caption = (
        f"{prefix(config)}published scores beside those of official weights on the images at "
        "hand. Published numbers are of the complete test sets, often of other weights; "
        "`images` says how many were scored here."
    )
    if frame.empty:
        caption += " Empty: this configuration runs no official weights."
    psnr = ("published_psnr", "reproduced_psnr", "difference_psnr")
    digits = dict.fromkeys(psnr, 2) | {"published_ssim": 4, "reproduced_ssim": 4}
    return Table("comparison", caption, frame, digits)


def complexity(config: Config) -> Table:
    """Parameters, operation counts and energy per method, mean over images and seeds."""
    accounts = collect.accounts(config)
    rename = {"title": "method", "macs_analog": "analog_gmacs", "sops": "gsops"}
    keys = ["title", "weights", "run", "dataset", "counted_size", "images", "costs", "parameters"]
    numbers = ["gmacs_256", "macs_dense", "macs_analog", "sops", "firing_rate"]
    numbers += ["energy_measured_mj", "energy_spike_driven_mj"]
    frame = accounts.groupby(keys, sort=False)[numbers].mean().reset_index()
    for column in ("macs_dense", "macs_analog", "sops"):
        frame[column] /= 1e9
    frame = frame.drop(columns=["run", "macs_dense"]).rename(columns=rename)
    frame.insert(0, "configuration", config.name)
    size = accounts["counted_size"].iloc[0]
    costs = accounts["costs"].iloc[0]
    caption = (
        f"{prefix(config)}parameters and dense GMACs of one 256x256 image; analog GMACs, "
        f"synaptic operations (GSOPs), firing rate and energy (mJ) of one {size} crop, mean over "
        f"the images counted. Costs {costs}: 4.6 pJ per MAC, 0.9 pJ per SOP. "
        "energy_measured prices operations on analog input as MACs; energy_spike_driven prices "
        "every operation of a spiking network as accumulates at its mean firing rate. Norms, "
        "activations, membrane updates and memory are not in either."
    )
    digits = {"gmacs_256": 2, "analog_gmacs": 3, "gsops": 3, "firing_rate": 4}
    digits |= {"energy_measured_mj": 2, "energy_spike_driven_mj": 2}
    return Table("complexity", caption, frame, digits)


def structure(config: Config) -> Table:
    """Every registered model at full size: what needs no training to be known."""
    frame = model_table()
    frame.insert(0, "configuration", config.name)
    caption = (
        f"{prefix(config)}all registered models at their papers' size, counted from the structure "
        "alone; a spiking network's T time steps count T times."
    )
    return Table("structure", caption, frame, {"GMACs (256x256)": 2})


def all_tables(config: Config) -> list[Table]:
    """The tables in the order of the report."""
    return [quality(config), comparison(config), complexity(config), structure(config)]


def write_tables(config: Config, out: Path) -> None:
    """Writes every table as ``NAME.csv``, ``NAME.md`` and ``NAME.tex``, all or nothing."""
    with staged_folder(out) as stage:
        for table in all_tables(config):
            csv = table.frame.to_csv(index=False, float_format="%.8g")
            write_text(stage / f"{table.name}.csv", csv)
            markdown = table.shown().to_markdown(index=False, disable_numparse=True)
            write_text(stage / f"{table.name}.md", f"{table.caption}\n\n{markdown}\n")
            latex = table.shown().to_latex(
                index=False,
                escape=True,
                caption=_latex_escaped(table.caption),
                label=f"tab:{config.name}-{table.name}",
            )
            write_text(stage / f"{table.name}.tex", latex)
            provenance.write_record(
                stage / f"{table.name}.csv", settings={"configuration": config.name}
            )


def _latex_escaped(text: str) -> str:
    for character in "&%$#_":
        text = text.replace(character, f"\\{character}")
    return text
