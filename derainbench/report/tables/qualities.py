"""The scores that stand beside energies: no energy of measured networks is compared without them."""

from __future__ import annotations

from derainbench.audit.equal_quality import psnr_of_runs
from derainbench.catalog.margins import margins
from derainbench.config.schema import Config
from derainbench.metrics.infinite import finite
from derainbench.report.tables.table import number

STRUCTURE_ONLY = "No scores: structure only, so nothing is said of quality."


def psnr_heading(config: Config) -> str:
    """``PSNR (dB), PROTOCOL``: heading of a column of scores, with their protocol."""
    return f"PSNR (dB), {config.figures.protocol}"


def mean_psnr(config: Config) -> dict[tuple[str, str], float]:
    """PSNR by run and data set, dB: mean over images, and over seeds; infinite ones left out."""
    return {key: float(finite(of).mean().mean()) for key, of in psnr_of_runs(config).items()}


def psnr_text(psnr: float | None) -> str:
    """``28.31``, or ``no scores``: an energy never stands beside an empty cell."""
    return number(psnr, 2) or "no scores"


def same_images_text(config: Config) -> str:
    """What the qualities beside energies are, in a sentence for a caption."""
    return (
        f"PSNR: of both on the same images of the test set, protocol {config.figures.protocol}, mean "
        "over images and seeds."
    )


def equal_quality_text(config: Config) -> str:
    """:func:`same_images_text`, and what is greyed."""
    margin = margins().equal_quality_margin_db.value
    return (
        f"{same_images_text(config)} Greyed: pairs more than {margin:g} dB apart, not of equal "
        "quality; what one of them saves says nothing."
    )


def without_scores_text(reasons: list[str]) -> str:
    """Which pairs are left out for want of scores, to follow a caption; or nothing."""
    if not reasons:
        return ""
    named = "; ".join(dict.fromkeys(reasons))
    return f" Left out, because no saving stands without both scores: {named}."
