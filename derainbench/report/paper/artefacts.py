"""The tables and figures of papers: what can be made of a configuration, and why not more."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.catalog.cells.claims import read_judged_paper
from derainbench.config.schema import Config
from derainbench.foundation import provenance, reads
from derainbench.foundation.documents import read_json_file
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import RECORD_SUFFIX, regular_file, write_json, write_text
from derainbench.foundation.frames import as_markdown, markdown_text
from derainbench.foundation.outputs import staged_folder
from derainbench.report.figures.architecture import draw
from derainbench.report.figures.style import KINDS, save, style
from derainbench.report.paper.ablations import ablation
from derainbench.report.paper.cells import titled
from derainbench.report.paper.costs import costs
from derainbench.report.paper.drawn import pareto, patch
from derainbench.report.paper.real_rain import real_rain
from derainbench.report.paper.restored import photographs, restored
from derainbench.report.paper.scores import scores
from derainbench.report.tables.latex import long_latex
from derainbench.report.tables.table import Table, captioned
from derainbench.results.architecture import read_architecture

# Builders take a configuration, a paper and the name of its table or figure. A figure is one, or
# the files of one that another stage drew, without their suffixes; its caption comes with it.
TableBuilder = Callable[[Config, AuditedPaper, str], Table]
FigureBuilder = Callable[[Config, AuditedPaper, str], tuple[Figure | Path, str]]
DPI = 160


def the_architecture(config: Config, paper: AuditedPaper, artefact: str) -> tuple[Figure, str]:
    """The paper's network at full size, and its caption.

    Raises:
        BenchError: if the structure has not been counted.
    """
    drawn = read_architecture(config, paper.network)
    return draw(drawn), (
        "The network at full size, drawn from its modules: every block with its output "
        "(time steps x channels x height x width), parameters and dense MACs of one "
        f"{drawn.size}x{drawn.size} image; a bar shows which share of the MACs is "
        "on spikes and which, hatched, on analog input. Below, the modules inside each kind of "
        "block. The MACs of attention, under a thousandth, are in neither."
    )


TABLES: dict[str, TableBuilder] = {
    "scores": scores,
    "real-rain": real_rain,
    "costs": costs,
    "ablation": ablation,
}
FIGURES: dict[str, FigureBuilder] = {
    "pareto": pareto,
    "patch": patch,
    "architecture": the_architecture,
    "restored": restored,
    "photographs": photographs,
}


@dataclass(frozen=True)
class Earlier:
    """An earlier making of papers' tables and figures, from which some are taken over.

    Attributes:
        folder: with a folder per paper.
        kinds: of the tables and figures that cannot be made again, because what they show is not at
            hand: images of data sets, say.
    """

    folder: Path
    kinds: frozenset[str]


STRUCTURE_ALONE = ("architecture",)  # is no smoke, in whatever configuration


def tables(config: Config, paper: AuditedPaper) -> list[Table]:
    """A paper's tables that the files at hand allow; ``paper.json`` says why others are missing."""
    made = (_made(config, paper, name) for name in paper.artefacts)
    return [table for table in made if isinstance(table, Table)]


def _made(
    config: Config, paper: AuditedPaper, artefact: str
) -> Table | tuple[Figure | Path, str] | BenchError:
    """What a table or figure is, or why there is none."""
    kind = paper.artefacts[artefact].kind
    try:
        return (TABLES | FIGURES)[kind](config, paper, artefact)
    except BenchError as error:
        return error


def write(config: Config, out: Path, earlier: Earlier | None = None) -> dict[str, str]:
    """Writes a folder per paper of the configuration; see :func:`write_paper`.

    Returns:
        The reasons of tables and figures that are missing, by ``PAPER/NAME``.
    """
    missing: dict[str, str] = {}
    for name in config.paper_names:
        reasons = write_paper(config, read_judged_paper(name), out / name, earlier)
        missing |= {f"{name}/{artefact}": reason for artefact, reason in reasons.items()}
    return missing


def write_paper(
    config: Config, paper: AuditedPaper, out: Path, earlier: Earlier | None = None
) -> dict[str, str]:
    """Writes every table and figure of a paper that can be made, and ``paper.json`` about all.

    ``paper.json`` holds, for each by its name, the title, the files and the caption, or the reason
    why it is missing. Files of an earlier call that are no longer made are deleted.

    Returns:
        The reasons of those that are missing, by name.
    """
    index: dict[str, dict[str, Any]] = {}
    settings = {"configuration": config.name, "paper": paper.name}
    with style(), plt.rc_context({"savefig.dpi": DPI}), staged_folder(out) as stage:
        for name, artefact in paper.artefacts.items():
            index[name] = {"title": artefact.title, "files": []}
            if earlier and artefact.kind in earlier.kinds:
                index[name] |= _taken_over(earlier.folder / paper.name, name, stage)
                continue
            with reads.recording():
                made = _made(config, paper, name)
                if isinstance(made, BenchError):
                    index[name]["reason"] = str(made)
                    continue
                if isinstance(made, Table):
                    label = f"tab:{config.name}-{paper.name}-{name}"
                    files = _write_table(made, label, stage)
                    index[name] |= {"caption": made.caption, "files": files}
                else:
                    drawn, text = made
                    caption = titled(paper, name, text)
                    if artefact.kind not in STRUCTURE_ALONE:
                        caption = captioned(config, caption)
                    index[name] |= {"caption": caption, "files": _write_figure(drawn, name, stage)}
                provenance.write_record(stage / index[name]["files"][-1], settings=settings)
        content = {"configuration": config.name, "label": config.label, "paper": paper.name}
        write_json(stage / "paper.json", content | {"artefacts": index})
        provenance.write_record(stage / "paper.json", settings=settings)
    missing = {name: facts["reason"] for name, facts in index.items() if "reason" in facts}
    for name in missing:
        for file in out.glob(f"{name}.*"):
            file.unlink()
    return missing


def _taken_over(folder: Path, name: str, stage: Path) -> dict[str, Any]:
    """What an earlier index says of a table or figure; copies what there is of its files.

    A record that names no inputs, as older versions wrote them, is left behind.
    """
    for file in sorted(folder.glob(f"{name}.*")):
        is_record = file.name.endswith(RECORD_SUFFIX)
        if not is_record or read_json_file(file, "make the results anew").get("inputs"):
            shutil.copyfile(file, stage / file.name)
    index: dict[str, Any] = {}
    if (folder / "paper.json").is_file():
        index = read_json_file(folder / "paper.json", "make the results anew")
    known: dict[str, Any] | None = index.get("artefacts", {}).get(name)
    return known or {"reason": "what it is made from is not at hand"}


def _write_figure(drawn: Figure | Path, name: str, folder: Path) -> list[str]:
    """PDF, PNG and SVG of a figure, or copies of those of another stage; their names."""
    names = [f"{name}.{kind}" for kind in KINDS]
    if isinstance(drawn, Path):
        for file in names:
            source = regular_file(drawn.with_name(drawn.name + Path(file).suffix))
            shutil.copyfile(source, folder / file)
    else:
        save(drawn, folder / name)
    return names


def _write_table(table: Table, label: str, folder: Path) -> list[str]:
    """Markdown, LaTeX that breaks over pages, and CSV with every digit; their names."""
    markdown = as_markdown(table.view, disable_numparse=True)
    texts = {
        f"{table.name}.md": f"{markdown_text(table.caption)}\n\n{markdown}\n",
        f"{table.name}.tex": long_latex(table, label),
        f"{table.name}.csv": table.frame.to_csv(index=False, float_format="%.8g"),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    return list(texts)
