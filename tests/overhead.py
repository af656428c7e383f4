"""What counting costs ESDNet, as a process of its own.

python tests/overhead.py time: prints seconds of pairs of forward passes, plain and counted.
python tests/overhead.py plain|counted: prints the process's peak memory after one pass, MB.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable

import torch

from derainbench.energy.forward_pass import count_on_image
from derainbench.models.construction import build

PAIRS = 5


def timed(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


@torch.no_grad()
def main(what: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if what == "time":
        model, image = build("esdnet").train(), torch.rand(1, 3, 64, 64)
        model(image)  # running statistics with which neurons fire
        model.eval()
        calls = (lambda: model(image)), (lambda: count_on_image(model, image))
        for call in calls:
            call()
        print(json.dumps([[timed(call) for call in calls] for _ in range(PAIRS)]))
        return
    model, image = build("esdnet", dim=16).train(), torch.rand(1, 3, 256, 256)
    if what == "counted":
        count_on_image(model, image)
    else:
        model(image)
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes elsewhere
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)


if __name__ == "__main__":
    main(sys.argv[1])
