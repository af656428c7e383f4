"""The paper's five tables and five figures: what can be made of a configuration, and why not more."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from derainbench import provenance
from derainbench.config import Config
from derainbench.energy import account
from derainbench.errors import BenchError
from derainbench.files import staged_folder, write_json, write_text
from derainbench.report import ablations, papercosts, paperfacts, paperfigures, paperscores
from derainbench.report.architecture import architecture
from derainbench.report.architecturefigure import draw
from derainbench.report.cells import Table, captioned
from derainbench.report.style import KINDS, save, style
from derainbench.report.tables import latex_escaped

TABLES: dict[str, Callable[[Config], Table]] = {
    "table-1": paperscores.scores,
    "table-2": paperscores.real_rain,
    "table-3": papercosts.costs,
    "table-4": partial(ablations.ablation, name="table-4"),
    "table-5": partial(ablations.ablation, name="table-5"),
}
TABLE_KINDS = ("md", "tex", "csv")
DPI = 160


def tables(config: Config) -> list[Table]:
    """The paper's tables that the files at hand allow; ``paper.json`` says why others are missing."""
    found = (_made(config, make) for make in TABLES.values())
    return [table for table in found if isinstance(table, Table)]


def _made(config: Config, make: Callable) -> Table | tuple[Figure | Path, str] | BenchError:
    """What a table or figure is, or why there is none."""
    try:
        return make(config)
    except BenchError as error:
        return error


def the_architecture(config: Config) -> tuple[Figure, str]:
    """Fig. 3: the paper's network at full size, and its caption.

    Raises:
        BenchError: if the structure has not been counted.
    """
    file = Path(config.results) / "structure" / "layers.csv"
    if not file.is_file():
        raise BenchError(f"{file}: missing; run `derainbench models --out` first")
    layers = account.read_layers(file)
    model = paperfacts.book().model
    drawn = architecture(model, {}, layers[layers["model"] == model], account.TABLE_SIZE)
    return draw(drawn), (
        "The network at full size, drawn from its modules: every block with its output "
        "(time steps x channels x height x width), parameters and dense MACs of one "
        f"{account.TABLE_SIZE}x{account.TABLE_SIZE} image; a bar shows which share of the MACs is "
        "on spikes and which, hatched, on analog input. Below, the modules inside each kind of "
        "block. The MACs of attention, under a thousandth, are in neither."
    )


FIGURES: dict[str, Callable[[Config], tuple[Figure | Path, str]]] = {
    "figure-1": paperfigures.pareto,
    "figure-2": paperfigures.patch,
    "figure-3": the_architecture,
    "figure-4": paperfigures.restored,
    "figure-5": paperfigures.photographs,
}


def write(config: Config, out: Path) -> dict[str, str]:
    """Writes every table and figure that can be made, and ``paper.json`` about all ten.

    ``paper.json`` holds, for each by its name, the title, the files and the caption, or the reason
    why it is missing. Files of an earlier call that are no longer made are deleted.

    Returns:
        The reasons of those that are missing, by name.
    """
    titles = paperfacts.paper().titles
    facts: dict[str, dict] = {}
    with style(), plt.rc_context({"savefig.dpi": DPI}), staged_folder(out) as stage:
        for name, make in (TABLES | FIGURES).items():
            facts[name] = {"title": titles[name], "files": []}
            made = _made(config, make)
            if isinstance(made, BenchError):
                facts[name]["reason"] = str(made)
                continue
            if isinstance(made, Table):
                facts[name]["caption"] = made.caption
                facts[name]["files"] = _write_table(config, made, stage)
            else:
                drawn, caption = made
                # What is structure alone is no smoke, in whatever configuration.
                own = f"{titles[name]} (the paper's Fig. {name[-1]}). {caption}"
                facts[name]["caption"] = own if name == "figure-3" else captioned(config, own)
                facts[name]["files"] = _write_figure(drawn, name, stage)
            settings = {"configuration": config.name}
            provenance.write_record(stage / facts[name]["files"][-1], settings=settings)
        content = {"configuration": config.name, "label": config.label, "artefacts": facts}
        write_json(stage / "paper.json", content)
    _delete_stale(out, facts)
    return {name: fact["reason"] for name, fact in facts.items() if "reason" in fact}


def _delete_stale(out: Path, facts: dict[str, dict]) -> None:
    for name, fact in facts.items():
        if "reason" in fact:
            for file in out.glob(f"{name}.*"):
                file.unlink()


def _write_figure(drawn: Figure | Path, name: str, folder: Path) -> list[str]:
    """PDF, PNG and SVG of a figure, or copies of those of another stage; their names."""
    names = [f"{name}.{kind}" for kind in KINDS]
    if isinstance(drawn, Path):
        for file in names:
            shutil.copyfile(drawn.with_name(drawn.name + Path(file).suffix), folder / file)
    else:
        save(drawn, folder / name)
    return names


def _write_table(config: Config, table: Table, folder: Path) -> list[str]:
    """CSV with every digit, Markdown, and LaTeX that breaks over pages; their names."""
    csv = table.frame.to_csv(index=False, float_format="%.8g")
    markdown = table.view.to_markdown(index=False, disable_numparse=True)
    texts = (f"{table.caption}\n\n{markdown}\n", latex(table, config), csv)
    names = [f"{table.name}.{kind}" for kind in TABLE_KINDS]
    for name, text in zip(names, texts, strict=True):
        write_text(folder / name, text)
    return names


def latex(table: Table, config: Config) -> str:
    """A table as LaTeX: as wide as the page, cells wrapped, over several pages if need be."""
    if table.view.empty:
        return f"\\paragraph{{{table.name}}} {latex_escaped(table.caption)}\n"
    body = table.view.to_latex(
        index=False,
        escape=True,
        longtable=True,
        column_format=_column_format(table.view),
        caption=latex_escaped(table.caption),
        label=f"tab:{config.name}-{table.name}",
    )
    return (
        "% packages: array, booktabs, longtable; best on a page in landscape\n"
        f"{{\\scriptsize\\setlength{{\\tabcolsep}}{{2pt}}\n{body}}}\n"
    )


def _column_format(view: pd.DataFrame) -> str:
    """Columns as wide as the square root of their longest cell asks, together one line."""
    longest = [max(view[column].str.len().max(), 4) ** 0.5 for column in view]
    share = [0.93 * width / sum(longest) for width in longest]
    return "".join(f">{{\\raggedright\\arraybackslash}}p{{{w:.3f}\\linewidth}}" for w in share)
