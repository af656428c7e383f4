"""Re-composited training pairs: the rain of real pairs on other clean photographs.

O' = clip(B' + R, 0, 255) with R = O - B of a paired set and B' another photograph. Such pairs are
never official, and everything that shows them says so.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from derainbench.data.images import image_files, read_rgb, write_png
from derainbench.data.pairs import Split, read_split
from derainbench.foundation import provenance
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import digest_of, write_json
from derainbench.foundation.outputs import staged_folder
from derainbench.foundation.progress import Reporter


def recomposite(
    layers: Path, clean: list[Path], out: Path, *, count: int | None = None, seed: int = 2024
) -> None:
    """Writes ``out/train/{input,target}`` and ``dataset.json``, all or nothing.

    Photograph i gets the rain layer of pair p(i), p a random permutation repeated as often as
    needed; a layer of the other orientation is turned by 90 degrees, one of another size refused.

    Args:
        layers: paired split that gives the rain.
        clean: folders of photographs that get it.
        out: folder of the new set.
        count: number of pairs; default: one per photograph.
        seed: of the assignment.

    Raises:
        BenchError: if there are no layers of a photograph's size, or names collide.
    """
    source = read_split(layers)
    photographs = _photographs(clean)
    count = count or len(photographs)
    rng = np.random.default_rng(seed)
    order = np.concatenate(
        [rng.permutation(len(source.pairs)) for _ in range(-(-count // len(source.pairs)))]
    )
    with (
        staged_folder(out, ("train", "dataset.json")) as stage,
        Reporter("recomposite", count) as reporter,
    ):
        made = []
        for i in range(count):
            file = photographs[i % len(photographs)]
            pair = source.pairs[order[i]]
            layer = read_rgb(pair.input).astype(np.int16) - read_rgb(pair.target)
            background = read_rgb(file)
            layer = _fitting(layer, background, pair.input, file)
            rainy = np.clip(background + layer, 0, 255).astype(np.uint8)
            name = f"recomposited-{file.stem}-{i:04d}.png"
            write_png(stage / "train" / "target" / name, background)
            write_png(stage / "train" / "input" / name, rainy)
            made.append({"image": name, "photograph": file.name, "layer_of": pair.name})
            reporter.advance()
        facts = {"kind": "recomposited", "count": count, "seed": seed, "pairs": made}
        write_json(stage / "dataset.json", facts)
        provenance.write_record(
            stage / "dataset.json",
            inputs=_inputs(source, photographs),
            settings={"count": count, "seed": seed},
            seed=seed,
        )


def _photographs(folders: list[Path]) -> list[Path]:
    files = [file for folder in folders for file in image_files(folder)]
    names = [f.stem for f in files]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise BenchError(f"two photographs are called {twice}; give each photograph once")
    return files


def _fitting(layer: np.ndarray, background: np.ndarray, pair: Path, photograph: Path) -> np.ndarray:
    if layer.shape != background.shape and layer.shape[:2] == background.shape[1::-1]:
        layer = np.rot90(layer)
    if layer.shape != background.shape:
        height, width = background.shape[:2]
        raise BenchError(
            f"{pair}: its rain is {layer.shape[0]}x{layer.shape[1]}, the photograph {photograph} "
            f"{height}x{width}; give photographs of the pairs' size"
        )
    return layer


def _inputs(source: Split, photographs: list[Path]) -> dict[str, str]:
    by_folder: dict[Path, list[Path]] = {}
    for file in photographs:
        by_folder.setdefault(file.parent, []).append(file)
    digests = {str(folder): digest_of(files, folder) for folder, files in by_folder.items()}
    return {str(source.folder): source.digest} | digests
