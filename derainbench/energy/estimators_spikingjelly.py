"""spikingjelly's energy estimators, each read as released, with what distorts its result measured.

What distorts is taken from the numbers of the same run: the estimator's counts, those of
spikingjelly's counters used directly, and ours of the same image.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd
import torch
from spikingjelly.activation_based import op_counter
from spikingjelly.activation_based.neuron import BaseNode
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from derainbench.energy.counting import ANALOG, INTEGER, SILENT
from derainbench.energy.scenarios import Work

aten = torch.ops.aten
COMPUTE, MEMORY, REST = "compute", "memory", "rest"


@dataclass(frozen=True)
class Ours:
    """Our count of the image that an estimator is given.

    Attributes:
        layers: one row per convolution or matrix product; see
            :class:`~derainbench.energy.counting.LayerCount`.
        others: one row per module and other operator; see
            :class:`~derainbench.energy.counting.OtherCount`.
        work: the sum of both.
    """

    layers: pd.DataFrame
    others: pd.DataFrame
    work: Work

    @property
    def macs(self) -> float:
        """MACs on analog input, attention's too."""
        return self.work.analog_macs + self.work.attention_macs


@dataclass(frozen=True)
class Estimate:
    """What an estimator says of one image.

    Attributes:
        energy: its total, picojoule.
        parts: picojoule by "compute", "memory" or "rest" and by the estimator's own name.
        counts: by the estimator's own names.
        macs, acs, sops: those of its counts that have these meanings.
        assumptions: its model and constants.
        notes: what distorts the result, measured.
    """

    energy: float
    parts: Mapping[str, Mapping[str, float]]
    counts: Mapping[str, Any]
    assumptions: str
    macs: float | None = None
    acs: float | None = None
    sops: float | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Estimator:
    """One of spikingjelly's estimators.

    Attributes:
        name: for the rows.
        read: gives the estimate of a model in eval mode, an image [1,3,H,W] and our count of it;
            the last argument is whether to fail on what the estimator does not model, or to leave
            that out.
        scenario: which of ours is nearest.
        folds: whether batch norm is folded first.
        lenient: whether it can be made to leave out what it does not model.
    """

    name: str
    read: Callable[[nn.Module, torch.Tensor, Ours, bool], Estimate]
    scenario: str
    folds: bool = False
    lenient: bool = False


def _said(**constants: Any) -> str:
    return ", ".join(f"{name}={value}" for name, value in constants.items())


def _model_said(info: op_counter.EnergyModelInfo, **constants: Any) -> str:
    process = f"{info.technology_nm} nm; " if info.technology_nm else ""
    return f"{info.model_id}: {process}{info.precision}; {info.scope}; {_said(**constants)}"


def _count(model: nn.Module, image: torch.Tensor, *counters: op_counter.BaseCounter) -> None:
    with torch.no_grad(), op_counter.DispatchCounterMode(list(counters)):
        model(image)


def _binary_notes(ours: Ours) -> list[str]:
    """How much the rule "all elements 0 or 1, or else all are values" decides."""
    notes = []
    analog = ours.layers[ours.layers["input"].isin([ANALOG, INTEGER])]
    if analog["effective"].sum() < analog["macs"].sum():
        share = 1 - analog["effective"].sum() / analog["macs"].sum()
        notes.append(
            f"{share:.1%} of the MACs multiply a zero, padding included, and cost in full: an "
            "input with a single element other than 0 and 1 counts as values"
        )
    silent = ours.layers.loc[ours.layers["input"] == SILENT, "macs"].sum()
    if silent and not ours.work.spiking:
        notes.append(f"{silent:,.0f} MACs on zeros alone count as spikes that never came")
    return notes


def _difference(what: str, value: float, ours: float) -> list[str]:
    if value == ours or not ours:
        return []
    return [f"{value - ours:+,.0f} {what} ({value / ours - 1:+.2%}) against ours"]


