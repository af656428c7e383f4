"""Holding a measured split against what the catalogue says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pandas as pd

from derainbench.catalog.dataset_entries import DatasetEntry, RainyScore, SplitFacts
from derainbench.data.findings import NAMED, Check
from derainbench.metrics.infinite import counted, finite, infinite_images


def judge_split(
    name: str, table: pd.DataFrame, facts: SplitFacts | None, subset: bool
) -> list[Check]:
    if facts is None:
        return []
    count, checks = len(table), []
    complete = facts.images == count
    if facts.images is None:
        checks.append(Check(name, "images", "not recorded", str(count), "unknown"))
    else:
        tolerated = subset and count < facts.images
        verdict = "ok" if complete else "note" if tolerated else "fail"
        checks.append(Check(name, "images", str(facts.images), str(count), verdict))
    checks += _judge_sizes(name, table, facts)
    checks += _judge_pixels(name, table, facts)
    if facts.rainy:
        checks.append(_judge_score(name, table, facts.rainy, complete))
    if facts.rain_model:
        worst = table.sort_values("below").iloc[-1]
        found = f"{(table.below > 0).sum()} images with O < B"
        found += f" (most: {worst.image}, {worst.below:.2%})" if worst.below else ""
        verdict = "fail" if worst.below else "ok"
        checks.append(Check(name, "rain adds light", "O >= B everywhere", found, verdict))
    if facts.rain_model == "achromatic-additive":
        coloured = int((table.coloured > 0).sum())
        found = f"{coloured} images with coloured rain"
        verdict = "fail" if coloured else "ok"
        checks.append(Check(name, "rain is grey", "R = G = B in O - B", found, verdict))
    return checks


def _judge_sizes(name: str, table: pd.DataFrame, facts: SplitFacts) -> Iterator[Check]:
    sizes = Counter(zip(table.height, table.width, strict=True))
    found = ", ".join(f"{n} of {h}x{w}" for (h, w), n in sorted(sizes.items())[:4])
    found += f" and {len(sizes) - 4} further sizes" if len(sizes) > 4 else ""
    if not facts.sizes:
        yield Check(name, "sizes", "not recorded", found, "unknown")
        return
    expected = " or ".join(f"{h}x{w}" for h, w in facts.sizes)
    verdict = "ok" if set(sizes) <= set(facts.sizes) else "fail"
    yield Check(name, "sizes", expected, found, verdict)


def _judge_pixels(name: str, table: pd.DataFrame, facts: SplitFacts) -> Iterator[Check]:
    expected = "as in the true copy"
    if not facts.digests:
        yield Check(name, "pixels", "no digests known", f"{len(table)} images", "unknown")
        return
    kinds = table["copy"].value_counts().to_dict()
    same = kinds.pop("upright", 0)
    found = [f"{same} equal"]
    for kind, number in kinds.items():
        examples = ", ".join(table.image[table["copy"] == kind][:NAMED])
        what = {"differs": "different", "unlisted": "unknown by name"}.get(str(kind), str(kind))
        found.append(f"{number} {what} ({examples}{', …' if number > NAMED else ''})")
    wrong = kinds.keys() & {"differs", "unlisted"}
    verdict = "fail" if wrong else "note" if kinds else "ok"
    yield Check(name, "pixels", expected, "; ".join(found), verdict)


def _judge_score(name: str, table: pd.DataFrame, rainy: RainyScore, complete: bool) -> Check:
    means, equal = finite(table), infinite_images(table)
    psnr, ssim = means.psnr.mean(), means.ssim.mean()
    near = abs(psnr - rainy.psnr) <= rainy.psnr_tolerance
    near = near and abs(ssim - rainy.ssim) <= rainy.ssim_tolerance
    verdict = ("ok" if near else "fail") if complete else "note"
    part = "" if complete else f" over {len(table)} images only"
    return Check(
        name,
        f"rainy score ({rainy.protocol})",
        f"{rainy.psnr:.2f} dB, {rainy.ssim:.3f}",
        f"{psnr:.2f} dB, {ssim:.3f}{part}"
        + (f"; PSNR without {counted(equal)} equal to the ground truth" if equal else ""),
        verdict,
    )


def status_of(checks: list[Check], entry: DatasetEntry | None, facts: SplitFacts | None) -> str:
    verdicts = {c.check: c.verdict for c in checks}
    if "fail" in verdicts.values():
        return "deviates"
    if entry is None or facts is None:
        return "unlisted"
    if verdicts["images"] == "note":
        return "subset"
    if verdicts["pixels"] == "note":
        return "rotated"
    return "verified" if verdicts["pixels"] == "ok" else "complete"
