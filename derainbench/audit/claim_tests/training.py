"""Tests of claims about what trained networks do.

Each takes a case and gives one verdict or several, one per run and data set.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from derainbench.audit.case import Case, Missing, Verdict
from derainbench.audit.selection import selection
from derainbench.audit.verdict_rule import Sample, on_bound, on_count
from derainbench.catalog.verdicts import Outcome
from derainbench.foundation.errors import BenchError
from derainbench.foundation.frames import records
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_json, read_number
from derainbench.results.runs import RunVariant


def direct_training(case: Case) -> Iterator[Verdict]:
    """Whether the gradient of the loss reaches every layer through the spiking neurons."""
    reach, file = case.gradients()
    trained = [e for e in case.network_runs() if e.spec.train]
    histories = tuple(f"runs/{e.run}/{e.variant}/history.csv" for e in trained[:1])
    yield case.verdict(
        on_count(reach.reached == reach.tensors and reach.neurons > 0),
        f"from random weights, the loss's gradient reaches {reach.reached} of {reach.tensors} "
        f"parameter tensors (attention gates apart) through the surrogates of {reach.neurons} "
        "spiking layers; training here involves no ANN",
        measured=reach.share,
        evidence=(file, *histories),
    )


def rain_spikes(case: Case) -> Iterator[Verdict]:
    """Spikes per neuron and step at rain against the same places of the clean image.

    One verdict per run and test set: over the seeds of a run that was trained here, over images for
    official weights.
    """
    compared_on = {(run, variant): dataset for run, variant, dataset in case.config.spiking()}
    found: dict[tuple[str, str], list[tuple[RunVariant, dict[str, Any], str]]] = {}
    for entry in case.network_runs():
        dataset = compared_on.get((entry.run, entry.variant))
        file = layout_of(case.config).spikes_answer(entry.run, entry.variant)
        if dataset is None or not file.is_file():
            continue
        comparison = read_json(file)["comparisons"]["counterpart"]
        name = str(file.relative_to(case.results))
        found.setdefault((entry.run, dataset), []).append((entry, comparison, name))
    if not found:
        raise Missing("no spikes.json of the network")
    for (_, dataset), of_run in found.items():
        yield _rain_spikes_of_run(case, dataset, of_run)


def _rain_spikes_of_run(
    case: Case, dataset: str, of_run: list[tuple[RunVariant, dict[str, Any], str]]
) -> Verdict:
    entry = of_run[0][0]
    wholes = [comparison["by_neuron"] for _, comparison, _ in of_run]
    depths = [comparison["depths"] for _, comparison, _ in of_run]
    differences = [read_number(whole["difference"]) for whole in wholes]
    if entry.spec.train:
        sample = Sample.over("seed", differences)
    else:
        low, high = (read_number(wholes[0][end]) for end in ("low", "high"))
        sample = Sample.recorded(differences[0], low, high, wholes[0]["images"])
    ruling = on_bound([sample], 0, show="{:+.4f}".format)
    outcome, reason = case.scaled(
        entry.spec,
        _by_depth(ruling.outcome, [d["lower"] for d in depths]),
        f"{ruling.reason}. "
        + "; ".join(
            f"{variant.variant}: rain places fire {read_number(whole['firing_rate']):.4f} against "
            f"{read_number(whole['firing_rate_other']):.4f} spikes per neuron and step at the same "
            f"places of the clean image; by depth: higher at {d['higher']} of {d['number']}, lower at "
            f"{d['lower']}, undecided at {d['undecided']}"
            for (variant, _, _), whole, d in zip(of_run, wholes, depths, strict=True)
        ),
    )
    files = [name for _, _, name in of_run]
    return case.verdict(
        outcome,
        reason,
        reading=f"{entry.title} on {dataset}",
        measured=sample.value,
        low=sample.shown[0],
        high=sample.shown[1],
        more_seeds=ruling.more_seeds,
        scaled_down=not case.speaks_for_paper(entry.spec),
        evidence=tuple(
            name for file in files for name in (file, str(Path(file).with_name("depth.csv")))
        ),
    )


def _by_depth(whole_network: Outcome, lower: list[int]) -> Outcome:
    """The claim is of the network as a whole; a depth that fires less at rain limits it.

    Args:
        whole_network: the word for all layers together.
        lower: of every seed: at how many depths rain fires less.
    """
    if whole_network != Outcome.REPRODUCED or not any(lower):
        return whole_network
    return Outcome.DEVIATES if all(lower) else Outcome.UNDECIDED


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
