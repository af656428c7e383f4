"""The paper's Tables 1 and 2: scores with ground truth and without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from derainbench.audit.statistics import mean_interval
from derainbench.config import PROTOCOL_NAMES, Config
from derainbench.data import catalogue
from derainbench.evaluation.noreference import METRICS
from derainbench.report import collect, paperfacts, realrain, tables
from derainbench.report.cells import RAINY, Table, interval_text, number, scores_text
from derainbench.report.paperfacts import HEADINGS, OURS, UNKNOWN, because, paper, paper_table

SECOND_HAND = (
    "Published scores of other methods are from the sources named, not from the paper's own table, "
    "whose cells were not at hand."
)


def scores(config: Config) -> Table:
    """Table 1: PSNR and SSIM of the paper's network and every other, published and here."""
    rows = list(_score_rows(config))
    ours = OURS[config.label]
    heading = HEADINGS[config.label]
    view = [
        {
            "Data set": row["dataset"] + ("" if row["in_paper"] else " (additional)"),
            "Method": row["method"],
            "Published (dB / SSIM)": _pair(row["published_psnr"], row["published_ssim"]),
            "Stated protocol": row["stated_protocol"],
            "Source": row["source"],
            "Third party's training (dB / SSIM)": _pair(
                row["third_party_psnr"], row["third_party_ssim"]
            ),
            f"{heading} (dB / SSIM)": scores_text(
                row[f"{ours}_psnr"], row[f"{ours}_ssim"], row["std_over_seeds"]
            ),
            "Protocol": row["protocol"],
            "Images": _images(row),
            "Weights": row["weights"],
            "Seeds": number(row["seeds"]),
            "Difference (dB / SSIM)": _differences(row),
            "Empty because": because(
                {
                    "published": row["published_reason"],
                    "reproduced": row["reproduced_reason"],
                    "difference": row["difference_reason"],
                }
            ),
        }
        for row in rows
    ]
    caption = (
        f"PSNR (dB) / SSIM published, here, and the difference, which stands only where protocol "
        f"and data set agree; where part of the images was scored, with its 95 % bootstrap interval "
        f"over images. Here: mean over images, and over seeds (± sample standard deviation). "
        f"Where the source states no protocol ({UNKNOWN}), {config.figures.protocol} is shown. "
        f"{SECOND_HAND}"
    )
    return paper_table(config, "table-1", caption, pd.DataFrame(rows), view)


def _pair(psnr: float, ssim: float) -> str:
    """As precise as the source: ``29.04 / 0.8991``, ``30 / not stated``."""
    if pd.isna(psnr):
        return ""
    if pd.isna(ssim):
        return f"{psnr:g} / not stated"
    return f"{_digits(psnr, 2)} / {_digits(ssim, 3)}"


def _digits(value: float, least: int) -> str:
    """At most four decimals, as many as the source has but at least so many."""
    return max(f"{value:.{least}f}", f"{value:.4f}".rstrip("0"), key=len)


def _images(row: dict[str, Any]) -> str:
    if pd.isna(row["images"]):
        return ""
    whole = row["images_of_set"]
    return number(row["images"]) + (f" of {whole}" if whole else "")


def _differences(row: dict[str, Any]) -> str:
    if pd.isna(row["difference_psnr"]):
        return ""
    ssim, low, high = (row[c] for c in ("difference_ssim", "low", "high"))
    interval = "" if pd.isna(low) else f" [{low:+.2f}, {high:+.2f}]"
    return f"{row['difference_psnr']:+.2f}{interval} / {'' if pd.isna(ssim) else f'{ssim:+.4f}'}"


def _score_rows(config: Config) -> Iterator[dict[str, Any]]:
    here, scores = _reproduced(config), collect.scores(config)
    cells = paperfacts.scores()
    for dataset in dict.fromkeys([*paper().sets, *here["dataset"]]):
        of_here = here[here["dataset"] == dataset]
        of_cells = cells[cells["dataset"] == dataset]
        methods = [paper().method] if dataset in paper().sets else []
        for method in dict.fromkeys([*methods, *of_cells["method"], *of_here["method"]]):
            runs = of_here[of_here["method"] == method].to_dict("records") or [None]
            claims = of_cells[of_cells["method"] == method].to_dict("records") or [None]
            for run in runs:
                for claim in claims:
                    row = _score_row(config, dataset, method, run, claim)
                    yield row | _interval(row, run, scores)


def _reproduced(config: Config) -> pd.DataFrame:
    """The means of :func:`tables.quality` without the rainy input, by published name."""
    frame = tables.quality(config).frame
    frame = frame[frame["title"] != RAINY]
    stands_for = {e.title: paperfacts.method_of(e) or e.title for e in collect.entries(config)}
    return frame.assign(
        method=frame["title"].map(stands_for),
        dataset=[paperfacts.set_name(config, d) for d in frame["dataset"]],
        called=frame["dataset"],
    )


def _interval(row: dict[str, Any], run: dict | None, scores: pd.DataFrame) -> dict[str, float]:
    """How far the difference may be from that of the whole set, where part of it was scored."""
    none = {"low": float("nan"), "high": float("nan")}
    if pd.isna(row["difference_psnr"]) or row["images"] == row["images_of_set"]:
        return none
    keys = {"dataset": run["called"], "title": run["title"], "weights": run["weights"]}
    own = scores[(scores[list(keys)] == pd.Series(keys)).all(axis=1)]
    psnr = own[own["protocol"] == row["protocol"]].groupby("image")["psnr"].mean()
    return dict(zip(none, mean_interval(psnr - row["published_psnr"]), strict=True))


