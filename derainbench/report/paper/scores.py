"""A paper's table of scores with ground truth: published beside what was found here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.catalog.dataset_entries import dataset_entries
from derainbench.catalog.protocols import protocol_names
from derainbench.config.schema import Config
from derainbench.foundation.frames import is_empty, records
from derainbench.metrics.infinite import infinite_note
from derainbench.report.paper.cells import artefact_table, because
from derainbench.report.paper.published import (
    UNKNOWN_PROTOCOL,
    published_method,
    published_scores,
    set_name,
)
from derainbench.report.tables.quality import quality
from derainbench.report.tables.table import (
    OWN_COLUMNS,
    OWN_HEADINGS,
    RAINY,
    Table,
    number,
    scores_text,
)
from derainbench.results.runs import run_variants
from derainbench.results.scores import read_scores
from derainbench.statistics.bootstrap import mean_interval

SECOND_HAND = (
    "Published scores of other methods are from the sources named, not from the paper's own table."
)
EMPTY = float("nan")


def scores(config: Config, paper: AuditedPaper, artefact: str) -> Table:
    """PSNR and SSIM of the paper's network and every other method, published and here."""
    rows = list(_rows(config, paper, artefact))
    prefix, heading = OWN_COLUMNS[config.label], OWN_HEADINGS[config.label]
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
                row[f"{prefix}_psnr"], row[f"{prefix}_ssim"], row["std_over_seeds"]
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
        f"over images. Here: mean over images, and over seeds (± sample standard deviation). Where "
        f"the source states no protocol ({UNKNOWN_PROTOCOL}), {config.figures.protocol} is shown. "
        f"{SECOND_HAND}{infinite_note(read_scores(config))}"
    )
    return artefact_table(config, paper, artefact, caption, pd.DataFrame(rows), view)


def _pair(psnr: float, ssim: float) -> str:
    """As precise as the source: ``29.04 / 0.8991``, ``30 / not stated``."""
    if is_empty(psnr):
        return "" if is_empty(ssim) else f"not stated / {_digits(ssim, 3)}"
    if is_empty(ssim):
        return f"{psnr:g} / not stated"
    return f"{_digits(psnr, 2)} / {_digits(ssim, 3)}"


def _digits(value: float, least: int) -> str:
    """At most four decimals, as many as the source has but at least so many."""
    return max(f"{value:.{least}f}", f"{value:.4f}".rstrip("0"), key=len)


def _images(row: dict[str, Any]) -> str:
    if is_empty(row["images"]):
        return ""
    whole = row["images_of_set"]
    return number(row["images"]) + (f" of {whole}" if whole else "")


def _differences(row: dict[str, Any]) -> str:
    if is_empty(row["difference_psnr"]):
        return ""
    ssim, low, high = (row[c] for c in ("difference_ssim", "low", "high"))
    interval = "" if is_empty(low) else f" [{low:+.2f}, {high:+.2f}]"
    return f"{row['difference_psnr']:+.2f}{interval} / {'' if is_empty(ssim) else f'{ssim:+.4f}'}"


@dataclass(frozen=True)
class _Known:
    """What is published that a table of a paper may show.

    Attributes:
        paper: whose table.
        sets: those of the paper's table.
        scores: from :func:`published_scores`.
    """

    paper: AuditedPaper
    sets: tuple[str, ...]
    scores: pd.DataFrame

    def why_unpublished(self, dataset: str, method: str, *, third_party: bool) -> str:
        """Why a method has no published score on a set."""
        if method == self.paper.method and dataset in self.sets:
            return self.paper.missing
        if third_party:
            return "somebody else's training is no published score"
        if method in set(self.scores["method"]):
            return "no score of this method on this set is in the catalogue"
        in_paper = dataset in self.sets
        return "not a published network" if in_paper else "nothing published on this set"


def _rows(config: Config, paper: AuditedPaper, artefact: str) -> Iterator[dict[str, Any]]:
    """A row per data set, method, run of it and published score of it."""
    here, per_image = _reproduced(config, paper), read_scores(config)
    sets = paper.artefacts[artefact].sets
    known = _Known(paper, sets, published_scores(paper, artefact))
    for dataset in dict.fromkeys([*sets, *here["dataset"]]):
        here_on_set = here[here["dataset"] == dataset]
        known_on_set = known.scores[known.scores["dataset"] == dataset]
        methods = [paper.method] if dataset in sets else []
        methods += [*known_on_set["method"], *here_on_set["method"]]
        for method in dict.fromkeys(methods):
            for run in _records_or_none(here_on_set[here_on_set["method"] == method]):
                for score in _records_or_none(known_on_set[known_on_set["method"] == method]):
                    row = _row(config, known, dataset, method, run, score)
                    yield row | _interval(row, run, per_image)


