"""Tables, figures, verdicts and page from kept scores and counts, without images and training.

The same functions that the rules of the workflow call, in their order, in one process. What shows
images of data sets cannot be made again without them and is taken over; everything else is computed
anew and held to what was kept, cell by cell.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from derainbench.archive.contents import PICTURES, archived_files, matches, read_config, record_of
from derainbench.archive.packing import unpack
from derainbench.audit import drift, verdicts
from derainbench.catalog import tolerances
from derainbench.catalog.papers import read_paper
from derainbench.config.schema import Config
from derainbench.energy import comparison as energy_comparison
from derainbench.foundation import provenance, reads
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import RECORD_SUFFIX, write_text
from derainbench.foundation.outputs import staged_folder, write_folder_record
from derainbench.foundation.progress import Reporter
from derainbench.report.figures import (
    energy_figures,
    score_figures,
    spike_figures,
    training_figures,
    verdict_figures,
)
from derainbench.report.page import writing as page
from derainbench.report.paper import artefacts
from derainbench.report.tables import writing as tables
from derainbench.results.layout import Layout, layout_of

# What a replay computes anew; all else is given.
DERIVED: tuple[str, ...] = ("audit/*", "tables/*", "figures/*", "papers/*", "report/*")
DERIVED += (
    "scenarios/energy*.csv*",
    "scenarios/savings*.csv*",
    "scenarios/memory.csv*",
    "drift.md",
    "logs/*",
    "replay.provenance.json",
)


@dataclass(frozen=True)
class Kept:
    """Results that are replayed.

    Attributes:
        config: their configuration.
        folder: where they are kept.
        layout: where they are laid out again.
    """

    config: Config
    folder: Path
    layout: Layout

    @property
    def unrated(self) -> bool:
        """Whether the no-reference scores of photographs were not kept."""
        return bool(self.config.real_rain()) and not (self.folder / "rated").is_dir()

    @property
    def taken_over(self) -> list[str]:
        """Patterns of derived files that are not computed again: see the module."""
        patterns = [f"figures/{spike_figures.MEMBRANE}-*"]
        return patterns + (["tables/realrain.*"] if self.unrated else [])

    def named_taken_over(self) -> list[str]:
        """What is taken over, by its place below the results and without suffix."""
        names = archived_files(self.folder, self.config)
        found = [n.split(".")[0] for n in names if matches(n, self.taken_over)]
        for paper in map(read_paper, self.config.paper_names):
            for artefact, facts in paper.artefacts.items():
                if facts.kind in self.kinds_taken_over:
                    found.append(f"papers/{paper.name}/{artefact}")
        return list(dict.fromkeys(found))

    @property
    def kinds_taken_over(self) -> frozenset[str]:
        """Kinds of the papers' tables and figures that are not computed again."""
        return PICTURES | {"patch"} | ({"real-rain"} if self.unrated else set())


def _structure(kept: Kept) -> None:
    from derainbench.energy.model_structure import write_structure

    write_structure(kept.layout.structure)


def _tables(kept: Kept) -> None:
    without = ("realrain",) if kept.unrated else ()
    tables.write_tables(kept.config, kept.layout.tables, without)


def _papers(kept: Kept) -> None:
    earlier = artefacts.Earlier(kept.folder / "papers", kept.kinds_taken_over)
    artefacts.write(kept.config, kept.layout.papers, earlier)


# By the verb that the workflow calls, in the order in which it does.
STEPS: dict[str, Callable[[Kept], object]] = {
    "scenarios": lambda kept: energy_comparison.write_comparison(
        kept.config, kept.layout.scenarios
    ),
    "audit": lambda kept: verdicts.write(kept.config, kept.layout.audit),
    "tables": _tables,
    "figures": lambda kept: score_figures.write_figures(kept.config, kept.layout.figures, False),
    "energy-figures": lambda kept: energy_figures.write_figures(kept.config, kept.layout.figures),
    "spike-figures": lambda kept: spike_figures.write_figures(
        kept.config, kept.layout.figures, False
    ),
    "training-figures": lambda kept: training_figures.write_figures(
        kept.config, kept.layout.figures
    ),
    "verdict-figures": lambda kept: verdict_figures.write_figures(kept.config, kept.layout.figures),
    "paper": _papers,
    "report": lambda kept: page.write_page(kept.config, kept.layout.report),
}


