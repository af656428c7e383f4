"""Firing rates of one pair of images at places with rain and at clean ones."""

from __future__ import annotations

from typing import Any

import torch

from derainbench.energy.spikes.maps import SpikeMap
from derainbench.energy.spikes.rain_places import rain_and_clean_places


def compare_pair(
    rainy: dict[str, SpikeMap], clean: dict[str, SpikeMap], mask: torch.Tensor
) -> list[dict[str, Any]]:
    """Firing rates of one pair at every layer; a row per layer, the columns of ``spikes.csv``.

    Args:
        rainy, clean: of the two images, from :func:`~derainbench.energy.spikes.maps.spike_maps`.
        mask: rain, bool [H,W].
    """
    rows = []
    for depth, (layer, spikes) in enumerate(rainy.items(), start=1):
        steps, height, width = spikes.firing_rate.shape
        rain, dry = rain_and_clean_places(mask, (height, width))
        rate, clean_rate = (maps.firing_rate.double().mean(0) for maps in (spikes, clean[layer]))
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
                "firing_rate_rain": rate[rain].mean().item(),
                "firing_rate_counterpart": clean_rate[rain].mean().item(),
                "firing_rate_clean": rate[dry].mean().item(),
                "firing_rate_clean_counterpart": clean_rate[dry].mean().item(),
            }
        )
    return rows
