"""The paper's Tables 4 and 5: what parts of the network and settings of its neurons are worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from derainbench.audit.statistics import difference_intervals, holm, seeds_p
from derainbench.config import ABLATED_PARTS, Config
from derainbench.report import collect, paperfacts
from derainbench.report.cells import Table, interval_text, number, scores_text
from derainbench.report.paperfacts import HEADINGS, OURS, because, paper, paper_table

NEURON_PARTS = ("time steps", "threshold")
PARTS = {
    "table-4": tuple(part for part in ABLATED_PARTS if part not in NEURON_PARTS),
    "table-5": NEURON_PARTS,
}


def ablation(config: Config, name: str) -> Table:
    """Table 4 or 5: the unchanged network first, then every run that changes one thing.

    Raises:
        BenchError: if scores or counts are missing.
    """
    rows = list(_rows(config, name))
    ours, heading = OURS[config.label], HEADINGS[config.label]
    view = [
        {
            "Data set": row["dataset"],
            "Part": row["part"],
            "Variant": row["variant"],
            "Parameters": number(row["parameters"]),
            "GMACs": number(row["gmacs"], 2),
            "Firing rate": number(row["firing_rate"], 3),
            "Published (dB)": ""
            if pd.isna(row["published_psnr"])
            else f"{row['published_psnr']:g}",
            f"{heading} (dB / SSIM)": scores_text(
                row[f"{ours}_psnr"], row[f"{ours}_ssim"], row["std_over_seeds"]
            ),
            "Seeds": number(row["seeds"]),
            "Change (dB)": "" if pd.isna(row["change"]) else f"{row['change']:+.2f}",
            "95 % interval (dB)": interval_text(row["low"], row["high"]),
            "Seeds' deviation of the unchanged (dB)": number(row["base_std"], 2),
            "p over seeds (Holm)": number(row["p_holm"], 3),
            "Difference to published (dB)": ""
            if pd.isna(row["difference_psnr"])
            else f"{row['difference_psnr']:+.2f}",
            "Empty because": because(
                {"published": row["published_reason"], "difference": row["difference_reason"]}
            ),
        }
        for row in rows
    ]
    varied = ", ".join(PARTS[name])
    caption = (
        f"Varied: {varied}; which of its two ablation tables shows what is not known, and this split "
        f"is ours. PSNR (dB) / SSIM under protocol {config.figures.protocol}, mean over images, and "
        f"over seeds (± sample standard deviation). Change: against the unchanged network over the "
        f"same images, means over each's seeds, with its 95 % paired bootstrap interval over images, "
        f"which does not contain the scatter over seeds. That is tested apart: Student's t-test of "
        f"the seeds' means, with Holm's correction over the changes of one network; empty where both "
        f"have one seed."
    )
    for _, claim in paperfacts.known(name):
        caption += f" Published: {claim.wording} ({paperfacts.told(claim)})."
    if not rows:
        caption += (
            " Empty: no run of this configuration varies them; config/real.yaml has such runs at small "
            "scale, config/paper.yaml at full size."
        )
    return paper_table(config, name, caption, pd.DataFrame(rows, columns=_columns(ours)), view)


def _columns(ours: str) -> list[str]:
    """Columns of the tables, in this order also where they have no row."""
    columns = ["configuration", "label", "dataset", "part", "variant", "of", "parameters", "gmacs"]
    columns += ["firing_rate", "published_psnr", f"{ours}_psnr", f"{ours}_ssim", "std_over_seeds"]
    columns += ["protocol", "images", "seeds", "change", "low", "high", "base_std", "p", "p_holm"]
    return [*columns, "difference_psnr", "published_reason", "difference_reason"]


def _rows(config: Config, name: str) -> Iterator[dict[str, Any]]:
    varied = {
        run: spec
        for run, spec in config.runs.items()
        if spec.ablation and spec.ablation.part in PARTS[name]
    }
    if not varied:
        return
    scores = pd.concat([collect.scores(config, ablations=a) for a in (False, True)])
    scores = scores[scores["protocol"] == config.figures.protocol]
    accounts = pd.concat([collect.accounts(config, ablations=a) for a in (False, True)])
    tested = {run: [d for d in config.runs[run].test if config.paired(d)] for run in config.runs}
    for base in dict.fromkeys(spec.ablation.of for spec in varied.values()):
        runs = sorted(
            (run for run, spec in varied.items() if spec.ablation.of == base),
            key=lambda run: PARTS[name].index(varied[run].ablation.part),
        )
        for dataset in tested[base]:
            of_set = scores[scores["dataset"] == dataset]
            changed = [run for run in runs if dataset in tested[run]]
            if changed:
                yield _row(config, name, base, base, of_set, accounts)
            rows = [_row(config, name, run, base, of_set, accounts) for run in changed]
            for row, corrected in zip(rows, holm([row["p"] for row in rows]), strict=True):
                yield row | {"p_holm": corrected}


def _row(
    config: Config, name: str, run: str, base: str, scores: pd.DataFrame, accounts: pd.DataFrame
) -> dict[str, Any]:
    """One run against the unchanged one, on one data set under one protocol."""
    ours, nothing = OURS[config.label], float("nan")
    own, other = (scores[scores["run"] == r] for r in (run, base))
    means = own.groupby("variant")[["psnr", "ssim"]].mean()
    counts = accounts[accounts["run"] == run]
    spec = config.runs[run]
    change = (
        _change(own, other) if run != base else dict.fromkeys(("change", "low", "high"), nothing)
    )
    dataset = paperfacts.set_name(config, scores["dataset"].iloc[0])
    printed = _published(config, name, run, dataset) if run == base else None
    reproduced = means["psnr"].mean()
    return {
        "configuration": config.name,
        "label": config.label,
        "dataset": dataset,
        "part": spec.ablation.part if spec.ablation else "unchanged",
        "variant": spec.title or run,
        "of": base,
        "parameters": counts["parameters"].iloc[0],
        "gmacs": counts["gmacs_256"].iloc[0],
        "firing_rate": counts["firing_rate"].astype(float).mean(),
        "published_psnr": nothing if printed is None else printed,
        f"{ours}_psnr": reproduced,
        f"{ours}_ssim": means["ssim"].mean(),
        "std_over_seeds": means["psnr"].std() if len(means) > 1 else nothing,
        "protocol": config.figures.protocol,
        "images": own["image"].nunique(),
        "seeds": len(means) if spec.train else pd.NA,
        **change,
        "base_std": _seeds(other).std() if run != base else nothing,
        "p": seeds_p(_seeds(own), _seeds(other)) if run != base else nothing,
        "p_holm": nothing,
        "difference_psnr": nothing,
        "published_reason": "" if printed is not None else paper().missing,
        "difference_reason": "the published score's protocol is not stated" * (printed is not None),
    }


def _published(config: Config, name: str, run: str, dataset: str) -> float | None:
    """What is known to be printed of the unchanged network, if the run is that network."""
    entries = {e.run: e for e in collect.entries(config)}
    if paperfacts.method_of(entries[run]) != paper().method:
        return None
    return next((c.published for _, c in paperfacts.known(name) if c.dataset == dataset), None)


def _change(own: pd.DataFrame, other: pd.DataFrame) -> Mapping[str, float]:
    """Mean PSNR difference over the same images, each the mean over seeds, and its interval."""
    first, second = (of.groupby("image")["psnr"].mean() for of in (own, other))
    both = pd.concat([first, second], axis=1, join="inner").to_numpy().T
    both = both[:, np.isfinite(both).all(axis=0)]  # perfectly restored images have no difference
    [(low, high)] = difference_intervals(both[:1], both[1:])
    return {"change": float((both[0] - both[1]).mean()), "low": low, "high": high}


def _seeds(scores: pd.DataFrame) -> pd.Series:
    """Mean PSNR of every seed."""
    return scores.groupby("variant")["psnr"].mean()
