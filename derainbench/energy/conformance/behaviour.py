"""Checks of what a model does with images: nothing that its card does not say."""

from __future__ import annotations

import inspect
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from spikingjelly.activation_based.base import MemoryModule
from torch import nn

from derainbench.energy.conformance.subject import (
    Finding,
    Subject,
    difference,
    one_line_of,
    sides_of,
)
from derainbench.energy.networks import parameter_count
from derainbench.models.construction import constructor
from derainbench.models.weights import load_model, weight_metadata


def builds(subject: Subject) -> str:
    """A model is built without any argument, the same one for the same seed."""
    known = inspect.signature(constructor(subject.card)).parameters.values()
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    given = {*subject.card.network.defaults, *subject.kwargs}
    if needed := [
        p.name
        for p in known
        if p.default is p.empty and p.kind not in variable and p.name not in given
    ]:
        raise Finding(f"arguments without a default: {', '.join(needed)}")
    model = subject.untrained
    again = dict(subject.build().named_parameters())
    for key, parameter in model.named_parameters():
        if not torch.equal(parameter, again[key]):
            raise Finding(f"{key} differs between two networks drawn from one seed")
    return f"{parameter_count(model):,} parameters, the same twice from one seed"


def shape_and_range(subject: Subject) -> str:
    """Images come back in their own shape and type, finite and unclamped; batches, too.

    More cannot be asked of an untrained network: which values it gives is up to its training.
    """
    image, restored = subject.image(), subject.restored
    _refuse_other_form(image, restored)
    for extreme in (torch.zeros_like(image), torch.cat([image, torch.ones_like(image)])):
        _refuse_other_form(extreme, subject.run(subject.model, extreme))
    low, high = restored.min().item(), restored.max().item()
    if (low, high) == (0, 1):  # noise has no value that is exactly 0 or 1
        raise Finding("is clamped to [0, 1]: whoever scores it does that")
    return f"{sides_of(restored)} float32 gives the same, within [{low:.2f}, {high:.2f}]"


def _refuse_other_form(image: torch.Tensor, restored: object) -> None:
    if not isinstance(restored, torch.Tensor):
        raise Finding(f"gives a {type(restored).__name__} in place of the restored image")
    if restored.shape != image.shape:
        raise Finding(f"gives {sides_of(restored)} for {sides_of(image)}")
    if restored.dtype != image.dtype or restored.device != image.device:
        raise Finding(f"gives {restored.dtype} on {restored.device} for float32 on cpu")
    if not restored.isfinite().all():
        raise Finding("gives values that are not finite")


def leaves_its_input(subject: Subject) -> str:
    """The image that a model is given is not written to."""
    image = subject.first_image
    _ = subject.restored
    if not torch.equal(image, subject.image()):
        raise Finding("writes to the image that it is given")
    return "the image is as it was"


def size_multiple(subject: Subject) -> str:
    """Any multiple of the stated size goes through; no smaller one does."""
    network, multiple = subject.card.network, subject.multiple
    if not subject.kwargs and multiple != network.size_multiple:
        raise Finding(
            f"the card says {network.size_multiple}, the network's size_multiple is {multiple}"
        )
    side, square = subject.side, network.padding == "square"
    if side % multiple:
        raise Finding(f"fixed_size {side} is no multiple of {multiple}")
    sizes = [(side, side)]
    if square:
        sizes += [(side + multiple,) * 2]
    elif not network.fixed_size:
        sizes += [(side, side + multiple), (side + 2 * multiple, side)]
    for size in sizes:
        if problem := _problem_at(subject, *size):
            raise Finding(f"{size[0]}x{size[1]}: {problem}")
    smaller = [] if network.fixed_size else [d for d in range(1, multiple) if multiple % d == 0]
    for divisor in smaller:
        extended = (side + divisor, side + multiple + divisor)
        if not any(_problem_at(subject, length, length) for length in extended):
            raise Finding(
                f"takes {extended[0]}x{extended[0]}, too: {multiple} is more than it needs, and "
                "images are padded for nothing"
            )
    taken = ", ".join(f"{height}x{width}" for height, width in sizes)
    refused = ", ".join(f"{side + d}x{side + d}" for d in smaller)
    return f"multiple of {multiple}: takes {taken}" + (f"; not {refused}" if refused else "")


