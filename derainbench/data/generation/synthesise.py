"""Generated data sets: synthetic rain over the photographs bundled inside scikit-image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import skimage.data

from derainbench.catalog.rain import RainSettings, presets
from derainbench.data.generation.rain import add_rain, rain_layer
from derainbench.data.images import write_png
from derainbench.data.pairs import read_split
from derainbench.foundation import provenance
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import write_json
from derainbench.foundation.outputs import staged_folder
from derainbench.foundation.progress import Reporter
from derainbench.foundation.suggestions import did_you_mean

# Photographs that ship in scikit-image's wheel (the others would be downloaded). No photograph is
# in two splits; of the stereo pair, which shows one scene, only the left view is used.
PHOTOGRAPHS = {
    "train": ("astronaut", "motorcycle", "camera", "brick", "grass", "gravel", "ihc"),
    "val": ("coffee",),
    "test": ("chelsea", "rocket"),
}
_LOADERS = {
    "motorcycle": lambda: skimage.data.stereo_motorcycle()[0],
    "ihc": skimage.data.immunohistochemistry,
}


@dataclass(frozen=True)
class SynthesisPlan:
    """A generated set.

    Attributes:
        rain: a setting of ``catalog/rain.yaml``.
        size: side of the square images, pixels.
        train, val, test: images per split.
        seed: of crops and rain.
    """

    rain: str
    size: int = 256
    train: int = 24
    val: int = 4
    test: int = 6
    seed: int = 2024

    def settings(self) -> RainSettings:
        """The rain's parameters.

        Raises:
            BenchError: for an unknown setting.
        """
        if self.rain not in presets():
            raise BenchError(
                f"unknown rain setting '{self.rain}'{did_you_mean(self.rain, presets())}"
            )
        return presets()[self.rain]


def photograph(name: str) -> np.ndarray:
    """A bundled photograph as uint8 [H,W,3]; grey ones are repeated over the channels."""
    image = (_LOADERS.get(name) or getattr(skimage.data, name))()
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image[..., :3]


def synthesise(plan: SynthesisPlan, out: Path) -> None:
    """Writes ``train``, ``val`` and ``test``, each with ``input`` and ``target``, all or nothing.

    Image i of a split takes a random crop of photograph i modulo their number, and its own rain;
    both depend on (seed, split, i) alone.

    Raises:
        BenchError: if the size exceeds the photographs, or the setting is unknown.
    """
    settings = plan.settings()
    counts = {"train": plan.train, "val": plan.val, "test": plan.test}
    with (
        staged_folder(out, (*counts, "dataset.json")) as stage,
        Reporter("synthesise", sum(counts.values())) as reporter,
    ):
        for number, (split, count) in enumerate(counts.items()):
            names = PHOTOGRAPHS[split]
            for i in range(count):
                rng = np.random.default_rng([plan.seed, number, i])
                name = names[i % len(names)]
                clean = random_crop(photograph(name), plan.size, rng, name)
                rainy = add_rain(clean, rain_layer(clean.shape[:2], settings, rng))
                file = f"{name}-{i:03d}.png"
                write_png(stage / split / "target" / file, clean)
                write_png(stage / split / "input" / file, rainy)
                reporter.advance()
        facts = {
            "kind": "synthetic",
            "plan": vars(plan),
            "rain": settings.model_dump(),
            "photographs": PHOTOGRAPHS,
            "digests": {
                split: read_split(stage / split).digest for split in counts if counts[split]
            },
        }
        write_json(stage / "dataset.json", facts)
        provenance.write_record(stage / "dataset.json", settings=vars(plan), seed=plan.seed)


def random_crop(image: np.ndarray, size: int, rng: np.random.Generator, name: str) -> np.ndarray:
    """A random [size,size,3] of [H,W,3].

    Raises:
        BenchError: if the image is smaller.
    """
    height, width = image.shape[:2]
    if min(height, width) < size:
        raise BenchError(
            f"size {size} exceeds photograph '{name}' ({height}x{width}); choose a smaller size"
        )
    top = int(rng.integers(height - size + 1))
    left = int(rng.integers(width - size + 1))
    return np.ascontiguousarray(image[top : top + size, left : left + size])
