"""All checks of a model.

A check says in a line what it saw, or raises :class:`Finding` (the contract is broken) or
:class:`DoesNotApply`. Everything is looked at on an untrained network, on the CPU, on small images;
so what is found concerns the network's code and card, never the quality of its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from derainbench.energy.conformance import accountability, behaviour
from derainbench.energy.conformance.subject import DoesNotApply, Subject, one_line_of
from derainbench.foundation.device import prepare

SIZE = 32  # pixels; a network's code does not know how large the image is
OK, FAILS, APART = "ok", "fails", "does not apply"


CHECKS: dict[str, Callable[[Subject], str]] = {
    "builds with defaults": behaviour.builds,
    "spiking as stated": accountability.spikes_as_stated,
    "shape and range": behaviour.shape_and_range,
    "input left as it is": behaviour.leaves_its_input,
    "size multiple": behaviour.size_multiple,
    "tiles": behaviour.tiles,
    "no state between calls": behaviour.keeps_no_state,
    "evaluation repeats": behaviour.evaluation_repeats,
    "weights round-trip": behaviour.weights_round_trip,
    "operators have rules": accountability.operators_have_rules,
    "counting changes nothing": accountability.counting_changes_nothing,
    "counterpart's topology": accountability.counterpart_topology,
}


@dataclass(frozen=True)
class Result:
    """What came of one check.

    Attributes:
        result: ``OK``, ``FAILS`` or ``APART``.
        seen: what was seen, in one line.
    """

    check: str
    result: str
    seen: str


def validate(name: str, kwargs: Mapping[str, Any] | None = None, size: int = SIZE) -> list[Result]:
    """Every check of a model, in the order of :data:`CHECKS`; none stops the others.

    Args:
        name: of the model.
        kwargs: constructor arguments.
        size: image side, pixels; rounded up to what the model takes.

    Raises:
        BenchError: for an unknown model, or a card that is not as described.
    """
    prepare("cpu")
    subject = Subject(name, kwargs or {}, size)
    return [_result(check, function, subject) for check, function in CHECKS.items()]


def _result(check: str, function: Callable[[Subject], str], subject: Subject) -> Result:
    try:
        return Result(check, OK, function(subject))
    except DoesNotApply as reason:
        return Result(check, APART, one_line_of(reason))
    except Exception as error:  # a network may raise anything
        return Result(check, FAILS, one_line_of(error))


def markdown(results: Sequence[Result]) -> str:
    """A table, one row per check."""
    table = pd.DataFrame([vars(result) for result in results])
    table = table.rename(columns={"seen": "what was seen"})
    return table.to_markdown(index=False, disable_numparse=True)