def _problem_at(subject: Subject, height: int, width: int) -> str | None:
    """Why an image of a size does not go through; None if it does."""
    image = subject.image(height=height, width=width)
    try:
        _refuse_other_form(image, subject.run(subject.model, image))
    except Exception as error:  # as various as networks are
        return one_line_of(error)
    return None


def tiles(subject: Subject) -> str:
    """The tiles that its card states go through the model, in one pass each."""
    tiling, network = subject.card.network.tiling, subject.card.network
    if tiling.side % network.size_multiple:
        raise Finding(f"tiles of {tiling.side} pixels are no multiple of {network.size_multiple}")
    if not 0 < 2 * tiling.overlap <= tiling.side:
        raise Finding(f"an overlap of {tiling.overlap} is none, or over half of {tiling.side}")
    if tiling.side**2 > network.max_pixels:
        raise Finding(f"a tile has {tiling.side**2} pixels, max_pixels is {network.max_pixels}")
    return f"{tiling.side}x{tiling.side}, {tiling.overlap} of them shared by neighbours"


def keeps_no_state(subject: Subject) -> str:
    """What a model gives for an image does not depend on the images before it."""
    model, side = subject.model, subject.side
    first = subject.restored
    before = {key: value.clone() for key, value in model.state_dict().items()}
    one_size = subject.card.network.fixed_size or subject.card.network.padding == "square"
    other = side if one_size else side + subject.multiple
    subject.run(model, subject.image(seed=2, height=other, width=other))
    again = subject.run(model, subject.image())
    for key, value in model.state_dict().items():
        if not torch.equal(value, before[key]):
            raise Finding(f"{key} changes in a call in eval mode")
    if not torch.equal(again, first):
        raise Finding(f"{difference(first, again)} after another image went through")
    if left := _overwrite_memories(model):
        disturbed = subject.run(model, subject.image())
        if not torch.equal(disturbed, first):
            raise Finding(f"{difference(first, disturbed)} with what a call left in {left[0]}")
    return "the same image gives the same bits before and after another one"


def _overwrite_memories(model: nn.Module) -> list[str]:
    """Puts neurons far above their thresholds; names what a call left in them.

    Without it a network whose neurons stay silent on noise would hide what it remembers.
    """
    left = []
    for name, module in model.named_modules():
        for memory, value in module.named_memories() if isinstance(module, MemoryModule) else ():
            if isinstance(value, torch.Tensor):
                setattr(module, memory, torch.full_like(value, 1e3))
                left.append(f"{name}.{memory}")
    return left


def evaluation_repeats(subject: Subject) -> str:
    """In eval mode no random number decides anything."""
    other = subject.run(subject.model, subject.image(), seed=1)
    if not torch.equal(other, subject.restored):
        raise Finding(
            f"{difference(subject.restored, other)} between two states of the random generator"
        )
    return "the same bits from two states of the random generator"


def weights_round_trip(subject: Subject) -> str:
    """Weights that are saved as training saves them load into an equal model."""
    # Layers that are shared have several names, and safetensors wants every tensor to be its own.
    state = {key: value.clone() for key, value in subject.model.state_dict().items()}
    settings = {"model": subject.card.name, "kwargs": subject.kwargs}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        save_file(state, file, metadata=weight_metadata(settings))
        size = file.stat().st_size
        model, _ = load_model(subject.card.name, file)
    again = subject.run(model, subject.image())
    if not torch.equal(again, subject.restored):
        raise Finding(f"{difference(subject.restored, again)} with the weights loaded from a file")
    return f"{len(state)} tensors, {size / 1e6:.1f} MB: the same bits after loading"
