"""Tables and sentences of docs/study.md, from a folder of results; the page: study.py."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd

from derainbench.catalog.margins import margins
from derainbench.foundation.frames import records
from derainbench.results.layout import Layout

OWN, COUNTERPART = "esdnet-12", "esdnet-ann-12"
LONGER = {  # the same network under the longer budget
    "esdnet-12": "esdnet-small",
    "esdnet-ann-12": "esdnet-ann-small",
    "rescan-12": "rescan-small",
    "nafnet-12": "nafnet-small",
}
PAPER = "esdnet"  # whose tables 4 and 5 list the ablations
COSTS = "horowitz-45nm-fp32"
_MARGIN = margins().equal_quality_margin_db.value
_RULE = f"A pair is of equal quality where its PSNRs lie no more than {_MARGIN:g} dB apart."


class Study:
    """The tables of a results folder, with the questions that the page asks of them."""

    def __init__(self, results: Path) -> None:
        self.files = Layout(results)
        self.config = json.loads(self.files.config.read_text("utf-8"))
        self.protocol = self.config["figures"]["protocol"]
        self.dataset = self.config["runs"][OWN]["train"]["dataset"]
        self.seeds = self.table("seeds")
        self.paired = self.table("paired")

    def table(self, name: str) -> pd.DataFrame:
        """A table of the report."""
        return pd.read_csv(self.files.table(name))

    def training_folder(self, run: str, seed: int) -> Path:
        """Where the training of a run from a seed lies."""
        return self.files.training(run, f"seed-{seed}")

    def training(self, run: str) -> dict[str, Any]:
        """``training.json`` of a run's first seed, with the number of its seeds."""
        plan = self.config["runs"][run]["train"]
        file = self.training_folder(run, plan["seeds"][0]) / "training.json"
        facts = json.loads(file.read_text("utf-8"))
        seeds = len(plan["seeds"])
        return facts | {
            "first": plan["seeds"][0],
            "seeds": "one seed" if seeds == 1 else f"{seeds} seeds",
            "epochs": facts["recipe"]["epochs"],
        }

    def score(self, run: str, metric: str) -> pd.Series:
        """Mean over images, and over seeds, with their deviation and range."""
        chosen = self.seeds[
            (self.seeds["dataset"] == self.dataset)
            & (self.seeds["protocol"] == self.protocol)
            & (self.seeds["metric"] == metric)
            & (self.seeds["run"] == run)
        ]
        return chosen.iloc[0]

    def difference(self, run: str, other: str) -> pd.Series:
        """PSNR of one run minus that of another over the same images, whichever is named first."""
        table = self.paired[
            (self.paired["dataset"] == self.dataset)
            & (self.paired["protocol"] == self.protocol)
            & (self.paired["metric"] == "psnr")
        ]
        found = table[(table["run"] == run) & (table["other"] == other)]
        if not found.empty:
            return found.iloc[0]
        row = table[(table["run"] == other) & (table["other"] == run)].iloc[0]
        verdict = {"better": "worse", "worse": "better"}.get(row["verdict"], row["verdict"])
        turned = {"difference": -row["difference"], "low": -row["high"], "high": -row["low"]}
        return pd.Series({**row, **turned, "verdict": verdict})

    def equal_quality(self, run: str, baseline: str) -> bool:
        """Whether two runs' mean PSNRs on the same images lie within the margin."""
        return bool(abs(self.difference(run, baseline)["difference"]) <= _MARGIN)

    def saving(self, run: str, baseline: str) -> dict[str, pd.DataFrame]:
        """Rows of the savings by scenario: one per seed of the run and of the baseline."""
        table = pd.read_csv(self.files.scenarios / "savings.csv")
        table = table[
            (table["costs"] == COSTS)
            & ~table["reuse"]
            & ~table["zero_skipping"]
            & table["baseline_bits"].isna()
            & (table["name"].str.partition("/")[0] == run)
            & (table["baseline"].str.partition("/")[0] == baseline)
        ]
        return {str(scenario): rows for scenario, rows in table.groupby("scenario")}


def than(row: pd.Series) -> str:
    """``1.26 dB below [-1.52, -1.00]``."""
    side = "below" if row["difference"] < 0 else "above"
    return f"{abs(row['difference']):.2f} dB {side} [{row['low']:+.2f}, {row['high']:+.2f}]"


