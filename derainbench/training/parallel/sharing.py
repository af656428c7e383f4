"""How a network is trained by several processes to what one process with the whole batch trains.

Every process takes an equal part of each batch. Losses are means over a batch, so the mean of the parts'
gradients, which torch's DistributedDataParallel takes, is the gradient of the whole.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from spikingjelly.activation_based import layer as spiking_layers
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from derainbench.catalog.recipes import Recipe
from derainbench.foundation.errors import BenchError
from derainbench.training.checkpoints import Progress
from derainbench.training.parallel.group import Group
from derainbench.training.parallel.norms import synchronise_norms
from derainbench.training.schedule import Epoch


def check_batches(epochs: Sequence[Epoch], crops: int, processes: int) -> None:
    """Sees that all batches of a run can be shared equally.

    Args:
        epochs: of the run.
        crops: that an epoch can have at most.
        processes: how many share a batch.

    Raises:
        BenchError: naming the first batch that they cannot share.
    """
    for epoch in epochs:
        last = min(epoch.batch_size, crops - (epoch.steps - 1) * epoch.batch_size)
        for size, what in ((epoch.batch_size, "batch_size"), (last, "the last batch of an epoch")):
            if size % processes:
                raise BenchError(
                    f"recipe: {what}: {size} crop{'s' * (size > 1)} cannot be shared equally by "
                    f"{processes} processes; set another batch_size or crops_per_image, or start "
                    "another number of processes"
                )


def prepare_shared(model: nn.Module, recipe: Recipe, group: Group) -> None:
    """Makes a network compute in training what it would with the whole batch in one process.

    Batch norms count the batch of all processes. Layers that draw a number per image (stochastic depth)
    offer ``draw_part(part, parts)``: they then draw for the whole batch and take their part. All
    processes draw from equal generators. Alone nothing is changed.

    Raises:
        BenchError: for what cannot be shared: dropout, which would draw alike in all processes, and a
            compiled network.
    """
    if group.size == 1:
        return
    if recipe.compile:
        raise BenchError("recipe: compile: a compiled network is trained by one process only")
    synchronise_norms(model)
    for name, module in model.named_modules():
        if isinstance(module, _DropoutNd | spiking_layers.Dropout) and module.p > 0:
            raise BenchError(
                f"layer '{name}' drops values at random, alike in every process; a network with "
                "dropout is trained by one process only"
            )
        share = getattr(module, "draw_part", None)
        if callable(share):
            share(group.rank, group.size)


def shared(network: nn.Module) -> nn.Module:
    """The network, whose parameters' gradients become the mean of those of all processes."""
    # Statistics of norms are equal in all of them. Parameters that the loss does not reach stay without
    # a gradient, as in one process: which these are is the same in every step.
    warnings.filterwarnings("ignore", "Grad strides do not match")  # they are copied either way
    return nn.parallel.DistributedDataParallel(
        network, forward_sync_buffers=False, static_graph=True
    )


def check_same_place(progress: Progress, checkpoint: Path, group: Group) -> None:
    """Sees that all processes go on from the same place.

    Raises:
        BenchError: where some of them, on other machines, do not see the checkpoint.
    """
    begun = progress.begun or {}
    places = group.gathered((progress.epochs_done, begun.get("steps", 0)))
    if len(set(places)) > 1:
        raise BenchError(
            f"{checkpoint}: processes see different checkpoints there; all machines must see one folder"
        )
