"""The tables of the statistics: differences, protocols, seeds, published values, selection."""

from __future__ import annotations

import pandas as pd

from derainbench.audit import method_comparisons
from derainbench.audit.published_agreement import against_published
from derainbench.audit.selection import selection as selection_frame
from derainbench.catalog.protocols import present_protocols
from derainbench.config.schema import Config
from derainbench.data.restored import OTHERS
from derainbench.foundation.frames import is_empty, records
from derainbench.metrics.infinite import infinite_note
from derainbench.report.tables.table import Table, captioned, number, scores_text
from derainbench.results.scores import read_scores
from derainbench.statistics.bootstrap import LEVEL

DIGITS = {"psnr": 2, "ssim": 4}


def paired(config: Config) -> Table:
    """Every pair of methods on the same images; the view shows the figures' protocol only."""
    scores = read_scores(config)
    frame = method_comparisons.paired(scores)
    shown = frame[frame["protocol"] == config.figures.protocol]
    view = [
        {
            "Data set": psnr["dataset"],
            "Method": psnr["method"],
            "Against": psnr["other_method"],
            "Images": number(psnr["images"]),
            "PSNR difference (dB)": _signed(psnr["difference"], 2),
            "95 % interval (dB)": _interval(psnr["low"], psnr["high"], 2),
            "p (Holm)": _p(psnr["p_holm"]),
            "PSNR": psnr["verdict"],
            "SSIM difference": _signed(ssim["difference"], 4),
            "95 % interval": _interval(ssim["low"], ssim["high"], 4),
            "p (Holm), SSIM": _p(ssim["p_holm"]),
            "SSIM": ssim["verdict"],
        }
        for psnr, ssim in zip(
            records(shown[shown["metric"] == "psnr"]),
            records(shown[shown["metric"] == "ssim"]),
            strict=True,
        )
    ]
    caption = (
        "every pair of methods over the same images, mean over seeds first: mean difference "
        "(method minus the other), 95 % bootstrap interval, p of Wilcoxon's signed-rank test, "
        "corrected by Holm over all pairs of a data set, protocol and metric. Better or worse: "
        f"interval and test agree; they are of these weights, and leave out what another seed would "
        f"change. Shown: protocol {config.figures.protocol}; the CSV has all."
    )
    for dataset, of_set in shown[shown["metric"] == "psnr"].groupby("dataset", sort=False):
        # All of n signs alike is the most extreme that n images can give.
        least = min(1.0, 2 * 0.5 ** of_set["images"].iloc[0] * len(of_set))
        if least >= 1 - LEVEL:
            caption += (
                f" {dataset} cannot decide: {of_set['images'].iloc[0]} images give a corrected p "
                f"of {least:.2f} at best."
            )
    if frame.empty:
        caption += " Empty: no data set was scored with two methods."
    caption += infinite_note(scores)
    return _table(config, "paired", caption, frame, view)


def protocols(config: Config) -> Table:
    """The same images under every protocol."""
    scores = read_scores(config)
    frame = method_comparisons.protocol_matrix(scores)
    view = [
        {
            "Data set": row["dataset"],
            "Method": row["method"],
            **{
                p: f"{scores_text(row[f'psnr_{p}'], row[f'ssim_{p}'])} ({row[f'rank_{p}']})"
                for p in present_protocols(scores["protocol"])
            },
            "Largest difference (dB)": number(row["spread_db"], 2),
            "On Y alone (dB)": number(row["spread_luma_db"], 2),
            "Rank changes": "yes" if row["rank_changes"] else "no",
        }
        for row in records(frame)
    ]
    changed = list(dict.fromkeys(frame.loc[frame["rank_changes"], "dataset"]))
    where = (
        f"changes with the protocol on {', '.join(changed)}" if changed else "is always the same"
    )
    caption = (
        "what the same restored images score under every protocol, PSNR (dB) / SSIM and in "
        "brackets the rank by PSNR; the largest difference of a method's PSNR between two "
        f"protocols, and between two that score Y. The ranking {where}." + infinite_note(scores)
    )
    return _table(config, "protocols", caption, frame, view)


def seeds(config: Config) -> Table:
    """How trained runs scatter over their seeds; the view shows the figures' protocol only."""
    scores = read_scores(config)
    frame = method_comparisons.seeds(scores)
    shown = frame[frame["protocol"] == config.figures.protocol]
    view = []
    for row in records(shown):
        digits = DIGITS[row["metric"]]
        view.append(
            {
                "Data set": row["dataset"],
                "Method": row["method"],
                "Score": {"psnr": "PSNR (dB)", "ssim": "SSIM"}[row["metric"]],
                "Seeds": number(row["n"]),
                "Mean": number(row["mean"], digits),
                "Deviation": number(row["sd"], digits),
                "Lowest": number(row["minimum"], digits),
                "Highest": number(row["maximum"], digits),
                "95 % interval": _interval(row["low"], row["high"], digits),
                "Note": row["note"],
            }
        )
    caption = (
        "means over the test images of every training run, over its seeds: sample standard "
        "deviation, range, Student's interval of the mean. "
        f"Shown: protocol {config.figures.protocol}; the CSV has all."
    )
    if frame.empty:
        caption += " Empty: nothing was trained."
    caption += infinite_note(scores)
    return _table(config, "seeds", caption, frame, view)


