"""A model's fact card as text."""

from __future__ import annotations

from collections.abc import Iterator

from derainbench.catalog.card_format import ModelCard, WeightFile
from derainbench.catalog.mirrors import ManualMirror
from derainbench.catalog.published import published_scores


def describe(card: ModelCard, counted: str = "") -> Iterator[str]:
    """The lines of a model's card in full.

    Args:
        card: of the model.
        counted: its parameters and MACs in a few words; without, the line says how to get them.
    """
    paper, code, training = card.paper, card.code, card.training
    yield f"{card.name}: {card.title}" + (f": {card.origin}" if card.origin else "")
    yield f"paper: {paper.short}: {paper.authors}: {paper.title}"
    if paper.url:
        yield f"paper at: {paper.url}"
    port = "" if code.official else " (a third party's port)"
    yield f"code: {code.repository}{port}" + (f", read at {code.read_at}" if code.read_at else "")
    yield f"licence of the code: {code.licence} ({code.licence_source})"
    size = counted or f"`derainbench models {card.name} --size 256` counts parameters and MACs"
    yield f"size: {size}" + (", spiking" if card.spiking else "")
    squares = card.network.fixed_size
    side = f", {squares}x{squares} only" if squares else ""
    note = f"; {card.input.note}" if card.input.note else ""
    yield f"official input: {card.input.channels} in {card.input.range}{side}{note}"
    for what in ("task", "optimiser", "rate", "batch", "crop", "length", "loss", "augmentation"):
        if value := getattr(training, what):
            yield f"training, {what}: {value}"
    if training.note:
        yield f"training, note: {training.note}"
    yield f"training, recipe here: {training.recipe or 'none'}"
    yield f"training, source: {training.source}"
    for score in published_scores(card):
        yield (
            f"published: {score['dataset']}: {score['psnr']:.2f} dB / {score['ssim']:g} "
            f"({score['protocol']}; {score['kind']}: {score['source']})"
        )
    if card.published_note:
        yield f"published, note: {card.published_note}"
    yield f"licence of the weights: {card.weights_licence}"
    for file in card.weights:
        yield from _weights(file)
    if card.no_weights:
        yield f"weights: none: {card.no_weights}"
    yield from (f"differs here: {deviation}" for deviation in card.deviations)
    yield from (f"note: {note}" for note in card.notes)
    yield from (f"source: {source}" for source in card.sources)


def _weights(file: WeightFile) -> Iterator[str]:
    facts = [f"{file.name}: {file.dataset or 'set not said'}", file.origin]
    facts += [file.task] if file.task != "deraining" else []
    facts += [f"{key}={value}" for key, value in file.kwargs.items()]
    facts += [f"under the key '{file.key}'"] if file.key else []
    facts += [f"{file.member} of an archive"] if file.member else []
    facts += [f"sha256 {file.sha256}"] if file.sha256 else []
    yield "weights: " + "; ".join(facts + ([file.note] if file.note else []))
    for source in file.sources:
        how = "by hand" if isinstance(source, ManualMirror) else "automatic"
        password = getattr(source, "password", None)
        line = f"  from ({how}): {source.url}" + (f", password {password}" if password else "")
        yield line + (f"; {source.note}" if source.note else "")