def share(value: float) -> str:
    return f"{abs(value):.0%} {'less' if value > 0 else 'more'}".replace("%", " %")


def _markdown(rows: list[dict[str, str]]) -> str:
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def quality_table(study: Study) -> str:
    counts = study.table("complexity").drop_duplicates("method").set_index("method")
    rows = []
    for run, longer in LONGER.items():
        short, long = study.score(run, "psnr"), study.score(longer, "psnr")
        ssim, long_ssim = study.score(run, "ssim"), study.score(longer, "ssim")
        count = counts.loc[short["method"]]
        rows.append(
            {
                "Network": short["method"].partition(",")[0],
                "Parameters": f"{count['parameters']:,}",
                "GMACs": f"{count['gmacs_256']:.2f}",
                f"{study.training(run)['epochs']} epochs, {short['n']} seeds (dB / SSIM)": (
                    f"{short['mean']:.2f} ± {short['sd']:.2f} / {ssim['mean']:.4f}"
                ),
                f"{study.training(longer)['epochs']} epochs, {long['n']} seed (dB / SSIM)": (
                    f"{long['mean']:.2f} / {long_ssim['mean']:.4f}"
                ),
            }
        )
    return _markdown(rows)


def ablation_table(study: Study) -> tuple[str, int, int]:
    table = pd.concat([pd.read_csv(study.files.paper(PAPER) / f"table-{n}.csv") for n in (4, 5)])
    changed = table[table["part"] != "unchanged"]
    rows = [
        {
            "Part": row["part"],
            "Variant": row["variant"],
            "Parameters": f"{row['parameters']:,}",
            "GMACs": f"{row['gmacs']:.2f}",
            "Firing rate": f"{row['firing_rate']:.3f}",
            "Seeds": str(int(row["seeds"])),
            "PSNR (dB)": f"{row['study_psnr']:.2f}",
            "Change (dB)": f"{row['change']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]",
            "p over seeds (Holm)": "" if pd.isna(row["p_holm"]) else f"{row['p_holm']:.3f}",
        }
        for row in records(changed)
    ]
    return _markdown(rows), int((changed["p_holm"] < 0.05).sum()), len(rows)


def rain_table(study: Study) -> str:
    found, verdicts = [], []
    for run in (OWN, LONGER[OWN]):
        for seed in study.config["runs"][run]["train"]["seeds"]:
            file = study.files.spikes_answer(run, f"seed-{seed}")
            content = json.loads(file.read_text("utf-8"))["comparisons"]["counterpart"]
            whole, depths = content["by_neuron"], content["depths"]
            verdicts.append(whole["verdict"])
            found.append(
                {
                    "Network": f"{study.training(run)['epochs']} epochs, seed {seed}",
                    "Rain": f"{whole['firing_rate']:.4f}",
                    "The same places, clean": f"{whole['firing_rate_other']:.4f}",
                    "Difference": f"{whole['difference']:+.4f} "
                    f"[{whole['low']:+.4f}, {whole['high']:+.4f}]",
                    "Layers: higher / lower / undecided": f"{depths['higher']} / {depths['lower']} "
                    f"/ {depths['undecided']}",
                }
            )
    counts = {word: verdicts.count(word) for word in ("higher", "lower", "undecided")}
    told = "the answer depends on the seed" if max(counts.values()) < len(verdicts) else "all agree"
    return (
        f"{_markdown(found)}\n\nOf {len(verdicts)} trainings the rate at rain is higher in "
        f"{counts['higher']}, lower in {counts['lower']} and not told apart in "
        f"{counts['undecided']}: {told}."
    )


def savings_table(study: Study) -> str:
    rows = []
    for run, baseline in ((OWN, COUNTERPART), (LONGER[OWN], LONGER[COUNTERPART])):
        found = study.saving(run, baseline)
        rates = pd.concat(found.values())["firing_rate"]
        rows.append(
            {
                "Training": f"{study.training(run)['epochs']} epochs",
                "Firing rate": f"{rates.mean():.3f}",
                f"PSNR (dB), {study.protocol}": f"{study.score(run, 'psnr')['mean']:.2f}",
                "its counterpart’s": f"{study.score(baseline, 'psnr')['mean']:.2f}",
                "Equal quality": "yes" if study.equal_quality(run, baseline) else "no",
                **{f"({s})": share(rows_of["saving"].mean()) for s, rows_of in found.items()},
            }
        )
    return _markdown(rows)


