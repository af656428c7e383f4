"""What counting yields: the records of layers and of other operators, and their vocabulary.

Nothing heavy is imported here: tables and figures read these records from files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# What the elements of an input are.
SPIKES, GRADED, INTEGER, ANALOG, SILENT = "spikes", "graded", "integer", "analog", "silent"
UNMEASURED = "unmeasured"
# What a product is of.
LAYER, ATTENTION = "layer", "attention"
# Categories of all other operations; the rest are named in catalog/operators.yaml.
MEMBRANE, MOVEMENT, UNKNOWN = "membrane", "movement", "unknown"


@dataclass(frozen=True)
class LayerCount:
    """One convolution or matrix product of one forward pass of one image.

    Attributes:
        layer: dotted module path; an operation that runs k times gives k records.
        type: class of that module.
        operation: "convolution" or "matmul".
        role: "layer"; or "attention", for everything inside a spiking network's attention module
            and for products of two activations.
        input_shape, output_shape: tensors of the operation; time steps are folded into the first
            axis by spikingjelly's multi-step layers.
        steps: time steps in the first axis.
        macs: multiply-accumulates as if the input were dense (padding counted, the usual way).
        reach: accumulates if every input element were a spike: ``macs`` less those on padding.
        weights: weight elements; 0 for products of two activations.
        input: "spikes" if every input element is 0 or 1, "graded" if all are on a few levels
            (:mod:`derainbench.energy.levels`), "silent" if all are 0 (which does not tell spikes
            from values), "integer" if all are whole numbers, else "analog"; "unmeasured" for
            counts from the structure.
        constant: whether the input is the same at all time steps, where there are several.
        activation_density: share of input elements that are not 0; for spikes the mean firing rate.
        effective_operations: accumulates caused by non-zero input elements, exact at borders (= conv of the
            non-zero mask with ones); for spikes these are the SOPs.
        step_densities: ``activation_density`` at each time step.
        channel_std: standard deviation over input channels of their rate.
        levels: of graded spikes: how many there are from the lowest to the highest, 0 among them;
            else 0, as are the following.
        level_step: how far they are apart.
        unit_spikes: how many steps the level farthest from 0 is away from it.
        unit_operations: accumulates if every level came as that many unit spikes, exact at borders.
    """

    layer: str
    type: str
    operation: str
    role: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    steps: int
    macs: int
    reach: int
    weights: int
    input: str = UNMEASURED
    constant: bool = False
    activation_density: float = math.nan
    effective_operations: float = math.nan
    step_densities: tuple[float, ...] = ()
    channel_std: float = math.nan
    levels: int = 0
    level_step: float = 0.0
    unit_spikes: int = 0
    unit_operations: float = 0.0


@dataclass
class OtherCount:
    """All calls of one other operator in one module.

    Attributes:
        layer, type: the module's path and class.
        operator: its name in aten, or "membrane update".
        category: see ``catalog/operators.yaml``; "unknown" for operators without a rule.
        calls: how often it ran.
        elements: elements that its cost is proportional to (outputs, or inputs of reductions).
        adds, multiplies, specials: elementary operations; comparisons count as additions,
            specials are exponentials, divisions, roots and the like.
    """

    layer: str
    type: str
    operator: str
    category: str
    calls: int = 0
    elements: int = 0
    adds: float = 0
    multiplies: float = 0
    specials: float = 0


TABLE_SIZE = 256  # complexity is stated for one 256x256 image, as the literature does
