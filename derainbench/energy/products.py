"""Which operators compute products of tensors: those that are counted, and those that must not pass.

An operator that contracts tensors does nearly all of a network's work. One that is neither counted
nor decomposed into operators that are would be missed, so it stops the account.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch.utils.flop_counter import flop_registry

from derainbench.catalog.operators import Rule, operator_rules
from derainbench.energy.records import UNKNOWN
from derainbench.foundation.errors import BenchError

aten = torch.ops.aten

# Matrix products and which argument is the first factor; what stands before it is added.
FIRST_FACTOR = {
    aten.mm.default: 0,
    aten.bmm.default: 0,
    aten.mv.default: 0,
    aten.dot.default: 0,
    aten.vdot.default: 0,
    aten.addmm.default: 1,
    aten.addmv.default: 1,
    aten.addbmm.default: 1,
    aten.baddbmm.default: 1,
    aten._addmm_activation.default: 1,
}
# Kernels of F.scaled_dot_product_attention for [B,heads,L,E]: two products and a softmax.
FUSED_ATTENTION = {
    aten._scaled_dot_product_flash_attention_for_cpu.default,
    aten._scaled_dot_product_flash_attention.default,
    aten._scaled_dot_product_efficient_attention.default,
    aten._scaled_dot_product_cudnn_attention.default,
    aten._scaled_dot_product_fused_attention_overrideable.default,
}
# Names of operators that contract tensors, whoever brings them: addmm_, _scaled_mm, lstm_cell ...
_CONTRACTIONS = re.compile(
    r"mm(_|$)|mv(_|$)|dot(_|$)|conv(?!ert)|matmul|linear|attention|lstm|gru|rnn|einsum|addr|"
    r"trilinear|bilinear|cdist|euclidean|fft|linalg|cholesky|triangular_solve|lu_solve|ormqr"
)
_NOT_CONTRACTIONS = re.compile(r"_?upsample_|grid_sample")  # interpolation


NO_RULE = Rule(UNKNOWN)


@cache
def rule_of(func: Any) -> tuple[str, Rule]:
    """An operator's name in aten, in place or not, and what it costs; else :data:`NO_RULE`."""
    name = func.overloadpacket.__name__
    plain = name.rstrip("_")
    return plain, operator_rules().get(plain, NO_RULE)


@cache
def is_composite(func: Any) -> bool:
    """Whether an operator is nothing but others, and has no rule itself.

    Inference mode shows it in place of them.
    """
    return rule_of(func)[1] is NO_RULE and func._can_decompose()


@cache
def _is_contraction(func: Any) -> bool:
    """Whether an operator is known to compute products, by torch's own list or its name."""
    name = func.overloadpacket.__name__
    if func.overloadpacket in flop_registry:
        return True
    return bool(_CONTRACTIONS.search(name)) and not _NOT_CONTRACTIONS.match(name)


def refuse_products(func: Any, args: Sequence[Any], layer: str, kind: str) -> None:
    """Stops at an operator without a rule that computes products.

    Args:
        func, args: the operator and its arguments.
        layer, kind: path and class of the module that calls it.

    Raises:
        BenchError: if it does.
    """
    if _computes_products(func, args):
        raise BenchError(
            f"operator {func.namespace}::{rule_of(func)[0]} in {layer or 'the model'} ({kind}) "
            "computes products that cannot be counted; write it with operators that can be, such "
            "as matmul or conv2d"
        )


def _computes_products(func: Any, args: Sequence[Any]) -> bool:
    """Whether an operator contracts tensors, as far as can be told.

    Of torch's own operators torch's list and names tell. Of anyone else's nothing is known, so
    every one that takes two tensors of floats or more is taken to do so.
    """
    if torch.Tag.pointwise in func.tags:
        return False
    if _is_contraction(func):
        return True
    floats = [a for a in args if isinstance(a, torch.Tensor) and a.is_floating_point()]
    return func.namespace not in ("aten", "prims", "prim") and len(floats) > 1


def factors(
    func: Any, args: Sequence[Any], out: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The two factors of one of :data:`FIRST_FACTOR` as matrices, and a tensor like their product."""
    x, other = args[FIRST_FACTOR[func]], args[FIRST_FACTOR[func] + 1]
    if x.dim() == 1:  # a scalar product
        return x[None], other[:, None], out.reshape(1, 1)
    if other.dim() == 1:
        other = other[:, None]
    if func is aten.addbmm.default:  # the products of a batch, added up
        out = out.expand(len(x), *out.shape)
    return x, other, out


def attention_shapes(
    query: torch.Tensor, key: torch.Tensor, out: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tensors like the scores [B*heads,L,S] and the result [B*heads,L,E] of fused attention."""
    result = out.flatten(0, -3)
    length, places = query.shape[-2], key.shape[-2]
    return query.new_empty(1).expand(len(result), length, places), result
