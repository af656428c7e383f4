"""How far apart perceptual hashes lie: of different photographs, and of changed copies of one.

python benchmarks/leak_threshold.py FOLDER...

Takes folders of clean photographs that show different scenes (BSDS500, a test set's targets) and
writes results/reference/leaks/threshold.{csv,md}: what the threshold of the leak audit rests on.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageEnhance

from derainbench.data.images import image_files, read_rgb
from derainbench.data.leaks import NEAR
from derainbench.data.pixels import HASH_SIDE, perceptual_hashes
from derainbench.foundation import provenance
from derainbench.foundation.files import digest_of, write_text

OUT = Path(__file__).resolve().parent.parent / "results" / "reference" / "leaks"


def jpeg(image: Image.Image) -> Image.Image:
    """Quality 50, far below what data sets use."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=50)
    return Image.open(buffer).convert("RGB")


def noisy(image: Image.Image) -> Image.Image:
    """Gaussian noise, standard deviation 10 grey levels."""
    noise = np.random.default_rng(0).normal(0, 10, (image.height, image.width, 1))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def cropped(share: float) -> Callable[[Image.Image], Image.Image]:
    """Takes ``share`` of the width or height off at every side."""

    def crop(image: Image.Image) -> Image.Image:
        x, y = int(image.width * share), int(image.height * share)
        return image.crop((x, y, image.width - x, image.height - y))

    return crop


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG, quality 50": jpeg,
    "half the size": lambda i: i.resize((i.width // 2, i.height // 2)),
    "20 % brighter": lambda i: ImageEnhance.Brightness(i).enhance(1.2),
    "20 % less contrast": lambda i: ImageEnhance.Contrast(i).enhance(0.8),
    "noise, 10 grey levels": noisy,
    "cropped by 1 % at every side": cropped(0.01),
    "cropped by 2 %": cropped(0.02),
    "cropped by 3 %": cropped(0.03),
    "cropped by 5 %": cropped(0.05),
}


def bits(hashes: list[str]) -> np.ndarray:
    """uint8 [N, 32] of hexadecimal hashes."""
    return np.stack([np.frombuffer(bytes.fromhex(h), np.uint8) for h in hashes])


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Differing bits, last axis reduced."""
    return np.bitwise_count(a ^ b).sum(axis=-1, dtype=np.int64)


def row(what: str, distances: np.ndarray) -> dict[str, object]:
    """Percentiles of differing bits, and how many pairs the audit reports."""
    names = ("smallest", "1 %", "median", "99 %", "largest")
    values = np.percentile(distances, [0, 1, 50, 99, 100]).round().astype(int)
    reported = f"{(distances <= NEAR).mean():.2%}"
    return {"pair": what, "pairs": distances.size, **dict(zip(names, values, strict=True)), f"reported (<= {NEAR} bits)": reported}  # fmt: skip


def main(folders: list[Path]) -> None:
    """Measures and writes the table."""
    files = [file for folder in folders for file in image_files(folder)]
    images = [read_rgb(file) for file in files]
    hashes = np.stack([bits(perceptual_hashes(image)) for image in images])  # [N, 8, 32]
    upright = hashes[:, 0]
    others = np.concatenate(
        [distance(upright[i], hashes[i + 1 :]).min(axis=-1) for i in range(len(images) - 1)]
    )
    rows = [row("different photographs, nearest of 8 orientations", others)]
    for name, change in CHANGES.items():
        copies = [np.asarray(change(Image.fromarray(image))) for image in images]
        changed = bits([perceptual_hashes(copy)[0] for copy in copies])
        rows.append(row(name, distance(upright, changed)))
    table = pd.DataFrame(rows)
    write_text(OUT / "threshold.csv", table.to_csv(index=False))
    caption = f"Differing bits of {HASH_SIDE**2}, {len(images)} photographs.\n\n"
    write_text(OUT / "threshold.md", caption + table.to_markdown(index=False) + "\n")
    inputs = {"/".join(folder.parts[-2:]): digest_of(image_files(folder), folder) for folder in folders}  # fmt: skip
    provenance.write_record(OUT / "threshold.csv", inputs=inputs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    main(parser.parse_args().folders)
