"""A configuration without trainings that failed, each named with the reason."""

from __future__ import annotations

from collections.abc import Mapping

from derainbench.config.runs import Run


def runs_without(runs: Mapping[str, Run], without: Mapping[str, str]) -> dict[str, Run]:
    """The runs without the seeds that are left out, and without those that no seed is left of.

    What an ablation is compared with is left out with all its ablations: they say nothing alone.

    Args:
        runs: by name.
        without: reasons by ``RUN/seed-SEED``; those of other runs change nothing.

    Raises:
        ValueError: if no run is left.
    """
    left: dict[str, Run] = {}
    for name, run in runs.items():
        if run.train:
            seeds = [s for s in run.train.seeds if f"{name}/seed-{s}" not in without]
            if not seeds:
                continue
            if seeds != run.train.seeds:
                run = run.model_copy(
                    update={"train": run.train.model_copy(update={"seeds": seeds})}
                )
        left[name] = run
    left = {
        n: r for n, r in left.items() if not r.ablation or _base(r) in left or _base(r) not in runs
    }
    if not left:
        raise ValueError(f"no run is left: {'; '.join(without.values())}")
    return left


def _base(run: Run) -> str | None:
    return run.ablation.of if run.ablation else None
