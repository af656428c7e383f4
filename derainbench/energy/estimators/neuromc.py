"""spikingjelly's NeuroMC estimator, also of networks that it refuses as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from spikingjelly.activation_based import op_counter
from spikingjelly.activation_based.neuron import BaseNode
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from derainbench.energy.estimators.estimate import (
    COMPUTE,
    MEMORY,
    BenchmarkCount,
    Estimate,
    binary_notes,
    constants_text,
    count_difference,
    model_text,
)

aten = torch.ops.aten
# The operators that cost energy in NeuroMC's forward pass.
PRODUCTS = {
    aten.convolution.default,
    aten.addmm.default,
    aten.mm.default,
    aten.bmm.default,
}
NORMS = {aten.native_batch_norm.default}


class _LeavingOut(TorchDispatchMode):
    """Suspends a NeuroMC profiler for every operator that it does not price."""

    def __init__(self, profiler: op_counter.NeuroMCEnergyProfiler) -> None:
        super().__init__()
        self.profiler = profiler

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in PRODUCTS | NORMS and args[0].dim() <= 4:
            return func(*args, **(kwargs or {}))
        with self.profiler.suspend():
            return func(*args, **(kwargs or {}))


def _lenient(model: nn.Module, image: torch.Tensor) -> op_counter.NeuroMCRuntimeEnergyReport:
    # Bound to what it takes alone: it refuses a model that has any three-dimensional convolution.
    taken = (nn.Conv1d, nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d, BaseNode)
    profiler = op_counter.NeuroMCEnergyProfiler()
    profiler.bind_model(nn.ModuleList(m for m in model.modules() if isinstance(m, taken)))
    with torch.no_grad(), profiler, profiler.stage("forward"), _LeavingOut(profiler):
        model(image)
    return profiler.get_report()


def _left_out(benchmark: BenchmarkCount) -> list[str]:
    """What we count and NeuroMC does not price: products of more than four axes, operators."""
    deep = benchmark.layers[benchmark.layers["input_shape"].str.count("x") > 3]
    priced = {func.overloadpacket.__name__ for func in NORMS} | {"membrane update"}
    operators = benchmark.others[~benchmark.others["operator"].isin(priced)]
    operators = operators[operators[["adds", "multiplies", "specials"]].sum(axis=1) > 0]
    names = sorted(set(operators["operator"]))
    notes = [f"operators left out: {', '.join(names)}"] if names else []
    if len(deep):
        share = deep["macs"].sum() / benchmark.layers["macs"].sum()
        notes.append(
            f"{deep['layer'].nunique()} three-dimensional convolutions left out, {share:.2g} of "
            "all dense MACs"
        )
    return notes


def read_neuromc(
    model: nn.Module, image: torch.Tensor, benchmark: BenchmarkCount, strict: bool
) -> Estimate:
    """NeuroMC's estimate of a forward pass.

    Arguments and result: see :class:`~derainbench.energy.estimators.estimate.Estimator`.
    """
    if strict:
        with torch.no_grad():
            report = op_counter.estimate_neuromc_runtime_energy(model, image)
    else:
        report = _lenient(model, image)
    by_core = report.counts_by_core_type
    on_spikes = by_core.get("fp_soma", {}).get("mac", 0)
    macs = by_core.get("ann_fe", {}).get("mac", 0)
    notes = count_difference("MACs", macs, benchmark.macs)
    if on_spikes:
        notes.append(
            f"{on_spikes:,} accumulates on spikes are counted as if every neuron fired; "
            f"{benchmark.work.sops:,.0f} happened, {benchmark.work.sops / on_spikes:.1%}"
        )
    if not strict:
        notes += _left_out(benchmark)
    memory = report.memory_config
    flags = {k: v for k, v in asdict(memory).items() if isinstance(v, bool)}
    sram = {
        name: round(spec.r_cost / spec.r_bw, 4)
        for name, spec in memory.memory_instances.items()
        if name.startswith(("reg_", "sram_fp", "sram_2MB"))
    }
    return Estimate(
        energy=report.energy_total_pj,
        parts={
            COMPUTE: {
                "mac_pj": report.energy_mac_pj,
                "extra_compute_pj": report.energy_extra_compute_pj,
            },
            MEMORY: {
                "base_memory_pj": report.energy_base_memory_pj,
                "extra_memory_pj": report.energy_extra_memory_pj,
            },
        },
        counts=report.primitive_counts["totals"],
        assumptions=model_text(report.model_info, preset=memory.preset_name, **flags)
        + f"; pJ per bit read: {constants_text(**sram)}",
        macs=macs,
        sops=on_spikes,
        notes=[*notes, *binary_notes(benchmark), *report.warnings],
    )
