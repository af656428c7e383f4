"""spikingjelly's energy estimators, each read as released, with what distorts its result measured.

What distorts is taken from the numbers of the same run: the estimator's counts, those of
spikingjelly's counters used directly, and ours of the same image.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import asdict

import torch
from spikingjelly.activation_based import op_counter
from torch import nn

from derainbench.energy.estimators.estimate import (
    COMPUTE,
    MEMORY,
    REST,
    BenchmarkCount,
    Estimate,
    Estimator,
    binary_notes,
    constants_text,
    count_difference,
    model_text,
)
from derainbench.energy.estimators.neuromc import read_neuromc

aten = torch.ops.aten


def _count(model: nn.Module, image: torch.Tensor, *counters: op_counter.BaseCounter) -> None:
    with torch.no_grad(), op_counter.DispatchCounterMode(list(counters)):
        model(image)


def _elsewhere(counter: op_counter.BaseCounter) -> str:
    """Operations of a counter other than products, by operator, the most first."""
    by_operator = {
        func.overloadpacket.__name__: number
        for func, number in counter.get_counts().get("Global", {}).items()
        if number and func is not aten.convolution.default
    }
    ordered = sorted(by_operator.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {number:,}" for name, number in ordered)


def _read_counters(
    model: nn.Module, image: torch.Tensor, benchmark: BenchmarkCount, strict: bool
) -> Estimate:
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
        + constants_text(e_mac_pj=cost.e_mac_pj, e_ac_pj=cost.e_ac_pj),
        macs=macs,
        acs=acs,
        sops=sops,
        notes=[
            *count_difference("MACs", macs, benchmark.macs),
            *count_difference("SOPs", sops, benchmark.work.sops),
            *notes,
            *binary_notes(benchmark),
        ],
    )


def _read_simple(
    model: nn.Module, image: torch.Tensor, benchmark: BenchmarkCount, strict: bool
) -> Estimate:
    report = op_counter.estimate_simple_energy(model, image)
    counts, cost, parts = report.counts, report.config.cost_config, report.breakdown_pj
    mac, ac = op_counter.MACCounter(), op_counter.ACCounter()
    _count(model, image, mac, ac)
    notes = []
    extra = counts["ac"] - ac.get_total()
    if extra:
        share = extra * cost.e_ac_pj / report.energy_total_pj
        notes.append(
            f"{extra:,} accumulates are its own, made while it measures "
            f"({extra / counts['ac']:.3%} of them, {share:.2g} of the energy)"
        )
    besides = {"accumulates": ac, "MACs": mac}
    notes += [
        f"besides products, {what} of {operators}"
        for what, counter in besides.items()
        if (operators := _elsewhere(counter))
    ]
    weights = counts["weight_read_bytes"] / (benchmark.work.weights * 4)
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
        assumptions=model_text(report.model_info, **asdict(cost)),
        macs=counts["mac"],
        acs=counts["ac"],
        sops=counts["synop"],
        notes=[
            *count_difference("MACs", counts["mac"], benchmark.macs),
            *count_difference("SOPs", counts["synop"], benchmark.work.sops),
            *notes,
            *binary_notes(benchmark),
            *report.warnings,
        ],
    )


def _omitted(warning: str) -> str:
    """The type of module that a warning of Lemaire's estimator is about."""
    match = re.search(r"do not support (\w+)", warning)
    return match[1] if match else warning


def _read_lemaire(
    model: nn.Module, image: torch.Tensor, benchmark: BenchmarkCount, strict: bool
) -> Estimate:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # they are in the report
        report = op_counter.estimate_lemaire_energy(
            model, image, config=op_counter.LemaireEnergyConfig(strict=strict)
        )
    counts, parts = report.counts, report.breakdown_pj
    cost = report.config.cost_config
    notes = [
        *count_difference("MACs", counts["mac"], benchmark.macs),
        *count_difference("SOPs", counts["synop"], benchmark.work.sops),
        f"memory is {parts['memory_pj'] / report.total_pj:.1%} of the energy",
        *binary_notes(benchmark),
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
        assumptions=model_text(
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
    def read(
        model: nn.Module, image: torch.Tensor, benchmark: BenchmarkCount, strict: bool
    ) -> Estimate:
        config = op_counter.SpikeSimEnergyConfig(activity_mode=mode)
        report = op_counter.estimate_spikesim_energy(model, image, config=config, strict=strict)
        stages = report.event_stats_by_stage.values()
        active = sum(s["active_patch_tile_count"] for s in stages)
        dense = sum(s["dense_patch_tile_count"] for s in stages)
        notes = [f"{active / dense:.1%} of the crossbar patches are active"]
        if benchmark.work.spike_reach:
            notes[0] += f", at a firing rate of {benchmark.work.firing_rate:.1%}"
        root = type(model).__name__
        known = {scope.removeprefix(f"{root}.") for scope in report.stage_metadata}
        without = benchmark.layers[~benchmark.layers["layer"].isin(known)]
        if len(without):
            share = without["macs"].sum() / benchmark.layers["macs"].sum()
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
            assumptions=model_text(report.model_info, **asdict(config)),
            notes=[*notes, *others],
        )

    return read


ESTIMATORS = (
    Estimator("MAC and AC counters", _read_counters, "b", folds=True),
    Estimator("simple", _read_simple, "d"),
    Estimator("lemaire", _read_lemaire, "f", folds=True, lenient=True),
    Estimator("spikesim dense", _read_spikesim("dense"), "d", lenient=True),
    Estimator("spikesim event", _read_spikesim("event"), "d", lenient=True),
    Estimator("neuromc", read_neuromc, "d", lenient=True),
)
