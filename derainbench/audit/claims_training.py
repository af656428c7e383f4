"""Tests of claims about what trained networks do.

Each takes a case and gives one verdict or several, one per run, seed or data set.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from spikingjelly.activation_based.layer import MultiDimensionalAttention
from spikingjelly.activation_based.neuron import BaseNode

from derainbench import models
from derainbench.audit.case import (
    CONTRADICTED,
    DEVIATES,
    NOT_TESTABLE,
    REPRODUCED,
    Case,
    Missing,
    Verdict,
)
from derainbench.audit.selection import selection
from derainbench.errors import BenchError
from derainbench.report import collect


def direct_training(case: Case) -> Iterator[Verdict]:
    """Whether the gradient of the loss reaches every layer through the spiking neurons."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        trained = [e for e in case.own_runs() if e.spec.train]
        entry = next(iter(trained), None)
        model = models.build(case.book.model, **(entry.spec.kwargs if entry else {})).train()
        image = torch.rand(1, 3, 32, 32)
    neurons = sum(isinstance(m, BaseNode) for m in model.modules())
    (model(image) - image).square().mean().backward()
    # Attention gates with a dead ReLU have no gradient at first, whatever the neurons do.
    gates = [n for n, m in model.named_modules() if isinstance(m, MultiDimensionalAttention)]
    layers = [p for n, p in model.named_parameters() if not n.startswith(tuple(gates))]
    reached = [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in layers]
    yield case.verdict(
        REPRODUCED if all(reached) and neurons else CONTRADICTED,
        f"from random weights, the loss's gradient reaches {sum(reached)} of {len(reached)} "
        f"parameter tensors (attention gates apart) through the surrogates of {neurons} spiking "
        "layers; training here involves no ANN",
        measured=sum(reached) / len(reached),
        evidence=tuple(f"runs/{e.run}/{e.variant}/history.csv" for e in trained[:1]),
    )


def rain_spikes(case: Case) -> Iterator[Verdict]:
    """Spikes per neuron and step at rain against the same places of the clean image."""
    own = {(run, variant): d for run, variant, d in case.config.spiking()}
    found = False
    for entry in collect.entries(case.config):
        if (entry.run, entry.variant) not in own:
            continue
        file = Path("spikes") / entry.run / entry.variant / "spikes.json"
        if not (case.results / file).is_file():
            continue
        found = True
        content = collect.read_json(case.results / file)
        comparison = content["comparisons"]["counterpart"]
        whole, depths = comparison["by_neuron"], comparison["depths"]
        verdict = {
            "higher": DEVIATES if depths["lower"] else REPRODUCED,
            "lower": CONTRADICTED,
        }.get(whole["verdict"], NOT_TESTABLE)
        verdict, reason = case.scaled(
            entry.spec,
            verdict,
            f"rain places fire {whole['rate']:.4f} against {whole['rate_other']:.4f} spikes per "
            f"neuron and step at the same places of the clean image ({whole['verdict']}); by depth: "
            f"higher at {depths['higher']} of {depths['number']}, lower at {depths['lower']}, "
            f"undecided at {depths['undecided']}",
        )
        yield case.verdict(
            verdict,
            reason,
            reading=f"{entry.title}, {entry.variant}, on {own[entry.run, entry.variant]}",
            measured=whole["difference"],
            low=whole["low"],
            high=whole["high"],
            evidence=(str(file), str(file.with_name("depth.csv"))),
        )
    if not found:
        raise Missing("no spikes.json of the network")


def selection_leak(case: Case) -> Iterator[Verdict]:
    """What choosing the epoch on the test split would gain here, in dB."""
    try:
        table = selection(case.config)
    except BenchError as error:
        raise Missing(str(error).partition(";")[0]) from error
    if table.empty:
        raise Missing("no run recorded its scores on the test split during training")
    for row in table.itertuples():
        yield case.verdict(
            NOT_TESTABLE,
            f"the authors' first commit is not run here; in this run, choosing the epoch on the test "
            f"split would gain {row.leak_psnr:+.3f} dB there (RGB PSNR of central crops, "
            f"{row.epochs} epochs to choose from)",
            reading=f"{row.title}, {row.variant}",
            measured=row.leak_psnr,
            evidence=(f"runs/{row.run}/{row.variant}/history.csv",),
        )