def verdict_table(study: Study) -> str:
    """Verdicts on the claims that take trained networks."""
    table = pd.read_csv(study.files.claims)
    trained = ("comparable", "mau-helps", "rain-spikes", "rain200h-30-against-29")
    table = table[table["claim"].isin(trained)]
    return _markdown(
        [
            {
                "Claim": "" if again else row["wording"],
                "Reading": row["reading"],
                "Verdict": row["verdict"],
                "Found": ""
                if pd.isna(row["measured"])
                else f"{row['measured']:+.4g} {row['unit']}",
            }
            for row, again in zip(records(table), table["claim"].duplicated(), strict=True)
        ]
    )


def training_table(study: Study) -> str:
    """Which code and machine trained what, and when."""
    rows = []
    for run, spec in study.config["runs"].items():
        for seed in spec["train"]["seeds"] if spec["train"] else ():
            file = study.training_folder(run, seed)
            record = json.loads((file / "model.safetensors.provenance.json").read_text("utf-8"))
            facts = json.loads((file / "training.json").read_text("utf-8"))
            rows.append(
                {
                    "Epochs": facts["recipe"]["epochs"],
                    "Commit": record["code"]["commit"][:10],
                    "Day": record["time"][:10],
                    "Processor": record["machine"]["processor"],
                    "torch": record["packages"]["torch"],
                    "spikingjelly": record["packages"]["spikingjelly"],
                    "minutes": facts["seconds"] / 60,
                }
            )
    keys = ["Epochs", "Commit", "Day", "Processor", "torch", "spikingjelly"]
    found = pd.DataFrame(rows).groupby(keys, sort=False)["minutes"].agg(["count", "sum"])
    found = found.rename(columns={"count": "Trainings", "sum": "Minutes, one thread each"})
    found["Minutes, one thread each"] = found["Minutes, one thread each"].map("{:.0f}".format)
    return found.reset_index().astype(str).to_markdown(index=False, disable_numparse=True)


def same_start(study: Study) -> str:
    """Whether short and long trainings, maybe of different code, began with the same losses."""
    epochs, equal = 0, 0
    for pair in LONGER.items():
        seed = study.config["runs"][pair[1]]["train"]["seeds"][0]
        short, long = (
            pd.read_csv(study.training_folder(run, seed) / "history.csv") for run in pair
        )
        both = short.merge(long, on="epoch", suffixes=("", "_long"))
        differing = both["lr"] != both["lr_long"]  # the longer cosine falls later
        alike = both[: differing.idxmax() if differing.any() else None]
        epochs += len(alike)
        equal += (alike["loss"] == alike["loss_long"]).sum()
    return (
        f"While their rates are the same, short and long trainings of one seed should have the same "
        f"losses: in {equal} of {epochs} such epochs they have, to the last digit."
    )


def sign_of_savings(study: Study) -> str:
    """Whether it is the scenario or the run that decides which network is cheaper.

    Runs that are not of equal quality have no say.
    """
    cheaper: dict[str, set[bool]] = defaultdict(set)
    pairs = ((OWN, COUNTERPART), (LONGER[OWN], LONGER[COUNTERPART]))
    equal = [pair for pair in pairs if study.equal_quality(*pair)]
    if not equal:
        return f"{_RULE} None of these pairs is of equal quality, so none says which is cheaper."
    for run, baseline in equal:
        for scenario, rows in study.saving(run, baseline).items():
            cheaper[scenario].update(rows["saving"] > 0)
    if any(len(answers) > 1 for answers in cheaper.values()):
        return f"{_RULE} Which network is cheaper depends on the run."
    split = [f"({s})" for s, answers in cheaper.items() if answers == {True}]
    if not split or len(split) == len(cheaper):
        word = "cheaper" if split else "dearer"
        return f"{_RULE} At equal quality ESDNet-small is {word} under all of them."
    return (
        f"{_RULE} At equal quality ESDNet-small is cheaper under {', '.join(split)} alone, whatever "
        "the seed."
    )