def _from_code(kept: Kept) -> dict[str, Callable[[Kept], object]]:
    """What follows from code and catalogue alone: neither images nor weights enter."""
    from derainbench.energy import sensitivity
    from derainbench.energy.crosscheck.comparison import write_crosscheck
    from derainbench.training.gradient_reach import write_gradient_reach

    config, layout = kept.config, kept.layout
    papers = [read_paper(name) for name in config.paper_names]
    networks = list(dict.fromkeys(n for p in papers for n in (p.network, p.counterpart) if n))

    def gradients(_: Kept) -> None:
        for paper in papers:
            arguments = config.trained_arguments(paper.network)
            write_gradient_reach(paper.network, arguments, layout.gradients(paper.name))

    return {
        "structure": _structure,
        "gradients": gradients,
        "crosscheck": lambda _: write_crosscheck(
            layout.crosscheck, list(dict.fromkeys([*networks, *config.crosscheck]))
        ),
        "sensitivity": lambda _: sensitivity.write_sensitivity(
            papers, layout.scenarios / "sensitivity.csv"
        ),
    }


FROM_CODE = ("structure/*", "gradients/*", "crosscheck/*", "scenarios/sensitivity.csv*")


@dataclass(frozen=True)
class Replayed:
    """What came of a replay.

    Attributes:
        comparison: of what was computed with what was kept.
        taken_over: what could not be computed, by its place below the results.
    """

    comparison: drift.Comparison
    taken_over: list[str]

    def note(self) -> str:
        """What was taken over, in a line; nothing if all was computed."""
        return f"Taken over, not computed: {', '.join(self.taken_over)}" if self.taken_over else ""


def replay(source: Path, out: Path, *, from_code: bool = False) -> Replayed:
    """Computes anew what follows from kept results, and holds it to them.

    Args:
        source: an archive, or a folder of results.
        out: folder for the results, whole or not at all; ``drift.md`` says how they compare.
        from_code: also what follows from code and catalogue alone (structure, gradients,
            cross-checks, sensitivity), which takes minutes.

    Raises:
        BenchError: for a source that is neither, or lacks what the results are computed from; or if
            ``out`` holds files of others.
    """
    if not source.exists():
        raise BenchError(f"{source}: no such archive or folder of results")
    with tempfile.TemporaryDirectory() as temporary:
        folder = source if source.is_dir() else _unpacked(source, Path(temporary))
        config = read_config(folder)
        kept = Kept(config, folder.resolve(), layout_of(config))
        names = {Path(name).parts[0] for name in (*archived_files(folder, config), *DERIVED)}
        with staged_folder(out, sorted(names - {"logs"})) as stage:
            return _replayed(kept, stage, from_code)


def _replayed(kept: Kept, stage: Path, from_code: bool) -> Replayed:
    """Fills an empty folder with the results, as if it were the folder of the configuration."""
    work = stage.resolve() / "work"
    results = work / kept.config.results
    _lay_out(kept, results, from_code)
    with contextlib.chdir(work):
        _compute(kept, from_code)
    comparison = drift.compare(kept.folder, results, tolerances.load(None))
    found = Replayed(comparison, kept.named_taken_over())
    for entry in sorted(results.iterdir()):
        entry.replace(stage / entry.name)
    shutil.rmtree(work)
    write_text(stage / "drift.md", f"{drift.markdown(comparison)}\n{found.note()}\n")
    inputs = provenance.digests_of_reads(stage / "drift.md")
    written = [file for file in stage.rglob("*") if file.is_file()]
    settings = {"from_code": from_code}
    write_folder_record(stage, "replay", written, inputs=inputs, settings=settings)
    return found


def _unpacked(archive: Path, into: Path) -> Path:
    unpack(archive, into)
    folders = [file.parent for file in into.glob("results/*/config.json")]
    if len(folders) != 1:
        raise BenchError(f"{archive}: holds no results, as `derainbench archive` writes them")
    return folders[0]


def _lay_out(kept: Kept, results: Path, from_code: bool) -> None:
    """Copies what is given: all that an archive holds, what is computed anew apart."""
    anew = DERIVED + (FROM_CODE if from_code else ())
    if not (kept.folder / "structure" / "layers.csv").is_file():
        anew += ("structure/*",)
    for name in archived_files(kept.folder, kept.config):
        if matches(name, anew) and not _is_taken_over(kept, name):
            continue
        target = results / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(kept.folder / name, target)


def _is_taken_over(kept: Kept, name: str) -> bool:
    """Whether a derived file is; records that name no inputs, as older versions wrote, never are."""
    if not matches(name, kept.taken_over):
        return False
    return not name.endswith(RECORD_SUFFIX) or bool(record_of(kept.folder / name).get("inputs"))


def _compute(kept: Kept, from_code: bool) -> None:
    steps = dict(STEPS)
    if from_code:
        steps = _from_code(kept) | steps
    elif not (kept.layout.structure / "layers.csv").is_file():
        steps = {"structure": _structure} | steps
    with Reporter("replay", len(steps)) as reporter:
        for verb, step in steps.items():
            with reads.as_a_process():
                read_config(kept.layout.root)  # every result follows from it
                step(kept)
            reporter.advance(verb)
