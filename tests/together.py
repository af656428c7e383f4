"""What tests have several processes do together, in one start of them: ``torchrun together.py FILE``.

FILE (JSON) names ``out``, a folder; ``trainings``, the arguments of each by a name; and ``gradients``, the
constructor arguments of networks by their names. Every process writes OUT/RANK.json, what each training
was refused or stopped with; the first one OUT/gradients.pt, with synchronised norms and without.
"""

import json
import os
import signal
import sys
from pathlib import Path

import torch

from derainbench.catalog.recipes import load_recipe
from derainbench.foundation.errors import BenchError
from derainbench.foundation.stop_requests import Stopped
from derainbench.models.construction import build
from derainbench.training import loop, losses
from derainbench.training.parallel.group import Group, joined
from derainbench.training.parallel.sharing import prepare_shared, shared

CROPS, SIDE = 4, 16


def gradients(name: str, kwargs: dict, group: Group, synchronised: bool = True) -> dict:
    """One step in double precision: gradients, and the network's buffers after it."""
    torch.manual_seed(0)
    model = build(name, **kwargs).double().train()
    rainy, clean = torch.rand(2, CROPS, 3, SIDE, SIDE, dtype=torch.float64)
    recipe = load_recipe("esdnet")
    forward = model
    if group.size > 1:
        if synchronised:
            prepare_shared(model, recipe, group)
        forward = shared(model)
    torch.manual_seed(1)  # of what is drawn in the step
    outputs = [forward(torch.stack(list(group.part_of(list(rainy)))))]
    loss = losses.total_loss(outputs, torch.stack(list(group.part_of(list(clean)))), recipe.loss)
    loss.backward()
    found = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return found | {n: b.clone() for n, b in model.named_buffers()}


def train(group: Group, arguments: dict) -> str:
    """Trains; gives what the training was refused or stopped with."""
    stop = arguments.pop("stop_in", None)  # RANK, STEP: that process is told to stop in that step
    recipe = load_recipe("esdnet", arguments.pop("fields"))
    kept, steps = losses.LOSSES["ssim"], []

    def counted(*images: torch.Tensor) -> torch.Tensor:
        steps.append(None)
        if stop == [group.rank, len(steps)]:
            os.kill(os.getpid(), signal.SIGTERM)
        return kept(*images)

    losses.LOSSES["ssim"] = counted
    try:
        loop.train(
            recipe=recipe,
            group=group,
            data=Path(arguments.pop("data")),
            out=Path(arguments.pop("out")),
            **arguments,
        )
    except (BenchError, Stopped) as error:
        return str(error)
    finally:
        losses.LOSSES["ssim"] = kept
    return ""


def main() -> None:
    asked = json.loads(Path(sys.argv[1]).read_text())
    out = Path(asked["out"])
    with joined("cpu") as group:
        said = {name: train(group, arguments) for name, arguments in asked["trainings"].items()}
        (out / f"{group.rank}.json").write_text(json.dumps(said))
        found = {
            name: [gradients(name, kwargs, group, synchronised) for synchronised in (True, False)]
            for name, kwargs in asked["gradients"].items()
        }
        if group.leads:
            torch.save(found, out / "gradients.pt")


if __name__ == "__main__":
    main()
