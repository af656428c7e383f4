"""The tables, as data frames and as CSV, Markdown and LaTeX files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from derainbench import provenance, published
from derainbench.audit.statistics import mean_interval
from derainbench.config import PROTOCOL_NAMES, Config
from derainbench.energy.scenarios import DEFAULT_COSTS, cost_tables, scenarios
from derainbench.files import staged_folder, write_text
from derainbench.report import collect, energy, realrain, statistics
from derainbench.report.cells import RAINY, Table, captioned, interval_text, number, scores_text
from derainbench.report.claims import claims


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
    caption = captioned(
        config,
        "PSNR (dB) / SSIM under four protocols, mean over the test images, and "
        "over seeds where there are several (± sample standard deviation of PSNR over seeds).",
    )
    view = [
        {
            "Data set": row["dataset"],
            "Method": row["title"],
            "Weights": row["weights"],
            "Images": number(row["images"]),
            "Seeds": number(row["seeds"]),
            **{
                p: scores_text(
                    row[f"psnr_{p}"], row[f"ssim_{p}"], row.get(f"psnr_{p}_std_over_seeds")
                )
                for p in PROTOCOL_NAMES
            },
        }
        for _, row in frame.iterrows()
    ]
    return Table("quality", caption, frame, pd.DataFrame(view))


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
        trained = of_run["variant"].iloc[0].startswith("seed-")
        row["seeds"] = int(of_run["variant"].nunique()) if trained else None
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
    known = published.scores()
    ours = quality(config).frame
    official = ours[ours["weights"].str.startswith("official")]
    scores = collect.scores(config)
    rows = []
    for _, row in official.iterrows():
        same = known[(known["method"] == row["title"]) & (known["dataset"] == row["dataset"])]
        for _, cell in same.iterrows():
            # None of ours where the source does not say its protocol.
            psnr = row.get(f"psnr_{cell['protocol']}", float("nan"))
            of_images = scores[
                (
                    scores[["dataset", "title", "weights"]] == row[["dataset", "title", "weights"]]
                ).all(axis=1)
                & (scores["protocol"] == cell["protocol"])
            ]
            low, high = mean_interval(of_images["psnr"])
            rows.append(
                {
                    "configuration": config.name,
                    "dataset": row["dataset"],
                    "method": row["title"],
                    "protocol": cell["protocol"],
                    "published_psnr": cell["psnr"],
                    "published_ssim": cell["ssim"],
                    "reproduced_psnr": psnr,
                    "reproduced_ssim": row.get(f"ssim_{cell['protocol']}", float("nan")),
                    "difference_psnr": psnr - cell["psnr"],
                    "low_psnr": low,
                    "high_psnr": high,
                    "published_within": bool(low <= cell["psnr"] <= high) if psnr == psnr else None,
                    "images": row["images"],
                    "weights": row["weights"],
                    "kind": cell["kind"],
                    "source": cell["source"],
                }
            )
    columns = [
        *("configuration", "dataset", "method", "protocol", "published_psnr", "published_ssim"),
        *("reproduced_psnr", "reproduced_ssim", "difference_psnr"),
        *("low_psnr", "high_psnr", "published_within", "images", "weights"),
        *("kind", "source"),
    ]
    frame = pd.DataFrame(rows, columns=columns)
    caption = captioned(
        config,
        "published scores beside those of official weights on the images at "
        "hand. Published numbers are of the complete test sets, often of other weights; "
        "Images says how many were scored here, the bootstrap interval how far their mean PSNR may "
        "lie from that of the complete set: with the same weights the published value should be inside.",
    )
    if frame.empty:
        caption += " Empty: this configuration runs no official weights."
    view = [
        {
            "Data set": row["dataset"],
            "Method": row["method"],
            "Protocol": row["protocol"],
            "Published": scores_text(row["published_psnr"], row["published_ssim"]),
            "Reproduced": scores_text(row["reproduced_psnr"], row["reproduced_ssim"]),
            "Difference (dB)": number(row["difference_psnr"], 2),
            "95 % interval (dB)": interval_text(row["low_psnr"], row["high_psnr"]),
            "Published inside": {True: "yes", False: "no"}.get(row["published_within"], ""),
            "Images": number(row["images"]),
            "Weights": row["weights"],
            "Published in": f"{row['source']} ({row['kind']})",
        }
        for _, row in frame.iterrows()
    ]
    return Table("comparison", caption, frame, pd.DataFrame(view))


def complexity(config: Config) -> Table:
    """Parameters, operation counts and energy per method, mean over images and seeds."""
    accounts = collect.accounts(config)
    keys = ["title", "weights", "run", "dataset", "counted_size", "images", "parameters"]
    numbers = ["gmacs_256", "macs_analog", "macs_analog_nonzero", "macs_attention", "sops"]
    numbers += ["firing_rate", "membrane_updates"]
    frame = accounts.groupby(keys, sort=False)[numbers].mean().reset_index()
    for column in numbers[1:-2]:
        frame[column] /= 1e9
    frame = frame.rename(
        columns={
            "title": "method",
            "macs_analog": "analog_gmacs",
            "macs_analog_nonzero": "analog_nonzero_gmacs",
            "macs_attention": "attention_gmacs",
            "sops": "gsops",
        }
    )
    priced = _energies(config)
    frame = frame.merge(priced, on="run").drop(columns="run")
    frame.insert(0, "configuration", config.name)
    costs = cost_tables()[DEFAULT_COSTS]
    size = frame["counted_size"].iloc[0]
    named = "; ".join(f"({k}) {s.title}" for k, s in scenarios().items())
    caption = captioned(
        config,
        f"parameters and dense GMACs of one 256x256 image; MACs on analog input, synaptic "
        f"operations (SOPs), firing rate and energy of one {size} crop, mean over the images "
        f"counted. Costs {DEFAULT_COSTS}: {costs.mac} pJ per MAC, {costs.ac} pJ per SOP; nothing "
        f"reused, no zero skipped. Scenarios: {named}.",
    )
    view = [
        {
            "Method": row["method"],
            "Weights": row["weights"],
            "Parameters": number(row["parameters"]),
            "GMACs": number(row["gmacs_256"], 2),
            "Analog GMACs": number(row["analog_gmacs"], 2),
            "GSOPs": number(row["gsops"], 2),
            "Firing rate": number(row["firing_rate"], 4),
            **{f"Energy ({s}) (mJ)": number(row[f"energy_{s}_mj"], 2) for s in scenarios()},
        }
        for _, row in frame.iterrows()
    ]
    return Table("complexity", caption, frame, pd.DataFrame(view))


def _energies(config: Config) -> pd.DataFrame:
    """Energy of every run in mJ under the default costs: columns run, energy_<scenario>_mj."""
    table = energy.plain(energy.answers(config, "energy"))
    table = table[table["source"] == "measured"]
    table = table.assign(run=table["name"].str.rsplit("/", n=1).str[0])
    wide = table.pivot_table("mj", "run", "scenario")
    return wide.rename(columns=lambda s: f"energy_{s}_mj").reset_index()


def structure(config: Config) -> Table:
    """Every registered model at full size: what needs no training to be known."""
    frame = collect.read_table(Path(config.results) / "structure" / "models.csv")
    frame.insert(0, "configuration", config.name)
    caption = (
        "All registered models at their papers' size, for one 256x256 image, "
        "counted from the structure alone; a spiking network's T time steps count T times. IDT takes "
        "128x128 images only: four of them."
    )
    view = [
        {
            "Method": row["title"],
            "Parameters": number(row["parameters"]),
            "GMACs": number(row["gmacs"], 2),
            "Spiking": "yes" if row["spiking"] else "no",
            "Paper": row["paper"],
            "Official weights": row["official weights"],
        }
        for _, row in frame.iterrows()
    ]
    return Table("structure", caption, frame, pd.DataFrame(view))


# In the order of the report.
BUILDERS: dict[str, Callable[[Config], Table]] = {
    "claims": claims,
    "quality": quality,
    "comparison": comparison,
    **{build.__name__: build for build in statistics.BUILDERS},
    "realrain": realrain.table,
    "complexity": complexity,
    "savings": energy.savings,
    "break_even": energy.break_even,
    "structure": structure,
    "crosscheck": energy.crosscheck,
    "estimators": energy.estimators,
    "joules": energy.joules,
}


def all_tables(config: Config) -> list[Table]:
    """The tables in the order of the report."""
    return [build(config) for build in BUILDERS.values()]


def write_tables(config: Config, out: Path) -> None:
    """Writes every table as ``NAME.csv``, ``NAME.md`` and ``NAME.tex``, all or nothing."""
    with staged_folder(out) as stage:
        for table in all_tables(config):
            csv = table.frame.to_csv(index=False, float_format="%.8g")
            write_text(stage / f"{table.name}.csv", csv)
            markdown = table.view.to_markdown(index=False, disable_numparse=True)
            write_text(stage / f"{table.name}.md", f"{table.caption}\n\n{markdown}\n")
            latex = table.view.to_latex(
                index=False,
                escape=True,
                caption=latex_escaped(table.caption),
                label=f"tab:{config.name}-{table.name}",
            )
            write_text(stage / f"{table.name}.tex", latex)
            provenance.write_record(
                stage / f"{table.name}.csv", settings={"configuration": config.name}
            )


def latex_escaped(text: str) -> str:
    """Text with the characters that mean something to LaTeX written out."""
    for character in "&%$#_":
        text = text.replace(character, f"\\{character}")
    return text