def equivalence(config: Config) -> Table:
    """Reproduced mean PSNR against published values."""
    scores = read_scores(config)
    frame = against_published(scores, config)
    view = [
        {
            "Data set": row["dataset"],
            "Method": row["method"],
            "Protocol": row["protocol"],
            "Published (dB)": number(row["published_psnr"], 2),
            "Here (dB)": number(row["psnr"], 2),
            "Difference (dB)": _signed(row["difference"], 2),
            "90 % interval (dB)": _interval(row["low"], row["high"], 2),
            "Margin (dB)": f"{row['margin_db']:g}",
            "Over": _basis(row["basis"], row["n"], row["images"]),
            "p": _p(row["p"]),
            "Verdict": row["verdict"],
            "Reason": row["reason"],
            "Weights": row["weights"],
            "Published in": f"{row['source']} ({row['kind']})",
        }
        for row in records(frame)
    ]
    caption = (
        "is the mean PSNR within a margin of the published one? Two one-sided t-tests "
        "at 5 %: over seeds where the network was trained here (fewer than three decide nothing), "
        "over images where a part of the test set was scored, both where both hold; official weights "
        "on all of its images leave nothing to test, and the difference decides. Reproduced: the 90 % "
        "interval lies inside the margin; deviates: outside; undecided: neither. "
        "Many published values are of other weights, as the last column says. Scores that users report "
        "of a paper's network state no protocol: they are held against every one, with the "
        "tolerance of the ledger as margin."
    )
    if any(frame["weights"].str.startswith(OTHERS)):
        caption += f" {OTHERS.capitalize()} count as those of official weights do."
    if frame.empty:
        caption += " Empty: nothing published is of a method, data set and protocol run here."
    caption += infinite_note(scores)
    return _table(config, "equivalence", caption, frame, view)


def selection(config: Config) -> Table:
    """What choosing the epoch on the test split would have been worth."""
    frame = selection_frame(config)
    view = [
        {
            "Method": row["title"],
            "Seed": row["variant"].removeprefix("seed-"),
            "Epochs scored": number(row["epochs"]),
            "Selected on": f"{row['selected_on']} ({row['selection_images']} images)",
            "Epoch": str(row["selected_epoch"]),
            "Test PSNR (dB)": number(row["selected_test_psnr"], 3),
            "Best test epoch": str(row["best_test_epoch"]),
            "Highest test PSNR (dB)": number(row["best_test_psnr"], 3),
            "Leak (dB)": number(row["leak_psnr"], 3),
            "Last epoch's test PSNR (dB)": number(row["last_test_psnr"], 3),
            "Test": f"{row['dataset']}, {row['monitored_on']} ({row['monitored_images']} images)",
        }
        for row in records(frame)
    ]
    caption = (
        "one training run, its epoch chosen in two ways: on the validation images, as here, and on "
        "the test images, as some authors' code does. The leak is what the second "
        "way adds to the test score; by its definition it is never negative, and it grows with the "
        "number of epochs scored. RGB PSNR of central crops, unrounded network output, not a "
        "protocol of the other tables."
    )
    if frame.empty:
        caption += " Empty: no run of this configuration sets train.monitor."
    return _table(config, "selection", caption, frame, view)


BUILDERS = (paired, protocols, seeds, equivalence, selection)  # in the order of the report


def all_statistics(config: Config) -> list[Table]:
    """The tables of this family, in the order of the report."""
    return [build(config) for build in BUILDERS]


def _table(
    config: Config, name: str, caption: str, frame: pd.DataFrame, view: list[dict[str, str]]
) -> Table:
    frame = frame.copy()
    frame.insert(0, "configuration", config.name)
    return Table(name, captioned(config, caption), frame, pd.DataFrame(view))


def _basis(basis: str, count: int, images: int) -> str:
    """``3 seeds``, ``1 seed and 20 images``, ``20 images``, ``all 100 images``."""
    if basis == "all images":
        return f"all {images} images"
    counts = [images if unit == "images" else count for unit in basis.split(" and ")]
    return " and ".join(
        f"{n} {unit if n > 1 else unit.removesuffix('s')}"
        for n, unit in zip(counts, basis.split(" and "), strict=True)
    )


def _signed(value: float, digits: int) -> str:
    return "" if is_empty(value) else f"{value:+.{digits}f}"


def _interval(low: float, high: float, digits: int) -> str:
    return "" if is_empty(low) or is_empty(high) else f"[{low:+.{digits}f}, {high:+.{digits}f}]"


def _p(value: float) -> str:
    if is_empty(value):
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
