"""Do rain pixels cause more spikes than clean ones? Spike rates by place, layer and time step."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from spikingjelly.activation_based import functional
from spikingjelly.activation_based.neuron import BaseNode
from torch import nn

from derainbench import models, provenance
from derainbench.audit.spikerates import depth_table, overall
from derainbench.data.crops import Crops
from derainbench.data.pairs import dataset_digests, read_split
from derainbench.device import prepare
from derainbench.errors import BenchError
from derainbench.files import sha256, staged_folder, write_json, write_text
from derainbench.progress import Reporter

SIZE = 128
THRESHOLD = 0.1  # of the range of values: 25.5 of 255
RAIN_SHARE = 0.5  # of a location's pixels
WINDOW = 24  # side of the patch for the paper's Fig. 2, pixels
LAYERS_SHOWN = 2
NEVER = 1e30  # a firing threshold out of reach; infinity times no spike would be NaN

ASSUMPTIONS = (
    "A pixel is rain if the rainy image differs from the clean one by more than the threshold in "
    "any channel. Fainter rain, and rain over pixels that are white already, counts as clean.",
    "A location of a coarser layer is rain if at least half of its pixels are, clean if none is; "
    "the others are left out.",
    "A location's spike rate is the mean over channels and time steps. What a deeper layer does "
    "at a location also depends on pixels around it: rain next to it, or through attention "
    "anywhere, reaches clean locations too.",
    "Rain brightens pixels. The comparison with the clean counterpart keeps the place and its "
    "content equal, not its brightness.",
    "Intervals are over test images, for one set of weights; they do not cover other trainings.",
    "Overall, either every depth or every neuron counts alike: shallow layers have more neurons.",
)


class SpikeMap(NamedTuple):
    """A layer's spikes by place: ``rate`` [T,h,w], the mean over its ``channels``."""

    rate: torch.Tensor
    channels: int


@contextmanager
def _watching(model: nn.Module, see: Callable[[str, BaseNode, Any, Any], None]) -> Iterator[None]:
    """Calls ``see(path, layer, input, spikes)`` after every spiking layer, both [T,1,C,H,W]."""

    def hook(name: str, node: BaseNode, inputs: tuple, spikes: torch.Tensor) -> None:
        if node.step_mode != "m" or spikes.dim() != 5:
            raise BenchError(
                f"layer {name}: gives {list(spikes.shape)}; spikes have places and time steps only "
                "in layers of [T,N,C,H,W]"
            )
        see(name, node, inputs[0], spikes)

    hooks = [
        module.register_forward_hook(lambda *seen, name=name: hook(name, *seen))
        for name, module in model.named_modules()
        if isinstance(module, BaseNode)
    ]
    functional.reset_net(model)
    try:
        yield
    finally:
        functional.reset_net(model)
        for handle in hooks:
            handle.remove()


@torch.no_grad()
def spike_maps(model: nn.Module, image: torch.Tensor) -> dict[str, SpikeMap]:
    """Spikes per location of an image [3,H,W], by layer path, in the order of firing."""
    maps: dict[str, SpikeMap] = {}

    def see(name: str, _: BaseNode, __: torch.Tensor, spikes: torch.Tensor) -> None:
        maps[name] = SpikeMap(spikes[:, 0].mean(1).cpu(), spikes.shape[2])

    with _watching(model, see):
        model(image[None])
    return maps


@torch.no_grad()
def potential_maps(
    model: nn.Module, image: torch.Tensor, layers: Collection[str]
) -> dict[str, torch.Tensor]:
    """Membrane potential when neurons decide to fire: layer path -> [T,h,w], mean over channels."""
    maps: dict[str, torch.Tensor] = {}

    def see(name: str, node: BaseNode, x: torch.Tensor, _: torch.Tensor) -> None:
        if name in layers:
            maps[name] = charged(node, x)[:, 0].mean(1).cpu()

    with _watching(model, see):
        model(image[None])
    return maps


