"""What every registered model is, at full size and without any weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from derainbench.catalog.model_cards import model_card, model_names
from derainbench.catalog.papers import paper_names, read_paper
from derainbench.energy.architecture import architecture
from derainbench.energy.readings import undetermined
from derainbench.energy.structure import Structure, structure
from derainbench.foundation import provenance
from derainbench.foundation.files import write_json, write_text
from derainbench.foundation.outputs import staged_folder
from derainbench.models.construction import constructor_arguments
from derainbench.results.architecture import write_architecture


def count_models(names: Sequence[str], size: int) -> Iterator[tuple[str, int, Structure]]:
    """Name, image side and structure of models at their default arguments."""
    for name in names:
        multiple = model_card(name).network.size_multiple
        side = -(-size // multiple) * multiple
        yield name, side, structure(name, {}, side)


def model_table(counts: Iterable[tuple[str, int, Structure]]) -> pd.DataFrame:
    """Parameters, dense GMACs of one image and origin of models at their default size.

    Args:
        counts: from :func:`count_models`.

    Raises:
        BenchError: for a model without a fact card.
    """
    rows = []
    for name, side, network in counts:
        card = model_card(name)
        rows.append(
            {
                "model": card.name,
                "title": card.title,
                "venue": f"{card.paper.venue} {card.paper.year}",
                "parameters": network.parameters,
                "size": f"{side}x{side}",
                "gmacs": network.layers["macs"].sum() / 1e9,
                "spiking": card.spiking,
                "paper": card.citation,
                "licence": card.code.licence,
                "weights": card.availability,
                "official weights": f"{card.availability}; licence: {card.weights_licence}"
                if card.weights
                else "none",
            }
        )
    return pd.DataFrame(rows)


def write_structure(out: Path, size: int = 256, name: str | None = None) -> dict[str, list[str]]:
    """Writes what models are, all or nothing.

    - ``models.csv``: a row per model;
    - ``layers.csv``, ``others.csv``: its operations, with a column ``model``;
    - ``arguments.json``: the defaults of its constructor's arguments;
    - ``architecture/MODEL.json``: the papers' networks as they are drawn.

    Args:
        out: folder.
        size: image side, pixels; rounded up to what a model takes.
        name: of the only model; default: every one.

    Returns:
        Models that have any, and their layers whose input was zero in every probing: "silent" in
        ``layers.csv``, neither spikes nor values.

    Raises:
        BenchError: for an unknown model.
    """
    names = [model_card(name).name] if name else model_names()
    counts = list(count_models(names, size))
    with staged_folder(out) as stage:
        write_text(stage / "models.csv", model_table(counts).to_csv(index=False))
        for file in ("layers", "others"):
            table = pd.concat([getattr(c, file).assign(model=model) for model, _, c in counts])
            table.insert(0, "model", table.pop("model"))
            write_text(stage / f"{file}.csv", table.to_csv(index=False, float_format="%.9g"))
        arguments = {model: constructor_arguments(model, {}) for model in names}
        write_json(stage / "arguments.json", arguments)
        drawn = {read_paper(paper).network for paper in paper_names()}
        for model, side, network in counts:
            if model in drawn:
                drawing = architecture(model, {}, network.layers, side)
                write_architecture(drawing, stage / "architecture" / f"{model}.json")
        provenance.write_record(stage / "models.csv", settings={"size": size})
    unknown = {
        model: undetermined(c.layers, spiking=model_card(model).spiking) for model, _, c in counts
    }
    return {model: layers for model, layers in unknown.items() if layers}


def amounts(name: str, size: int) -> str:
    """``12,811,463 parameters, 492.31 GMACs at 256x256``."""
    row = model_table(count_models([model_card(name).name], size)).iloc[0]
    return f"{row['parameters']:,} parameters, {row['gmacs']:.2f} GMACs at {row['size']}"


def overview(size: int = 256) -> str:
    """One row per model, as Markdown."""
    table = model_table(count_models(model_names(), size))
    table["spiking"] = table["spiking"].map({True: "yes", False: ""})
    return table.drop(columns=["paper", "official weights"]).to_markdown(
        index=False, floatfmt=".2f", intfmt=","
    )
