"""The section of docs/study.md on the spiking networks of several papers, trained alike: study.py."""

from __future__ import annotations

from typing import Any

import pandas as pd
from study_tables import COSTS, Study, _markdown, than

# Each paper's spiking network under the shorter budget, and its ANN counterpart.
PAIRS = {
    "esdnet-12": "esdnet-ann-12",
    "vlif-12": "vlif-ann-12",
    "spikerain-12": "spikerain-ann-12",
}


def papers_section(study: Study, short: dict[str, Any]) -> str:
    """The section, in Markdown; empty where the results are older than these trainings.

    Args:
        study: the results.
        short: facts of the trainings under the shorter budget; see :meth:`Study.training`.
    """
    if not {*PAIRS, *PAIRS.values()} <= set(study.seeds["run"]):
        return ""
    return f"""### The spiking derainers that followed

VLIF and SpikeRain, as small and under the same budget of {short["epochs"]} epochs and {short["seeds"]},
each beside its ANN counterpart (means over seeds, sample standard deviation; the difference with its
95 % bootstrap interval over images):

{quality_of_pairs(study)}

Energy of each spiking network over that of the cheapest ANN of this study that is not worse and no
better than the margin of equal quality allows, {COSTS}, by scenario; below 1 the spiking
network takes less:

{energy_of_pairs(study)}

None was trained by its own recipe or to its end, and the small variants are ours: this compares three
ways of building a spiking network under one short budget, not the papers' networks.

"""


def quality_of_pairs(study: Study) -> str:
    """Size and scores of each pair, with the paired difference of their scores."""
    counts = study.table("complexity").drop_duplicates("method").set_index("method")
    rows = []
    for run, counterpart in PAIRS.items():
        for own in (run, counterpart):
            psnr, ssim = study.score(own, "psnr"), study.score(own, "ssim")
            count = counts.loc[psnr["method"]]
            rows.append(
                {
                    "Network": psnr["method"].partition(",")[0],
                    "Parameters": f"{count['parameters']:,}",
                    "GMACs": f"{count['gmacs_256']:.2f}",
                    "Firing rate": firing_rate(study, run, counterpart) if own == run else "",
                    "PSNR (dB)": f"{psnr['mean']:.2f} ± {psnr['sd']:.2f}",
                    "SSIM": f"{ssim['mean']:.4f}",
                    "Against its counterpart": (
                        than(study.difference(run, counterpart)) if own == run else ""
                    ),
                }
            )
    return _markdown(rows)


def firing_rate(study: Study, run: str, counterpart: str) -> str:
    """Spikes per neuron and time step, mean over seeds; a level of a graded spike counts in full."""
    return f"{pd.concat(study.saving(run, counterpart).values())['firing_rate'].mean():.3f}"


def energy_of_pairs(study: Study) -> str:
    """Each spiking network's energy over that of the cheapest ANN of equal quality, by scenario."""
    table = study.table("equal_quality")
    table = table[
        (table["costs"] == COSTS)
        & (table["dataset"] == study.dataset)
        & (table["protocol"] == study.protocol)
        & ~table["reuse"]
        & ~table["zero_skipping"]
    ]
    rows = []
    for run in PAIRS:
        found = table[table["run"] == run]
        compared = found[found["answer"] == "compared"]
        baselines = dict(zip(compared["baseline_title"], compared["psnr_baseline"], strict=True))
        first = found.iloc[0]
        rows.append(
            {
                "Network": first["title"].partition(",")[0],
                "PSNR (dB)": f"{first['psnr']:.2f}",
                "Cheapest ANN that is not worse, its PSNR (dB)": "; ".join(
                    f"{title.removesuffix(' epochs').rpartition(',')[0]}, {psnr:.2f}"
                    for title, psnr in baselines.items()
                )
                or "; ".join(sorted(set(found["answer"]))),
                **{
                    f"({row['scenario']})": "" if pd.isna(row["ratio"]) else f"{row['ratio']:.2f}"
                    for _, row in found.sort_values("scenario").iterrows()
                },
            }
        )
    return _markdown(rows)
