"""Writes docs/study.md: what the scaled-down study of config/real.yaml shows, and what it cannot.

python benchmarks/study.py

Every number comes from results/reference/real; words that depend on a number are chosen by it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from derainbench.foundation.files import write_text

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results" / "reference" / "real"
PAGE = ROOT / "docs" / "study.md"
OWN, TWIN = "esdnet-12", "esdnet-ann-12"
LONGER = {  # the same network under the longer budget
    "esdnet-12": "esdnet-small",
    "esdnet-ann-12": "esdnet-ann-small",
    "rescan-12": "rescan-small",
    "nafnet-12": "nafnet-small",
}
COSTS = "horowitz-45nm-fp32"


class Study:
    """The tables of a results folder, with the questions that the page asks of them."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.config = json.loads((results / "config.json").read_text("utf-8"))
        self.protocol = self.config["figures"]["protocol"]
        self.dataset = self.config["runs"][OWN]["train"]["dataset"]
        self.seeds = self.table("tables/seeds.csv")
        self.paired = self.table("tables/paired.csv")

    def table(self, file: str) -> pd.DataFrame:
        return pd.read_csv(self.results / file)

    def training(self, run: str) -> dict:
        """``training.json`` of a run's first seed, with the number of its seeds."""
        plan = self.config["runs"][run]["train"]
        file = self.results / "runs" / run / f"seed-{plan['seeds'][0]}" / "training.json"
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

    def saving(self, run: str, rival: str) -> dict[str, pd.DataFrame]:
        """Rows of the savings by scenario: one per seed of the run and of the rival."""
        table = self.table("scenarios/savings.csv")
        table = table[
            (table["costs"] == COSTS)
            & ~table["reuse"]
            & ~table["zero_skipping"]
            & table["rival_bits"].isna()
            & (table["name"].str.partition("/")[0] == run)
            & (table["rival"].str.partition("/")[0] == rival)
        ]
        return dict(list(table.groupby("scenario")))


def _than(row: pd.Series) -> str:
    """``1.26 dB below [-1.52, -1.00]``."""
    side = "below" if row["difference"] < 0 else "above"
    return f"{abs(row['difference']):.2f} dB {side} [{row['low']:+.2f}, {row['high']:+.2f}]"


def _share(value: float) -> str:
    return f"{abs(value):.0%} {'less' if value > 0 else 'more'}".replace("%", " %")


def _markdown(rows: list[dict[str, str]]) -> str:
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def _quality(study: Study) -> str:
    counts = study.table("tables/complexity.csv").drop_duplicates("method").set_index("method")
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


def _ablations(study: Study) -> tuple[str, int, int]:
    table = pd.concat([study.table(f"paper/table-{n}.csv") for n in (4, 5)])
    changed = table[table["part"] != "unchanged"]
    rows = [
        {
            "Part": row.part,
            "Variant": row.variant,
            "Parameters": f"{row.parameters:,}",
            "GMACs": f"{row.gmacs:.2f}",
            "Firing rate": f"{row.firing_rate:.3f}",
            "Seeds": str(int(row.seeds)),
            "PSNR (dB)": f"{row.study_psnr:.2f}",
            "Change (dB)": f"{row.change:+.2f} [{row.low:+.2f}, {row.high:+.2f}]",
            "p over seeds (Holm)": "" if pd.isna(row.p_holm) else f"{row.p_holm:.3f}",
        }
        for row in changed.itertuples()
    ]
    return _markdown(rows), int((changed["p_holm"] < 0.05).sum()), len(rows)


