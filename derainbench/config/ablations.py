"""Whether a run is an ablation of another one: alike in everything but what it says it changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derainbench.catalog import papers
from derainbench.config.runs import Ablation, Run, Training
from derainbench.foundation.suggestions import did_you_mean


def check_ablation(runs: Mapping[str, Run], name: str, ablation: Ablation) -> None:
    """Holds one run against the run that it is an ablation of.

    Args:
        runs: of the configuration, their models known.
        name: of the ablation.
        ablation: what it says of itself.

    Raises:
        ValueError: if there is no such run, more than the change differs, or no ablation table has
            the part.
    """
    run, where = runs[name], f"runs.{name}.ablation.of"
    base = runs.get(ablation.of)
    if base is None or base.ablation or not base.counted:
        others = [n for n, r in runs.items() if not r.ablation and r.counted]
        raise ValueError(
            f"{where}: '{ablation.of}' is no run that can be compared with"
            f"{did_you_mean(ablation.of, others)}"
        )
    same = base.network == run.network
    if not (same and _without_seeds(base.train) == _without_seeds(run.train)):
        raise ValueError(
            f"{where}: {name} and {ablation.of} differ in model, data set or recipe, so "
            "their difference would not be due to the change alone"
        )
    known = papers.ablated_parts(run.network)
    if ablation.part not in known:
        hint = did_you_mean(ablation.part, known) if known else ""
        raise ValueError(
            f"runs.{name}.ablation.part: no ablation table of a paper on {run.network} has the part "
            f"'{ablation.part}'{hint}"
        )


def _without_seeds(train: Training | None) -> dict[str, Any] | None:
    return train.model_dump(exclude={"seeds", "monitor", "processes"}) if train else None
