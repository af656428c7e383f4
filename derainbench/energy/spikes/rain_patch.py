"""The part of a pair of images where rain is densest, with what a network's neurons do there."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from derainbench.energy.spikes.maps import potential_maps, spike_maps
from derainbench.energy.spikes.rain_places import RainPair, densest_window
from derainbench.foundation.errors import BenchError

WINDOW = 24  # side of the patch, pixels
LAYERS_SHOWN = 2


def rain_patch(model: nn.Module, pair: RainPair, device: torch.device) -> dict[str, np.ndarray]:
    """Spikes and membrane potentials in the window of a pair where rain is densest.

    Args:
        model: a spiking network.
        pair: its images are taken as they are.
        device: of the network.

    Returns:
        ``pixels`` uint8 [2,s,s,3], ``potential`` and ``firing_rate`` float32 [2,L,T,s,s] (first axis
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
    full_size = [name for name, maps in rates[0].items() if maps.firing_rate.shape[1:] == size]
    layers = full_size[:LAYERS_SHOWN]
    if not layers:
        raise BenchError("no spiking layer works at the image's resolution: nothing to show")
    potentials = [potential_maps(model, image, layers) for image in images]

    def cut(maps: list[dict[str, torch.Tensor]]) -> np.ndarray:
        stacked = torch.stack([torch.stack([m[name] for name in layers]) for m in maps])
        return stacked[..., top : top + side, left : left + side].numpy()

    pixels = torch.stack((pair.rainy, pair.clean))[..., top : top + side, left : left + side]
    return {
        "pixels": (pixels * 255).round().byte().permute(0, 2, 3, 1).numpy(),
        "potential": cut(potentials),
        "firing_rate": cut([{name: m[name].firing_rate for name in layers} for m in rates]),
        "layers": np.array(layers),
        "threshold": np.array([model.get_submodule(name).v_threshold for name in layers]),
        "top": np.array(top),
        "left": np.array(left),
        "image": np.array(pair.name),
    }
