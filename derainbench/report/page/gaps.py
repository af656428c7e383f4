"""What of a configuration's results is there, and notes on what is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from derainbench.config.schema import Config
from derainbench.results.layout import layout_of
from derainbench.results.runs import RunVariant

# Which verb makes the files below each folder of the results.
MADE_BY = {
    "audit": "audit",
    "crosscheck": "crosscheck",
    "data": "data verify` and `derainbench data card",
    "energy": "energy",
    "leaks": "data leaks",
    "gradients": "gradients",
    "papers": "paper",
    "rated": "no-reference",
    "runs": "train",
    "scenarios": "scenarios",
    "scores": "evaluate",
    "spikes": "spikes",
    "structure": "structure",
}


def missing(config: Config, files: Iterable[Path]) -> list[str]:
    """One note per kind of file: the first, how many more, and what makes them."""
    kinds: dict[str, list[str]] = {}
    for file in files:
        name = Path(file).relative_to(config.results).as_posix()
        kinds.setdefault(name.partition("/")[0], []).append(name)
    notes = []
    for kind, names in kinds.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        maker = f"; made by `derainbench {MADE_BY[kind]}`" if kind in MADE_BY else ""
        notes.append(f"missing: {names[0]}{more}{maker}")
    return notes


def note(config: Config, error: Exception) -> str:
    """What to show instead of a section that an error prevented, in one line."""
    file, _, problem = str(error).partition(": ")
    if not (problem.startswith("missing") and Path(file).is_relative_to(config.results)):
        return str(error)
    [line] = missing(config, [Path(file)])
    maker = problem.partition("; ")[2]  # who makes a figure only the error can say
    return f"{line}; {maker}" if maker.startswith("made by") else line


def scored(config: Config) -> tuple[Config, list[Path]]:
    """A configuration without what was not scored or rated, and the files that are missing."""
    return _having(config, lambda entry: {d: score_file(config, entry, d) for d in entry.spec.test})


def counted(config: Config) -> tuple[Config, list[Path]]:
    """A configuration of the runs whose operations were counted; the missing files.

    Of images of others no operation can be counted, so nothing of them is missing.
    """

    def accounts(entry: RunVariant) -> dict[str, Path]:
        file = layout_of(config).account_summary(entry.run, entry.variant)
        return dict.fromkeys(entry.spec.test, file)

    networks = {name: run for name, run in config.runs.items() if run.counted}
    return _having(config.model_copy(update={"runs": networks}), accounts)


def score_file(config: Config, entry: RunVariant, dataset: str) -> Path:
    """Where the scores of an entry on a set lie: no-reference ones if it has no ground truth."""
    layout = layout_of(config)
    if config.paired(dataset):
        return layout.per_image(entry.run, entry.variant, dataset)
    return layout.no_reference(entry.run, entry.variant, dataset)


def _having(
    config: Config, files_of: Callable[[RunVariant], dict[str, Path]]
) -> tuple[Config, list[Path]]:
    """Keeps the test sets that some variant has a file for, and the variants that have them all.

    Ablations stay as they are: no section of the page but the papers' tables shows them.
    """
    absent: list[Path] = []
    runs = {name: run for name, run in config.runs.items() if run.ablation}
    for name, run in config.runs.items():
        if run.ablation:
            continue
        files = {variant: files_of(RunVariant(name, variant, run)) for variant in run.variants()}
        for file in dict.fromkeys(f for by_set in files.values() for f in by_set.values()):
            if not file.is_file():
                absent.append(file)
        test = [d for d in run.test if any(f[d].is_file() for f in files.values())]
        whole = [v for v, f in files.items() if all(f[d].is_file() for d in test)]
        if not test or not whole:
            continue
        kept: dict[str, Any] = {"test": test}
        if run.train:
            seeds = [int(v.removeprefix("seed-")) for v in whole]
            kept["train"] = run.train.model_copy(update={"seeds": seeds})
        runs[name] = run.model_copy(update=kept)
    order = {name: runs[name] for name in config.runs if name in runs}
    return config.model_copy(update={"runs": order}), absent


def limits(config: Config) -> list[str]:
    """What a configuration cannot show, whatever is run."""
    once = [
        run.title or name
        for name, run in config.runs.items()
        if run.train and len(run.train.seeds) == 1 and not run.ablation
    ]
    lines = []
    if once:
        lines.append(f"one seed only, so nothing on the spread over seeds: {_listed(once)}")
    if not config.real_rain():
        lines.append("no photographs of real rain, so no no-reference scores")
    return lines


def _listed(names: Sequence[str], most: int = 4) -> str:
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