def _rain(study: Study) -> str:
    found, verdicts = [], []
    for run in (OWN, LONGER[OWN]):
        for seed in study.config["runs"][run]["train"]["seeds"]:
            file = study.results / "spikes" / run / f"seed-{seed}" / "spikes.json"
            content = json.loads(file.read_text("utf-8"))["comparisons"]["counterpart"]
            whole, depths = content["by_neuron"], content["depths"]
            verdicts.append(whole["verdict"])
            found.append(
                {
                    "Network": f"{study.training(run)['epochs']} epochs, seed {seed}",
                    "Rain": f"{whole['rate']:.4f}",
                    "The same places, clean": f"{whole['rate_other']:.4f}",
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


def _savings(study: Study) -> str:
    rows = []
    for run, rival in ((OWN, TWIN), (LONGER[OWN], LONGER[TWIN])):
        found = study.saving(run, rival)
        rates = pd.concat(found.values())["rate"]
        rows.append(
            {
                "Training": f"{study.training(run)['epochs']} epochs",
                "Firing rate": f"{rates.mean():.3f}",
                **{f"({s})": _share(rows_of["saving"].mean()) for s, rows_of in found.items()},
            }
        )
    return _markdown(rows)


def _verdicts(study: Study) -> str:
    """Verdicts on the claims that take trained networks."""
    table = study.table("audit/claims.csv")
    trained = ("comparable", "mau-helps", "rain-spikes", "rain200h-30-against-29")
    table = table[table["claim"].isin(trained)]
    return _markdown(
        [
            {
                "Claim": "" if again else row.wording,
                "Reading": row.reading,
                "Verdict": row.verdict,
                "Found": "" if pd.isna(row.measured) else f"{row.measured:+.4g} {row.unit}",
            }
            for row, again in zip(table.itertuples(), table["claim"].duplicated(), strict=True)
        ]
    )


def _trainings(study: Study) -> str:
    """Which code and machine trained what, and when."""
    rows = []
    for run, spec in study.config["runs"].items():
        for seed in spec["train"]["seeds"] if spec["train"] else ():
            file = study.results / "runs" / run / f"seed-{seed}"
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


def _same_start(study: Study) -> str:
    """Whether short and long trainings, maybe of different code, began with the same losses."""
    epochs, equal = 0, 0
    for pair in LONGER.items():
        seed = study.config["runs"][pair[1]]["train"]["seeds"][0]
        short, long = (study.table(f"runs/{run}/seed-{seed}/history.csv") for run in pair)
        both = short.merge(long, on="epoch", suffixes=("", "_long"))
        differing = both["lr"] != both["lr_long"]  # the longer cosine falls later
        alike = both[: differing.idxmax() if differing.any() else None]
        epochs += len(alike)
        equal += (alike["loss"] == alike["loss_long"]).sum()
    return (
        f"While their rates are the same, short and long trainings of one seed should have the same "
        f"losses: in {equal} of {epochs} such epochs they have, to the last digit."
    )


def _signs(study: Study) -> str:
    """Whether it is the scenario or the run that decides which network is cheaper."""
    cheaper = {}
    for run, rival in ((OWN, TWIN), (LONGER[OWN], LONGER[TWIN])):
        for scenario, rows in study.saving(run, rival).items():
            cheaper.setdefault(scenario, set()).update(rows["saving"] > 0)
    if any(len(answers) > 1 for answers in cheaper.values()):
        return "Which network is cheaper depends on the run."
    split = [f"({s})" for s, answers in cheaper.items() if answers == {True}]
    if not split or len(split) == len(cheaper):
        return f"ESDNet-small is {'cheaper' if split else 'dearer'} under all of them."
    return (
        f"ESDNet-small is cheaper under {', '.join(split)} alone, whatever the seed and training."
    )


def document(results: Path = RESULTS) -> str:
    """The page, as Markdown."""
    study = Study(results)
    short, long = study.training(OWN), study.training(LONGER[OWN])
    own, twin = study.score(OWN, "psnr"), study.score(TWIN, "psnr")
    full = study.table("structure/models.csv").set_index("model").loc["esdnet", "parameters"]
    small = study.table("tables/complexity.csv").set_index("method").loc[own["method"]]
    images = study.paired.loc[study.paired["dataset"] == study.dataset, "images"].iloc[0]
    leaks = study.table("tables/selection.csv")
    to_twin = study.difference(OWN, TWIN)
    long_to_twin = study.difference(LONGER[OWN], LONGER[TWIN])
    gains = {run: study.difference(LONGER[run], run)["difference"] for run in LONGER}
    ranked = {
        budget: sorted(runs, key=lambda run: -study.score(run, "psnr")["mean"])
        for budget, runs in (("short", list(LONGER)), ("long", list(LONGER.values())))
    }
    kept_order = [LONGER[run] for run in ranked["short"]] == ranked["long"]
    ablations, beyond, number = _ablations(study)
    deviations = [study.score(run, "psnr")["sd"] for run in LONGER]
    quality = study.table("tables/quality.csv")
    quality = quality[(quality["dataset"] == study.dataset) & (quality["images"] == images)]
    official = quality[quality["weights"].astype(str).str.startswith("official")]
    best = official.loc[official[f"psnr_{study.protocol}"].idxmax()]
    top = max(study.score(run, "psnr")["mean"] for pair in LONGER.items() for run in pair)
    file = study.results / "runs" / OWN / f"seed-{short['first']}"
    record = json.loads((file / "model.safetensors.provenance.json").read_text("utf-8"))
    cores = record["machine"]["cores"]
    seen = short["epochs"] * short["train_pairs"] / (1000 * 1800)
    return f"""# The scaled-down study

Generated by `benchmarks/study.py` from [`results/reference/real`](../results/reference/real/);
[`config/real.yaml`](../config/real.yaml) is what was run. Scores: PSNR (dB) and SSIM, protocol
{study.protocol}, mean over {images} test pairs of {study.dataset}; in brackets 95 % bootstrap
intervals over images.

## What was run

A small ESDNet ({small["parameters"]:,} parameters, where the paper's has {full:,}), its ANN twin
(the same layers, ReLU in place of spiking neurons, one time step), and small RESCAN and NAFNet. All
by one recipe, that of ESDNet's authors (AdamW, 64x64 crops, 1 - SSIM as the loss, the rate falling
along a cosine to the last epoch), batches of {short["recipe"]["batch_size"]}, on
{short["train_pairs"] + short["selection_pairs"]} training pairs of {study.dataset};
{short["selection_pairs"]} of them are held out, and the epoch whose weights are kept is the best on
those. Twice: {short["epochs"]} epochs with {short["seeds"]}, and {long["epochs"]} epochs with
{long["seeds"]}. Ablations of ESDNet under the shorter budget. On {cores} CPU cores.

## What it shows

### Quality

{_quality(study)}

- Against its twin, ESDNet-small is {_than(to_twin)} after {short["epochs"]} epochs, seeds averaged,
  and {_than(long_to_twin)} after {long["epochs"]}.
- {long["epochs"]} epochs change the scores of {short["epochs"]} by {min(gains.values()):+.1f} to
  {max(gains.values()):+.1f} dB, and the order of the four networks {"stays" if kept_order else "changes"}: the
  length of training is part of every score here.
- The best official full-size weights on the same images ({best["title"]}) score
  {best[f"psnr_{study.protocol}"]:.2f} dB ([table](../results/reference/real/tables/quality.md)),
  {best[f"psnr_{study.protocol}"] - top:.1f} dB above the best network trained here.

### What the seed alone changes

Sample standard deviations over {own["n"]} seeds lie between {min(deviations):.2f} and
{max(deviations):.2f} dB; ESDNet-small's means range from {own["minimum"]:.2f} to
{own["maximum"]:.2f} dB, its twin's from {twin["minimum"]:.2f} to {twin["maximum"]:.2f} dB. What the
seed alone can do, a difference between two single runs does not prove of networks.

### What choosing the epoch on the test images is worth

In {len(leaks)} runs, with {leaks["epochs"].max()} epochs to choose from
each, it adds {leaks["leak_psnr"].mean():.2f} dB on average and {leaks["leak_psnr"].max():.2f} dB at
most to the score on those images (RGB PSNR of their central crops;
[table](../results/reference/real/tables/selection.md)).
A run of 1000 epochs that is scored after each has more to choose from.

### Energy at the measured firing rates

ESDNet-small against its twin, energy per image under the four scenarios of
[energy.md](energy.md), {COSTS}:

{_savings(study)}

Scenario (a) prices every convolution as if its input were spikes; (b) knows that shortcuts,
embedding, refinement and output take analog input; (c) adds everything else that is computed;
(d) memory traffic. {_signs(study)}

### Rain and spikes

Spikes per neuron and time step at rain, and at the same places of the clean image; and at how many
of the spiking layers the rain's rate is higher, lower, or not told apart:

{_rain(study)}

### Ablations

{ablations}

Change: against the unchanged network over the same images, means over seeds; the interval is over
images and leaves the scatter over seeds out. That is what p is of: Student's t-test of the means of
{own["n"]} seeds against the variant's, Holm's correction within each of the paper's two tables.
Significant at 5 %: {beyond} of {number}. With so few seeds only changes many times as large as their
scatter ({own["sd"]:.2f} dB) could be.

### Verdicts that rest on it

{_verdicts(study)}

Of a scaled-down network a verdict contradicts nothing; [all verdicts with their
reasons](../results/reference/real/tables/claims.md).

## What it cannot show

- **The paper's scores.** The network is {full / small["parameters"]:.0f} times smaller, and the
  shorter budget shows it {seen:.2%} of the images that the paper's training shows (1000 epochs of
  1800). Claims about scores are judged by `config/paper.yaml` alone; here a deviation is called a
  deviation and never a contradiction.
- **Whether ESDNet is comparable to ANNs when both are trained to the end.** Spiking networks may
  need longer; {long["epochs"]} epochs are not the end either.
- **The rank of RESCAN and NAFNet.** Both are trained by ESDNet's recipe, not by their own, and are
  far smaller.
- **What a part is worth** in a network trained to its end. Ablations of a short training show how
  fast a variant learns at first.
- **The firing rate of the full-size network after its training**, and so its measured energy. The
  verdicts on energy rest on its structure: where they say contradicted, no firing rate helps; where
  the saving is possible, they say at which firing rate.
- **{study.dataset} as a whole.** {images} of its 200 test pairs were at hand.

## What trained it

{_trainings(study)}

Beside every file of [`results/reference/real/runs`](../results/reference/real/runs/) lies its
provenance record: code, packages, machine, seed, digests of the images, command.
{_same_start(study)}
"""


def main() -> None:
    """Writes the page."""
    write_text(PAGE, document())


if __name__ == "__main__":
    main()
