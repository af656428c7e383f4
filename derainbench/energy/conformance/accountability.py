"""Checks of what the energy account needs to know of a model."""

from __future__ import annotations

import torch

from derainbench.catalog.operators import operator_rules
from derainbench.energy.conformance.subject import DoesNotApply, Finding, Subject, difference
from derainbench.energy.conformance.topology import absent, differences, topology
from derainbench.energy.counter import OperationCounter
from derainbench.energy.networks import is_spiking, parameter_count
from derainbench.energy.probing import probed_layers
from derainbench.energy.readings import graded_layers, undetermined
from derainbench.energy.records import UNKNOWN, LayerCount
from derainbench.energy.spikes.firing_rates import firing_rates
from derainbench.models.construction import build, constructor_arguments


def spikes_as_stated(subject: Subject) -> str:
    """Spiking is what has spiking neurons, which energy accounts look for, and T time steps."""
    spiking = is_spiking(subject.model)
    if spiking != subject.card.spiking:
        raise Finding(
            "the card says spiking, but no module is one of spikingjelly's neurons"
            if subject.card.spiking
            else "has spiking neurons, which the card does not say"
        )
    if not spiking:
        return "no spiking neurons, as the card says"
    steps = getattr(subject.model, "T", None)
    if not isinstance(steps, int) or steps < 1:
        raise Finding(f"its number of time steps, the attribute T, is {steps!r}")
    with torch.random.fork_rng(devices=[]):
        rates = firing_rates(subject.model, subject.image())
    silent = sum(rate == 0 for rate in rates.values())
    probed = probed_layers(lambda: build(subject.card.name, **subject.kwargs), subject.side)
    said = (
        f"as the card says; time steps: {steps}, layers of neurons: {len(rates)}, of them silent "
        f"on noise: {silent}"
    )
    if graded := list(graded_layers(probed, spiking=True)):
        said += f"; layers on graded spikes: {', '.join(graded)}"
    if unknown := undetermined(probed, spiking=True):
        said += f"; layers whose input is zero in every probing: {', '.join(unknown)}"
    return said


def operators_have_rules(subject: Subject) -> str:
    """Every operator has a rule in ``catalog/operators.yaml``, which energy accounts need."""
    layers, others = subject.structure
    lacking = {
        o.operator: o.layer for o in others if o.operator.replace(" ", "_") not in operator_rules()
    }
    if lacking:
        named = ", ".join(f"{name} in {layer or 'the model'}" for name, layer in lacking.items())
        raise Finding(f"no rule in catalog/operators.yaml for {named}")
    operators = {other.operator for other in others}
    left_out = sorted({other.operator for other in others if other.category == UNKNOWN})
    return f"{len(layers)} convolutions and matrix products, {len(operators)} other operators" + (
        f"; left out, as their rule says: {', '.join(left_out)}" if left_out else ""
    )


def counting_changes_nothing(subject: Subject) -> str:
    """Counting reads tensors only, and shapes alone give the counts that tensors give."""
    with OperationCounter(subject.model) as counter:
        counted = subject.run(subject.model, subject.image())
    if not torch.equal(counted, subject.restored):
        raise Finding(f"{difference(subject.restored, counted)} while it is counted")
    from_shapes = [_dense(count) for count in subject.structure[0]]
    from_tensors = [_dense(count) for count in counter.counts]
    if from_shapes != from_tensors:
        pairs = zip([*from_shapes, None], [*from_tensors, None], strict=False)
        shapes, tensors = next(pair for pair in pairs if pair[0] != pair[1])
        raise Finding(f"counted from shapes {shapes}, from tensors {tensors}")
    return f"the same bits; {sum(c.macs for c in counter.counts):,} MACs from shapes and tensors"


def _dense(count: LayerCount) -> tuple[object, ...]:
    return count.layer, count.operation, count.role, count.output_shape, count.macs


def counterpart_topology(subject: Subject) -> str:
    """An ANN counterpart has the layers of its spiking network, time steps folded out."""
    name = subject.card.counterpart_of
    if name is None:
        raise DoesNotApply("the card names no spiking network that this one is the counterpart of")
    known = constructor_arguments(name, {})
    shared = {key: value for key, value in subject.kwargs.items() if key in known}
    with torch.device("meta"):
        models = build(name, **shared), build(subject.card.name, **subject.kwargs)
    if not is_spiking(models[0]) or is_spiking(models[1]):
        raise Finding(f"must have no spiking neurons, and {name} some")
    sizes = [parameter_count(model) for model in models]
    spiking, counterpart = (topology(model, subject.side) for model in models)
    if found := differences(spiking, counterpart):
        raise Finding(f"{found[0]}" + (f" (and {len(found) - 1} more)" if found[1:] else ""))
    seen = (
        f"{len(counterpart.layers)} layers, those of {name}; {counterpart.steps} step for "
        f"{spiking.steps}; {sizes[1]:,} of {sizes[0]:,} parameters"
    )
    missing = absent(spiking, counterpart)
    return seen + (f"; without {len(missing)} products of attention" if missing else "")
