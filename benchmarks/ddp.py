"""How much two processes differ from one that trains with the same batch: figures for docs/endurance.md.

python benchmarks/ddp.py          measures, writes results/reference/endurance/ddp.json
python benchmarks/ddp.py --doc    only writes the document's section from it

Trains two small networks on generated rain, on the CPU: in one process; in one process with the crops of
every batch in the opposite order, which is the same but for rounding; in two processes; and in two
processes whose batch norms see their own part of the batch alone.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from safetensors.torch import load_file

from derainbench.catalog.recipes import load_recipe
from derainbench.data.generation.synthesise import SynthesisPlan, synthesise
from derainbench.foundation import provenance
from derainbench.foundation.files import sha256, write_json, write_text
from derainbench.training import loop
from derainbench.training.parallel import sharing
from derainbench.training.parallel.group import Group, joined

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "results" / "reference" / "endurance" / "ddp.json"
DOC = ROOT / "docs" / "endurance.md"
_BLOCK = re.compile(r"(<!-- by benchmarks/ddp.py.*?-->\n).*?(<!-- end of ddp -->)", re.DOTALL)
INPUTS = (
    "benchmarks/ddp.py",
    *(f"derainbench/training/parallel/{n}.py" for n in ("group", "norms", "sharing")),
)
PROCESSES, SEED = 2, 1
BLOCKS = {"dim": 16, "en_num_blocks": [1, 1, 1], "de_num_blocks": [1, 1, 1]}
NETWORKS = {"esdnet": BLOCKS | {"T": 2}, "esdnet-ann": BLOCKS}
NORMS = {"esdnet": "threshold-dependent batch norm", "esdnet-ann": "batch norm"}
RECIPE = {
    **{"epochs": 6, "warmup_epochs": 1, "batch_size": 8, "crop": 16, "crops_per_image": 1},
    **{"val_crop": 32, "validate_every": 1, "zero_first_epoch": True},
}
DATA = SynthesisPlan("heavy", 64, train=24, val=4, test=1, seed=2024)
ONE, ORDER, TWO, APART = "one process", "another order", "two processes", "norms apart"
T = TypeVar("T")


class OtherOrder(Group):
    """One process that takes the crops of every batch in the opposite order."""

    def part_of(self, batch: Sequence[T]) -> Sequence[T]:
        return batch[::-1]


def train(network: str, group: Group, folder: Path, name: str) -> None:
    """Trains a network in a folder of its own."""
    loop.train(
        model_name=network,
        model_kwargs=NETWORKS[network],
        data=folder / "data",
        recipe=load_recipe("esdnet", RECIPE),
        seed=SEED,
        out=folder / name / network,
        checkpoint_folder=str(folder / name / "checkpoints"),
        group=group,
    )


def in_each_process(folder: Path) -> None:
    """What torchrun starts."""
    with joined("cpu") as group:
        for network in NETWORKS:
            train(network, group, folder, TWO)
        sharing.synchronise_norms = lambda model: None
        for network in NETWORKS:
            train(network, group, folder, APART)


def differences(one: Path, other: Path) -> dict[str, float]:
    """Of two trainings: the largest of any epoch, of losses relative to the first's.

    The first epoch trains at rate 0, as in the authors' code: there networks do not differ, so that
    losses differ by what a forward pass computes alone. Statistics are the running means and variances
    of the written weights, relative to the largest of their layer.
    """
    histories = [pd.read_csv(out / "history.csv") for out in (one, other)]
    losses, scores = (
        [rows[column] for rows in histories] for column in ("loss", "selection_psnr_rgb")
    )
    apart = (losses[0] - losses[1]).abs() / losses[0]
    first, second = (load_file(out / "model.safetensors") for out in (one, other))
    return {
        "first_loss": float(apart[0]),
        "loss": float(apart.max()),
        "psnr_db": float((scores[0] - scores[1]).abs().max()),
        "statistics": max(
            float((first[key] - second[key]).abs().max() / first[key].abs().max())
            for key in first
            if "running" in key
        ),
    }


def seconds_per_step(out: Path) -> dict[str, float]:
    """Wall clock, and of the processor that one process had."""
    record = json.loads((out / "model.safetensors.provenance.json").read_text("utf-8"))
    return {
        name: record["measured"]["steps"][0][name]
        for name in ("seconds_per_step", "cpu_seconds_per_step")
    }


def measured(folder: Path) -> dict[str, Any]:
    """Trains everything and compares it."""
    synthesise(DATA, folder / "data")
    for name, group in ((ONE, Group(device="cpu")), (ORDER, OtherOrder(device="cpu"))):
        for network in NETWORKS:
            train(network, group, folder, name)
    engine = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    subprocess.run(
        [*engine, "--nproc-per-node", str(PROCESSES), __file__, "--folder", folder], check=True
    )
    return {
        network: {
            "norm": NORMS[network],
            "differences": {
                name: differences(folder / ONE / network, folder / name / network)
                for name in (ORDER, TWO, APART)
            },
            "time": {name: seconds_per_step(folder / name / network) for name in (ONE, TWO)},
        }
        for network in NETWORKS
    }


def described(file: Path) -> str:
    """The figures as a table in Markdown."""
    facts = json.loads(file.read_text("utf-8"))
    rows = [
        f"| `{network}`, {found['norm']} | {name} | {d['first_loss']:.1e} | {d['loss']:.1e} | {d['psnr_db']:.1e} | {d['statistics']:.1e} |"
        for network, found in facts["networks"].items()
        for name, d in found["differences"].items()
    ]
    times = []
    for network, found in facts["networks"].items():
        one, two = (found["time"][name]["cpu_seconds_per_step"] for name in (ONE, TWO))
        times.append(f"{two / one:.2f} for `{network}`")
    text = (
        f"Largest difference from one process in {facts['epochs']} epochs of {facts['steps']} steps, batch "
        f'{facts["batch_size"]}, {facts["machine"]}. "Another order" is one process with the crops of every '
        'batch reversed: what rounding alone does. "Norms apart" are two processes that do not synchronise. '
        "Loss and running statistics relative, PSNR in dB. The first epoch trains at rate 0 and shows what the "
        "sums of one forward pass differ by; training amplifies it."
    )
    share = (
        f"Each of the two processes takes the processor for {' and '.join(times)} times as long per step as "
        "one process that does it all (0.5 would be free of cost; these networks are tiny)."
    )
    head = [
        "| network | compared | loss, first epoch | loss | PSNR | statistics |",
        "|---|---|---:|---:|---:|---:|",
    ]
    return "\n".join(["", text, "", *head, *rows, "", share, ""])


def write_doc() -> None:
    """Puts the committed figures into docs/endurance.md."""
    block = described(OUT)
    text = DOC.read_text("utf-8")
    write_text(DOC, _BLOCK.sub(lambda match: f"{match[1]}{block}{match[2]}", text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--doc", action="store_true", help="only write docs/endurance.md")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.folder:
        in_each_process(asked.folder)
        return
    if not asked.doc:
        with tempfile.TemporaryDirectory() as name:
            networks = measured(Path(name))
        cores = provenance.record()["machine"]["cores"]
        content = {
            "processes": PROCESSES,
            "epochs": RECIPE["epochs"],
            "steps": DATA.train // RECIPE["batch_size"],
            "batch_size": RECIPE["batch_size"],
            "machine": f"a CPU of {cores} cores, a thread for each process",
            "networks": networks,
        }
        write_json(OUT, content)
        inputs = {name: sha256(ROOT / name) for name in INPUTS}
        settings = {"recipe": RECIPE, "networks": NETWORKS}
        provenance.write_record(OUT, settings=settings, inputs=inputs, device="cpu", seed=SEED)
    write_doc()


if __name__ == "__main__":
    main()