def _records_or_none(table: pd.DataFrame) -> Sequence[dict[str, Any] | None]:
    """The rows of a table, or one None for none."""
    return records(table) if len(table) else [None]


def _reproduced(config: Config, paper: AuditedPaper) -> pd.DataFrame:
    """The means of the table of qualities without the rainy input, by published name."""
    frame = quality(config).frame
    frame = frame[frame["title"] != RAINY]
    stands_for = {e.title: published_method(paper, e) or e.title for e in run_variants(config)}
    return frame.assign(
        method=frame["title"].map(stands_for),
        dataset=[set_name(config, d) for d in frame["dataset"]],
        called=frame["dataset"],
    )


def _interval(
    row: dict[str, Any], run: dict[str, Any] | None, per_image: pd.DataFrame
) -> dict[str, float]:
    """How far the difference may be from that of the whole set, where part of it was scored."""
    if run is None or is_empty(row["difference_psnr"]) or row["images"] == row["images_of_set"]:
        return {"low": EMPTY, "high": EMPTY}
    keys = {"dataset": run["called"], "title": run["title"], "weights": run["weights"]}
    of_run = per_image[(per_image[list(keys)] == pd.Series(keys)).all(axis=1)]
    psnr = of_run[of_run["protocol"] == row["protocol"]].groupby("image")["psnr"].mean()
    low, high = mean_interval((psnr - row["published_psnr"]).tolist())
    return {"low": low, "high": high}


def _row(
    config: Config,
    known: _Known,
    dataset: str,
    method: str,
    run: dict[str, Any] | None,
    score: dict[str, Any] | None,
) -> dict[str, Any]:
    """One row from what was scored here and what is published; either may be missing."""
    prefix = OWN_COLUMNS[config.label]
    third_party = score is not None and score["third_party"]
    printed, other = (None, score) if third_party else (score, None)
    stated = score["protocol"] if score else UNKNOWN_PROTOCOL
    protocol = stated if stated in protocol_names() else config.figures.protocol
    psnr, ssim = (run.get(f"{m}_{protocol}", EMPTY) if run else EMPTY for m in ("psnr", "ssim"))
    reason = ""
    if printed and run and stated != protocol:
        reason = "the protocol of the published score is not stated"
    elif printed and run and not config.comparable:
        reason = config.label
    agrees = printed is not None and run is not None and not reason
    return {
        "configuration": config.name,
        "label": config.label,
        "dataset": dataset,
        "in_paper": dataset in known.sets,
        "method": method,
        "published_psnr": printed["psnr"] if printed else EMPTY,
        "published_ssim": printed["ssim"] if printed else EMPTY,
        "stated_protocol": stated if score else "",
        "third_party_psnr": other["psnr"] if other else EMPTY,
        "third_party_ssim": other["ssim"] if other else EMPTY,
        "kind": score["kind"] if score else "",
        "source": f"{score['kind']}: {score['source']}" if score else "",
        f"{prefix}_psnr": psnr,
        f"{prefix}_ssim": ssim,
        "std_over_seeds": run.get(f"psnr_{protocol}_std_over_seeds", EMPTY) if run else EMPTY,
        "protocol": protocol if run else "",
        "images": run["images"] if run else EMPTY,
        "images_of_set": _size_of(dataset),
        "seeds": run["seeds"] if run else pd.NA,
        "weights": run["weights"] if run else "",
        "difference_psnr": psnr - printed["psnr"] if printed and agrees else EMPTY,
        "difference_ssim": ssim - printed["ssim"] if printed and agrees else EMPTY,
        "published_reason": ""
        if printed
        else known.why_unpublished(dataset, method, third_party=third_party),
        "reproduced_reason": "" if run else why_not_here(config, dataset),
        "difference_reason": reason,
    }


def _size_of(dataset: str) -> int | None:
    """Test images of a whole set, if the catalogue knows."""
    entry = dataset_entries().get(dataset)
    return entry.splits["test"].images if entry and "test" in entry.splits else None


def why_not_here(config: Config, dataset: str) -> str:
    """Why a method has no row of results on a data set of the catalogue."""
    if dataset in {set_name(config, d) for d in config.datasets}:
        return "not run in this configuration"
    return "data set not in this configuration"
