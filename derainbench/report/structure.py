"""What every registered model is, at full size and without any weights, and where it is from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from derainbench import cards, models, provenance
from derainbench.cards import ModelFacts, WeightFile
from derainbench.data.catalogue import ManualMirror
from derainbench.energy.account import Structure, structure
from derainbench.files import staged_folder, write_text
from derainbench.sources import model_names


def counted(names: Sequence[str], size: int) -> Iterator[tuple[str, int, Structure]]:
    """Name, image side and structure of models at their default arguments."""
    for name in names:
        multiple = models.card(name).size_multiple
        side = -(-size // multiple) * multiple
        yield name, side, structure(name, {}, side)


def model_table(counts: Iterable[tuple[str, int, Structure]]) -> pd.DataFrame:
    """Parameters, dense GMACs of one image and origin of models at their default size.

    Args:
        counts: from :func:`counted`.

    Raises:
        BenchError: for a model without a fact card.
    """
    rows = []
    for name, side, counts_of in counts:
        card, facts = models.card(name), cards.card(name)
        rows.append(
            {
                "model": card.name,
                "title": card.title,
                "venue": f"{facts.paper.venue} {facts.paper.year}",
                "parameters": counts_of.parameters,
                "size": f"{side}x{side}",
                "gmacs": counts_of.layers["macs"].sum() / 1e9,
                "spiking": card.spiking,
                "paper": facts.citation,
                "licence": facts.code.licence,
                "weights": facts.availability,
                "official weights": f"{facts.availability}; licence: {facts.weights_licence}"
                if facts.weights
                else "none",
            }
        )
    return pd.DataFrame(rows)


def write(out: Path, size: int = 256, name: str | None = None) -> None:
    """``models.csv``, and ``layers.csv``, ``others.csv`` with a column ``model``, all or nothing.

    Args:
        out: folder.
        size: image side, pixels; rounded up to what a model takes.
        name: of the only model; default: every one.

    Raises:
        BenchError: for an unknown model.
    """
    names = [models.card(name).name] if name else model_names()
    counts = list(counted(names, size))
    with staged_folder(out) as stage:
        write_text(stage / "models.csv", model_table(counts).to_csv(index=False))
        for file in ("layers", "others"):
            table = pd.concat([getattr(c, file).assign(model=model) for model, _, c in counts])
            table.insert(0, "model", table.pop("model"))
            write_text(stage / f"{file}.csv", table.to_csv(index=False, float_format="%.9g"))
        provenance.write_record(stage / "models.csv", settings={"size": size})


def overview(size: int = 256) -> str:
    """One row per model, as Markdown."""
    table = model_table(counted(model_names(), size))
    table["spiking"] = table["spiking"].map({True: "yes", False: ""})
    return table.drop(columns=["paper", "official weights"]).to_markdown(
        index=False, floatfmt=".2f", intfmt=","
    )


def describe(name: str, size: int = 256) -> str:
    """A model's fact card in full, with its parameters and MACs."""
    row = model_table(counted([models.card(name).name], size)).iloc[0]
    return "\n".join(_lines(cards.card(name), row))


def _lines(of: ModelFacts, row: pd.Series) -> Iterator[str]:
    paper, code, training = of.paper, of.code, of.training
    yield f"{of.name}: {of.title}" + (f": {of.origin}" if of.origin else "")
    yield f"paper: {paper.short}: {paper.authors}: {paper.title}"
    if paper.url:
        yield f"paper at: {paper.url}"
    port = "" if code.official else " (a third party's port)"
    yield f"code: {code.repository}{port}" + (f", read at {code.read_at}" if code.read_at else "")
    yield f"licence of the code: {code.licence} ({code.licence_source})"
    spiking = ", spiking" if row["spiking"] else ""
    yield (
        f"size: {row['parameters']:,} parameters, {row['gmacs']:.2f} GMACs at {row['size']}{spiking}"
    )
    side = f", {of.input.side}x{of.input.side} only" if of.input.side else ""
    note = f"; {of.input.note}" if of.input.note else ""
    yield f"official input: {of.input.channels} in {of.input.range}{side}{note}"
    for what in ("task", "optimiser", "rate", "batch", "crop", "length", "loss", "augmentation"):
        if value := getattr(training, what):
            yield f"training, {what}: {value}"
    if training.note:
        yield f"training, note: {training.note}"
    yield f"training, recipe here: {training.recipe or 'none'}"
    yield f"training, source: {training.source}"
    for score in cards.published_scores(of).to_dict("records"):
        yield (
            f"published: {score['dataset']}: {score['psnr']:.2f} dB / {score['ssim']:g} "
            f"({score['protocol']}; {score['kind']}: {score['source']})"
        )
    if of.published_note:
        yield f"published, note: {of.published_note}"
    yield f"licence of the weights: {of.weights_licence}"
    for file in of.weights:
        yield from _weights(file)
    if of.no_weights:
        yield f"weights: none: {of.no_weights}"
    yield from (f"differs here: {deviation}" for deviation in of.deviations)
    yield from (f"note: {note}" for note in of.notes)
    yield from (f"source: {source}" for source in of.sources)


def _weights(file: WeightFile) -> Iterator[str]:
    told = [f"{file.name}: {file.dataset or 'set not said'}", file.origin]
    told += [file.task] if file.task != "deraining" else []
    told += [f"{key}={value}" for key, value in file.kwargs.items()]
    told += [f"under the key '{file.key}'"] if file.key else []
    told += [f"{file.member} of an archive"] if file.member else []
    told += [f"sha256 {file.sha256}"] if file.sha256 else []
    yield "weights: " + "; ".join(told + ([file.note] if file.note else []))
    for source in file.sources:
        how = "by hand" if isinstance(source, ManualMirror) else "automatic"
        password = getattr(source, "password", None)
        line = f"  from ({how}): {source.url}" + (f", password {password}" if password else "")
        yield line + (f"; {source.note}" if source.note else "")