def _elsewhere(counter: op_counter.BaseCounter) -> str:
    """Operations of a counter other than products, by operator, the most first."""
    by_operator = {
        func.overloadpacket.__name__: number
        for func, number in counter.get_counts().get("Global", {}).items()
        if number and func is not aten.convolution.default
    }
    ordered = sorted(by_operator.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {number:,}" for name, number in ordered)


def _read_counters(model: nn.Module, image: torch.Tensor, ours: Ours, strict: bool) -> Estimate:
    mac, ac = op_counter.MACCounter(), op_counter.ACCounter()
    synop = op_counter.SynOpCounter()
    _count(model, image, mac, ac, synop)
    macs, acs, sops = (counter.get_total() for counter in (mac, ac, synop))
    cost = op_counter.SimpleEnergyCostConfig()
    parts = {
        "mac": macs * cost.e_mac_pj,
        "ac_on_spikes": sops * cost.e_ac_pj,
        "ac_elsewhere": (acs - sops) * cost.e_ac_pj,
    }
    notes = (
        [f"{acs - sops:,} accumulates are not on spikes: {_elsewhere(ac)}"] if acs > sops else []
    )
    return Estimate(
        energy=sum(parts.values()),
        parts={COMPUTE: parts},
        counts={"mac": macs, "ac": acs, "synop": sops},
        assumptions="MACCounter and ACCounter priced by SimpleEnergyCostConfig: "
        + _said(e_mac_pj=cost.e_mac_pj, e_ac_pj=cost.e_ac_pj),
        macs=macs,
        acs=acs,
        sops=sops,
        notes=[
            *_difference("MACs", macs, ours.macs),
            *_difference("SOPs", sops, ours.work.sops),
            *notes,
            *_binary_notes(ours),
        ],
    )


def _read_simple(model: nn.Module, image: torch.Tensor, ours: Ours, strict: bool) -> Estimate:
    report = op_counter.estimate_simple_energy(model, image)
    counts, cost, parts = report.counts, report.config.cost_config, report.breakdown_pj
    mac, ac = op_counter.MACCounter(), op_counter.ACCounter()
    _count(model, image, mac, ac)
    notes = []
    own = counts["ac"] - ac.get_total()
    if own:
        notes.append(
            f"{own:,} accumulates are its own, made while it measures ({own / counts['ac']:.3%} of "
            f"them, {own * cost.e_ac_pj / report.energy_total_pj:.2g} of the energy)"
        )
    besides = {"accumulates": ac, "MACs": mac}
    notes += [
        f"besides products, {what} of {operators}"
        for what, counter in besides.items()
        if (operators := _elsewhere(counter))
    ]
    weights = counts["weight_read_bytes"] / (ours.work.weights * 4)
    notes.append(
        f"weights are read from memory at every use: {weights:,.0f} times as many bytes as each "
        f"once per layer; memory is {report.energy_memory_pj / report.energy_total_pj:.1%} of "
        "the energy"
    )
    return Estimate(
        energy=report.energy_total_pj,
        parts={
            COMPUTE: {name: parts[name] for name in ("mac_pj", "ac_pj")},
            MEMORY: {
                name: parts[name] for name in ("parameter_memory_pj", "neuron_state_memory_pj")
            },
        },
        counts=counts,
        assumptions=_model_said(report.model_info, **asdict(cost)),
        macs=counts["mac"],
        acs=counts["ac"],
        sops=counts["synop"],
        notes=[
            *_difference("MACs", counts["mac"], ours.macs),
            *_difference("SOPs", counts["synop"], ours.work.sops),
            *notes,
            *_binary_notes(ours),
            *report.warnings,
        ],
    )


def _omitted(warning: str) -> str:
    """The type of module that a warning of Lemaire's estimator is about."""
    found = re.search(r"do not support (\w+)", warning)
    return found[1] if found else warning


def _read_lemaire(model: nn.Module, image: torch.Tensor, ours: Ours, strict: bool) -> Estimate:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # they are in the report
        report = op_counter.estimate_lemaire_energy(
            model, image, config=op_counter.LemaireEnergyConfig(strict=strict)
        )
    counts, parts = report.counts, report.breakdown_pj
    cost = report.config.cost_config
    notes = [
        *_difference("MACs", counts["mac"], ours.macs),
        *_difference("SOPs", counts["synop"], ours.work.sops),
        f"memory is {parts['memory_pj'] / report.total_pj:.1%} of the energy",
        *_binary_notes(ours),
    ]
    if report.warnings:
        notes.append(f"left out: {', '.join(map(_omitted, report.warnings))}")
    largest = max(report.buffer_sizes_bytes.values())
    end = cost.memory_breakpoints[-1][0]
    if largest > end:
        notes.append(
            f"a buffer of {largest:,} bytes costs as one of {end:,.0f}, where its costs end"
        )
    return Estimate(
        energy=report.total_pj,
        parts={
            COMPUTE: {"ops_pj": parts["ops_pj"]},
            MEMORY: {name: parts[name] for name in ("inout_pj", "params_pj", "potential_pj")},
            REST: {"addressing_pj": parts["addressing_pj"]},
        },
        counts=counts,
        assumptions=_model_said(
            report.model_info,
            **asdict(cost),
            snn_fifo_capacity_elements=report.config.snn_fifo_capacity_elements,
        ),
        macs=counts["mac"],
        acs=counts["ac"],
        sops=counts["synop"],
        notes=notes,
    )


def _read_spikesim(mode: str) -> Callable[..., Estimate]:
    def read(model: nn.Module, image: torch.Tensor, ours: Ours, strict: bool) -> Estimate:
        config = op_counter.SpikeSimEnergyConfig(activity_mode=mode)
        report = op_counter.estimate_spikesim_energy(model, image, config=config, strict=strict)
        stages = report.event_stats_by_stage.values()
        active = sum(s["active_patch_tile_count"] for s in stages)
        dense = sum(s["dense_patch_tile_count"] for s in stages)
        notes = [f"{active / dense:.1%} of the crossbar patches are active"]
        if ours.work.spike_reach:
            notes[0] += f", at a firing rate of {ours.work.rate:.1%}"
        root = type(model).__name__
        known = {scope.removeprefix(f"{root}.") for scope in report.stage_metadata}
        without = ours.layers[~ours.layers["layer"].isin(known)]
        if len(without):
            share = without["macs"].sum() / ours.layers["macs"].sum()
            notes.append(
                f"{without['layer'].nunique()} layers are left out, {share:.2g} of all dense MACs"
            )
        others = [warning for warning in report.warnings if "only covers Conv2d" not in warning]
        spatial = ("pe_cycle_pj", "patch_control_pj")
        parts = report.breakdown_pj
        return Estimate(
            energy=report.energy_total_pj,
            parts={
                COMPUTE: {name: value for name, value in parts.items() if name not in spatial},
                REST: {name: value for name, value in parts.items() if name in spatial},
            },
            counts=report.counts,
            assumptions=_model_said(report.model_info, **asdict(config)),
            notes=[*notes, *others],
        )

    return read


# The operators that cost energy in NeuroMC's forward pass.
_NEUROMC_PRODUCTS = {
    aten.convolution.default,
    aten.addmm.default,
    aten.mm.default,
    aten.bmm.default,
}
_NEUROMC_NORMS = {aten.native_batch_norm.default}


class _LeavingOut(TorchDispatchMode):
    """Suspends a NeuroMC profiler for every operator that it does not price."""

    def __init__(self, profiler: op_counter.NeuroMCEnergyProfiler) -> None:
        super().__init__()
        self.profiler = profiler

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in _NEUROMC_PRODUCTS | _NEUROMC_NORMS and args[0].dim() <= 4:
            return func(*args, **(kwargs or {}))
        with self.profiler.suspend():
            return func(*args, **(kwargs or {}))


def _neuromc_lenient(
    model: nn.Module, image: torch.Tensor
) -> op_counter.NeuroMCRuntimeEnergyReport:
    # Bound to what it takes alone: it refuses a model that has any three-dimensional convolution.
    taken = (nn.Conv1d, nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d, BaseNode)
    profiler = op_counter.NeuroMCEnergyProfiler()
    profiler.bind_model(nn.ModuleList(m for m in model.modules() if isinstance(m, taken)))
    with torch.no_grad(), profiler, profiler.stage("forward"), _LeavingOut(profiler):
        model(image)
    return profiler.get_report()


def _neuromc_left_out(ours: Ours) -> list[str]:
    """What we count and NeuroMC does not price: products of more than four axes, operators."""
    deep = ours.layers[ours.layers["input_shape"].str.count("x") > 3]
    priced = {func.overloadpacket.__name__ for func in _NEUROMC_NORMS} | {"membrane update"}
    operators = ours.others[~ours.others["operator"].isin(priced)]
    operators = operators[operators[["adds", "multiplies", "specials"]].sum(axis=1) > 0]
    names = sorted(set(operators["operator"]))
    found = [f"operators left out: {', '.join(names)}"] if names else []
    if len(deep):
        share = deep["macs"].sum() / ours.layers["macs"].sum()
        found.append(
            f"{deep['layer'].nunique()} three-dimensional convolutions left out, {share:.2g} of "
            "all dense MACs"
        )
    return found


def _read_neuromc(model: nn.Module, image: torch.Tensor, ours: Ours, strict: bool) -> Estimate:
    if strict:
        with torch.no_grad():
            report = op_counter.estimate_neuromc_runtime_energy(model, image)
    else:
        report = _neuromc_lenient(model, image)
    by_core = report.counts_by_core_type
    on_spikes = by_core.get("fp_soma", {}).get("mac", 0)
    macs = by_core.get("ann_fe", {}).get("mac", 0)
    notes = _difference("MACs", macs, ours.macs)
    if on_spikes:
        notes.append(
            f"{on_spikes:,} accumulates on spikes are counted as if every neuron fired; "
            f"{ours.work.sops:,.0f} happened, {ours.work.sops / on_spikes:.1%}"
        )
    if not strict:
        notes += _neuromc_left_out(ours)
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
        assumptions=_model_said(report.model_info, preset=memory.preset_name, **flags)
        + f"; pJ per bit read: {_said(**sram)}",
        macs=macs,
        sops=on_spikes,
        notes=[*notes, *_binary_notes(ours), *report.warnings],
    )


ESTIMATORS = (
    Estimator("MAC and AC counters", _read_counters, "b", folds=True),
    Estimator("simple", _read_simple, "d"),
    Estimator("lemaire", _read_lemaire, "d", folds=True, lenient=True),
    Estimator("spikesim dense", _read_spikesim("dense"), "d", lenient=True),
    Estimator("spikesim event", _read_spikesim("event"), "d", lenient=True),
    Estimator("neuromc", _read_neuromc, "d", lenient=True),
)