def _score_row(
    config: Config, dataset: str, method: str, run: dict | None, claim: dict | None
) -> dict[str, Any]:
    """One row of Table 1 from what was scored here and what is published; either may be missing."""
    ours, nothing = OURS[config.label], float("nan")
    third = claim is not None and claim["third_party"]
    printed, other = (None, claim) if third else (claim, None)
    protocol = claim["protocol"] if claim else UNKNOWN
    own = protocol if protocol in PROTOCOL_NAMES else config.figures.protocol
    psnr, ssim = (run[f"{m}_{own}"] if run else nothing for m in ("psnr", "ssim"))
    comparable = printed is not None and run is not None
    reason = ""
    if comparable and protocol != own:
        reason = "the protocol of the published score is not stated"
    elif comparable and config.label == "smoke":
        reason = "smoke"
    agrees = comparable and not reason
    return {
        "configuration": config.name,
        "label": config.label,
        "dataset": dataset,
        "in_paper": dataset in paper().sets,
        "method": method,
        "published_psnr": printed["psnr"] if printed else nothing,
        "published_ssim": printed["ssim"] if printed else nothing,
        "stated_protocol": protocol if claim else "",
        "third_party_psnr": other["psnr"] if other else nothing,
        "third_party_ssim": other["ssim"] if other else nothing,
        "kind": claim["kind"] if claim else "",
        "source": f"{claim['kind']}: {claim['source']}" if claim else "",
        f"{ours}_psnr": psnr,
        f"{ours}_ssim": ssim,
        "std_over_seeds": run.get(f"psnr_{own}_std_over_seeds", nothing) if run else nothing,
        "protocol": own if run else "",
        "images": run["images"] if run else nothing,
        "images_of_set": _size_of(dataset),
        "seeds": run["seeds"] if run else pd.NA,
        "weights": run["weights"] if run else "",
        "difference_psnr": psnr - printed["psnr"] if agrees else nothing,
        "difference_ssim": ssim - printed["ssim"] if agrees else nothing,
        "published_reason": "" if printed else _why_unpublished(dataset, method, third),
        "reproduced_reason": "" if run else _why_not_here(config, dataset),
        "difference_reason": reason,
    }


def _size_of(dataset: str) -> int | None:
    """Test images of a whole set, if the catalogue knows."""
    entry = catalogue.entries().get(dataset)
    return entry.splits["test"].images if entry and "test" in entry.splits else None


def _why_unpublished(dataset: str, method: str, third_party: bool) -> str:
    if method == paper().method and dataset in paper().sets:
        return paper().missing
    if third_party:
        return "somebody else's training is no published score"
    if method in set(paperfacts.scores()["method"]):
        return "no score of this method on this set is in the catalogue"
    return "not a published network" if dataset in paper().sets else "nothing published on this set"


def _why_not_here(config: Config, dataset: str) -> str:
    if dataset in {paperfacts.set_name(config, d) for d in config.datasets}:
        return "not run in this configuration"
    return "data set not in this configuration"


def real_rain(config: Config) -> Table:
    """Table 2: no-reference scores on photographs of real rain; lower is better.

    Raises:
        BenchError: if a file of `derainbench rate` is missing.
    """
    ours = OURS[config.label]
    found = realrain.frame(config).rename(columns={"mean": f"{ours}_mean"})
    found["dataset"] = [paperfacts.set_name(config, d) for d in found["dataset"]]
    titles = {e.title: paperfacts.method_of(e) or e.title for e in collect.entries(config)}
    found["method"] = found["method"].map(lambda title: titles.get(title, title))
    rows = found.to_dict("records")
    run = {(row["dataset"], row["method"]) for row in rows}
    if (paper().real_rain, paper().method) not in run:
        reason = _why_not_here(config, paper().real_rain)
        none = {"dataset": paper().real_rain, "method": paper().method, "reason": reason}
        rows = [none | {"metric": metric.title} for metric in METRICS] + rows
    rows = [_real_row(config, row, ours) for row in rows]
    view = [
        {
            "Data set": row["dataset"] + ("" if row["in_paper"] else " (additional)"),
            "Method": row["method"],
            "Weights": row["weights"],
            "Metric": row["metric"],
            "Published": "",
            HEADINGS[config.label]: ""
            if pd.isna(row[f"{ours}_mean"])
            else f"{row[f'{ours}_mean']:.2f} {interval_text(row['low'], row['high'])}",
            "Difference": "",
            "Images": number(row["images"]),
            "Empty because": because(
                {"published": row["published_reason"], "reproduced": row["reproduced_reason"]}
            ),
        }
        for row in rows
    ]
    caption = (
        "Mean over the images (pyiqa) and its 95 % bootstrap interval; lower is better, and there "
        "is no ground truth. The paper shows two metrics; which two is not known here. Without "
        "published cells there is no difference."
    )
    return paper_table(config, "table-2", caption, pd.DataFrame(rows), view)


def _real_row(config: Config, row: dict[str, Any], ours: str) -> dict[str, Any]:
    nothing = float("nan")
    in_paper = row["dataset"] == paper().real_rain
    return {
        "configuration": config.name,
        "label": config.label,
        "dataset": row["dataset"],
        "in_paper": in_paper,
        "method": row["method"],
        "weights": row.get("weights", ""),
        "metric": row["metric"],
        "published_mean": nothing,
        f"{ours}_mean": row.get(f"{ours}_mean", nothing),
        "low": row.get("low", nothing),
        "high": row.get("high", nothing),
        "difference": nothing,
        "images": row.get("images", nothing),
        "published_reason": paper().missing if in_paper else "nothing published on this set",
        "reproduced_reason": row["reason"],
    }
