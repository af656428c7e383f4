"""Tests of claims about what trained networks do.

Each takes a case and gives one verdict or several, one per run, seed or data set.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from derainbench.audit.case import Case, Missing, Verdict
from derainbench.audit.selection import selection
from derainbench.catalog.verdicts import Outcome
from derainbench.foundation.errors import BenchError
from derainbench.foundation.frames import records
from derainbench.results.reading import read_json, read_number


def direct_training(case: Case) -> Iterator[Verdict]:
    """Whether the gradient of the loss reaches every layer through the spiking neurons."""
    reach, file = case.gradients()
    trained = [e for e in case.network_runs() if e.spec.train]
    histories = tuple(f"runs/{e.run}/{e.variant}/history.csv" for e in trained[:1])
    yield case.verdict(
        Outcome.REPRODUCED
        if reach.reached == reach.tensors and reach.neurons
        else Outcome.CONTRADICTED,
        f"from random weights, the loss's gradient reaches {reach.reached} of {reach.tensors} "
        f"parameter tensors (attention gates apart) through the surrogates of {reach.neurons} "
        "spiking layers; training here involves no ANN",
        measured=reach.share,
        evidence=(file, *histories),
    )


def rain_spikes(case: Case) -> Iterator[Verdict]:
    """Spikes per neuron and step at rain against the same places of the clean image."""
    compared_on = {(run, variant): dataset for run, variant, dataset in case.config.spiking()}
    answered = False
    for entry in case.network_runs():
        dataset = compared_on.get((entry.run, entry.variant))
        file = Path("spikes") / entry.run / entry.variant / "spikes.json"
        if dataset is None or not (case.results / file).is_file():
            continue
        answered = True
        comparison = read_json(case.results / file)["comparisons"]["counterpart"]
        whole, depths = comparison["by_neuron"], comparison["depths"]
        rate, other = (read_number(whole[key]) for key in ("firing_rate", "firing_rate_other"))
        outcome, reason = case.scaled(
            entry.spec,
            _rain_spikes_outcome(whole["verdict"], lower_somewhere=bool(depths["lower"])),
            f"rain places fire {rate:.4f} against {other:.4f} spikes per neuron and "
            f"step at the same places of the clean image ({whole['verdict']}); by depth: higher at "
            f"{depths['higher']} of {depths['number']}, lower at {depths['lower']}, undecided at "
            f"{depths['undecided']}",
        )
        yield case.verdict(
            outcome,
            reason,
            reading=f"{entry.title}, {entry.variant}, on {dataset}",
            measured=whole["difference"],
            low=whole["low"],
            high=whole["high"],
            evidence=(str(file), str(file.with_name("depth.csv"))),
        )
    if not answered:
        raise Missing("no spikes.json of the network")


def _rain_spikes_outcome(whole_network: str, *, lower_somewhere: bool) -> Outcome:
    """From "higher", "lower" or "undecided" of the network, and whether a depth is lower."""
    if whole_network == "higher":
        return Outcome.DEVIATES if lower_somewhere else Outcome.REPRODUCED
    return Outcome.CONTRADICTED if whole_network == "lower" else Outcome.UNDECIDED


def selection_leak(case: Case) -> Iterator[Verdict]:
    """What choosing the epoch on the test split would gain the runs here, in dB."""
    try:
        leaks = selection(case.config)
    except BenchError as error:
        raise Missing(str(error).partition(";")[0]) from error
    if leaks.empty:
        raise Missing("no run recorded its scores on the test split during training")
    for leak in records(leaks):
        yield case.verdict(
            Outcome.NOT_TESTABLE,
            f"the authors' first commit is not run here; in this run, choosing the epoch on the test "
            f"split would gain {leak['leak_psnr']:+.3f} dB there (RGB PSNR of central crops, "
            f"{leak['epochs']} epochs to choose from)",
            reading=f"{leak['title']}, {leak['variant']}",
            measured=leak["leak_psnr"],
            evidence=(f"runs/{leak['run']}/{leak['variant']}/history.csv",),
        )
