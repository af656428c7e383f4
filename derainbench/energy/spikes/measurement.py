"""Do rain pixels cause more spikes than clean ones? Firing rates by place, layer and time step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from derainbench.catalog.model_cards import model_card
from derainbench.data.crops import Crops
from derainbench.data.pairs import dataset_digests, read_split
from derainbench.energy.spikes.maps import spike_maps
from derainbench.energy.spikes.pair_rates import compare_pair
from derainbench.energy.spikes.rain_patch import rain_patch
from derainbench.energy.spikes.rain_places import THRESHOLD, RainPair, rain_mask
from derainbench.energy.spikes.statistics import depth_table, overall
from derainbench.foundation import provenance
from derainbench.foundation.device import prepare
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import sha256, write_json, write_text
from derainbench.foundation.outputs import staged_folder
from derainbench.foundation.progress import Reporter
from derainbench.models.weights import load_model

SIZE = 128

ASSUMPTIONS = (
    "A pixel is rain if the rainy image differs from the clean one by more than the threshold in "
    "any channel. Fainter rain, and rain over pixels that are white already, counts as clean.",
    "A location of a coarser layer is rain if at least half of its pixels are, clean if none is; "
    "the others are left out.",
    "A location's firing rate is the mean over channels and time steps. What a deeper layer does "
    "at a location also depends on pixels around it: rain next to it, or through attention "
    "anywhere, reaches clean locations too.",
    "Rain brightens pixels. The comparison with the clean counterpart keeps the place and its "
    "content equal, not its brightness.",
    "Intervals are over test images, for one set of weights; they do not cover other trainings.",
    "Overall, either every depth or every neuron counts alike: shallow layers have more neurons.",
)


def measure(
    *,
    model_name: str,
    weights: Path,
    split_folder: Path,
    out: Path,
    kwargs: dict[str, Any] | None = None,
    size: int = SIZE,
    images: int | None = None,
    device: str = "auto",
    dataset: Path | None = None,
    threshold: float = THRESHOLD,
) -> dict[str, Any]:
    """Firing rates on the central crops of a split's pairs, rainy and clean.

    Writes ``spikes.csv`` (one row per image and layer: resolution, shares of rain and clean
    locations, and spikes per neuron and time step at rain and clean locations of the rainy image,
    and at the same locations of the clean one), ``depth.csv`` (statistics per layer),
    ``patch.npz`` (:func:`~derainbench.energy.spikes.rain_patch.rain_patch`, of the pair with most
    rain) and ``spikes.json`` (the answer and every assumption), all or nothing.

    Args:
        model_name: a spiking network in the registry.
        weights: its weight file.
        split_folder: of paired images.
        out: folder to write.
        kwargs: constructor arguments, where they are not those of the weights.
        size: side of the crops, pixels.
        images: of the split, the first; default: all.
        device: "auto", "cpu", "cuda" ...
        dataset: ``dataset.json`` of the verified set.
        threshold: least change of a value in [0,1] that is rain.

    Raises:
        BenchError: for a network without spiking layers, unusable weights or images, or a size
            that the network does not take.
    """
    card = model_card(model_name)
    if not card.spiking:
        raise BenchError(f"model '{card.name}' does not compute with spikes")
    if size % card.network.size_multiple:
        raise BenchError(
            f"--size {size}: {card.name} needs a multiple of {card.network.size_multiple}"
        )
    chosen = prepare(device)
    model, arguments = load_model(model_name, weights, kwargs)
    model = model.to(chosen)
    split = read_split(split_folder)
    inputs = dataset_digests(split, dataset)
    pairs = split.pairs[:images]
    crops = Crops(pairs, size)
    rows: list[dict[str, Any]] = []
    shares: list[float] = []
    with Reporter(f"spikes {model_name}", len(pairs)) as reporter:
        for index, file in enumerate(pairs):
            rainy, clean = crops[index]
            pair = RainPair(file.name, rainy, clean, rain_mask(rainy, clean, threshold))
            maps, clean_maps = (spike_maps(model, im.to(chosen)) for im in (rainy, clean))
            rates = compare_pair(maps, clean_maps, pair.mask)
            rows += [{"image": pair.name, **row} for row in rates]
            if pair.rain_share > max(shares, default=-1):
                rainiest = pair
            shares.append(pair.rain_share)
            reporter.advance(pair.name)
    table = pd.DataFrame(rows)
    depths = depth_table(table)
    patch = rain_patch(model, rainiest, chosen)
    result = {
        "model": card.name,
        "kwargs": arguments,
        "size": [size, size],
        "images": len(pairs),
        "threshold": threshold,
        "rain_share": float(np.mean(shares)),
        "comparisons": overall(table, depths),
        "patch": {k: patch[k].tolist() for k in ("image", "top", "left", "layers")},
        "assumptions": list(ASSUMPTIONS),
    }
    settings = {"model": card.name, "size": size, "images": images, "threshold": threshold}
    with staged_folder(out) as stage:
        write_text(stage / "spikes.csv", table.to_csv(index=False, float_format="%.9g"))
        write_text(stage / "depth.csv", depths.to_csv(index=False, float_format="%.9g"))
        np.savez(stage / "patch.npz", allow_pickle=False, **patch)
        write_json(stage / "spikes.json", result)
        provenance.write_record(
            stage / "spikes.json",
            settings=settings,
            inputs=inputs | {"weights": sha256(Path(weights))},
            device=str(chosen),
        )
    return result