def charged(node: BaseNode, x_seq: torch.Tensor) -> torch.Tensor:
    """A neuron's potential after charging and before reset, at every step of its input [T,...].

    spikingjelly keeps potentials after the reset only (``store_v_seq``). A twin that never fires
    is therefore taken one step on from every such potential: it never resets.
    """
    silent = copy.copy(node)
    silent.v_threshold = NEVER
    rest = 0.0 if node.v_reset is None else node.v_reset
    states = node.materialize_states((x_seq,), (rest,), "m")
    potentials = []
    for x in x_seq:
        potentials.append(silent.single_step_functional_forward((x,), states)[1][0])
        _, states = node.single_step_functional_forward((x,), states)
    return torch.stack(potentials)


def rain_mask(rainy: torch.Tensor, clean: torch.Tensor, threshold: float) -> torch.Tensor:
    """Where rain is: bool [H,W] from two images [3,H,W] in [0,1]."""
    return (rainy - clean).abs().amax(0) > threshold


def locations(mask: torch.Tensor, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """A mask [H,W] at a layer's resolution: (rain, clean), both bool of that size.

    Rain where at least half of a location's pixels are, clean where none is.
    """
    share = F.adaptive_avg_pool2d(mask[None, None].float(), size)[0, 0]
    return share >= RAIN_SHARE, share == 0


def compare_pair(
    rainy: dict[str, SpikeMap], clean: dict[str, SpikeMap], mask: torch.Tensor
) -> list[dict[str, Any]]:
    """Spike rates of one pair at every layer; see ``spikes.csv`` in :func:`measure`.

    Args:
        rainy, clean: what :func:`spike_maps` gives of the two images.
        mask: rain, bool [H,W].
    """
    rows = []
    for depth, (layer, spikes) in enumerate(rainy.items(), start=1):
        steps, height, width = spikes.rate.shape
        rain, dry = locations(mask, (height, width))
        here, there = (maps.rate.double().mean(0) for maps in (spikes, clean[layer]))
        rows.append(
            {
                "depth": depth,
                "layer": layer,
                "steps": steps,
                "channels": spikes.channels,
                "height": height,
                "width": width,
                "rain_share": rain.double().mean().item(),
                "clean_share": dry.double().mean().item(),
                "rate_rain": here[rain].mean().item(),
                "rate_counterpart": there[rain].mean().item(),
                "rate_clean": here[dry].mean().item(),
                "rate_clean_counterpart": there[dry].mean().item(),
            }
        )
    return rows


def densest_window(mask: torch.Tensor, difference: torch.Tensor, side: int) -> tuple[int, int]:
    """Top and left of the square with most rain; among equals, of the largest mean difference.

    Args:
        mask: rain, bool [H,W].
        difference: of the two images, [H,W].
        side: of the square, at most H and W.
    """
    rain = F.avg_pool2d(mask[None, None].float(), side, stride=1)[0, 0]
    strength = F.avg_pool2d(difference[None, None].double(), side, stride=1)[0, 0]
    best = torch.where(rain == rain.max(), strength, -1.0).argmax().item()
    return divmod(best, rain.shape[1])


@dataclass(frozen=True)
class _Pair:
    """A test pair's central crops, [3,S,S] in [0,1], and where it rains."""

    name: str
    rainy: torch.Tensor
    clean: torch.Tensor
    mask: torch.Tensor

    @property
    def rain_share(self) -> float:
        return self.mask.double().mean().item()


def patch(model: nn.Module, pair: _Pair, device: torch.device) -> dict[str, np.ndarray]:
    """What the paper's Fig. 2 shows, in the window of a pair where rain is densest.

    Returns:
        ``pixels`` uint8 [2,s,s,3], ``potential`` and ``rate`` float32 [2,L,T,s,s] (first axis
        rainy, clean; means over channels) of the ``layers`` [L], the first at the image's
        resolution, with their firing ``threshold`` [L]; ``top`` and ``left`` in the crop, and the
        ``image``.

    Raises:
        BenchError: if no spiking layer works at the image's resolution.
    """
    size = pair.mask.shape
    side = min(WINDOW, *size)
    top, left = densest_window(pair.mask, (pair.rainy - pair.clean).abs().amax(0), side)
    images = [image.to(device) for image in (pair.rainy, pair.clean)]
    rates = [spike_maps(model, image) for image in images]
    full_size = [name for name, maps in rates[0].items() if maps.rate.shape[1:] == size]
    layers = full_size[:LAYERS_SHOWN]
    if not layers:
        raise BenchError("no spiking layer works at the image's resolution: nothing to show")
    potentials = [potential_maps(model, image, layers) for image in images]

    def cut(maps: list[dict[str, torch.Tensor]]) -> np.ndarray:
        stacked = torch.stack([torch.stack([of[name] for name in layers]) for of in maps])
        return stacked[..., top : top + side, left : left + side].numpy()

    pixels = torch.stack((pair.rainy, pair.clean))[..., top : top + side, left : left + side]
    return {
        "pixels": (pixels * 255).round().byte().permute(0, 2, 3, 1).numpy(),
        "potential": cut(potentials),
        "rate": cut([{name: maps.rate for name, maps in of.items()} for of in rates]),
        "layers": np.array(layers),
        "threshold": np.array([model.get_submodule(name).v_threshold for name in layers]),
        "top": np.array(top),
        "left": np.array(left),
        "image": np.array(pair.name),
    }


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
    """Spike rates on the central crops of a split's pairs, rainy and clean.

    Writes ``spikes.csv`` (one row per image and layer: resolution, shares of rain and clean
    locations, and spikes per neuron and time step at rain and clean locations of the rainy image,
    and at the same locations of the clean one), ``depth.csv`` (statistics per layer),
    ``patch.npz`` (:func:`patch`, of the pair with most rain) and ``spikes.json`` (the answer and
    every assumption), all or nothing.

    Args:
        images: of the split, the first; default: all.
        threshold: of :func:`rain_mask`.

    Raises:
        BenchError: for a network without spiking layers, unusable weights or images, or a size
            that the network does not take.
    """
    card = models.card(model_name)
    if not card.spiking:
        raise BenchError(f"model '{card.name}' does not compute with spikes")
    if size % card.size_multiple:
        raise BenchError(f"--size {size}: {card.name} needs a multiple of {card.size_multiple}")
    chosen = prepare(device)
    model, arguments = models.load(model_name, weights, kwargs)
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
            pair = _Pair(file.name, rainy, clean, rain_mask(rainy, clean, threshold))
            maps = [spike_maps(model, image.to(chosen)) for image in (rainy, clean)]
            rows += [{"image": pair.name, **row} for row in compare_pair(*maps, pair.mask)]
            if pair.rain_share > max(shares, default=-1):
                rainiest = pair
            shares.append(pair.rain_share)
            reporter.advance(pair.name)
    table = pd.DataFrame(rows)
    depths = depth_table(table)
    shown = patch(model, rainiest, chosen)
    result = {
        "model": card.name,
        "kwargs": arguments,
        "size": [size, size],
        "images": len(pairs),
        "threshold": threshold,
        "rain_share": float(np.mean(shares)),
        "comparisons": overall(table, depths),
        "patch": {k: shown[k].tolist() for k in ("image", "top", "left", "layers")},
        "assumptions": list(ASSUMPTIONS),
    }
    settings = {"model": card.name, "size": size, "images": images, "threshold": threshold}
    with staged_folder(out) as stage:
        write_text(stage / "spikes.csv", table.to_csv(index=False, float_format="%.9g"))
        write_text(stage / "depth.csv", depths.to_csv(index=False, float_format="%.9g"))
        np.savez(stage / "patch.npz", **shown)
        write_json(stage / "spikes.json", _without_nan(result))
        provenance.write_record(
            stage / "spikes.json",
            settings=settings,
            inputs=inputs | {"weights": sha256(Path(weights))},
            device=str(chosen),
        )
    return result


def _without_nan(content: Any) -> Any:
    """JSON has no NaN: null instead."""
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    return None if isinstance(content, float) and content != content else content
