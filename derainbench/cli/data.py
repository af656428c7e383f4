"""Verbs about data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from derainbench.cli.options import (
    FOLDER,
    AcceptNew,
    Attempts,
    Out,
    Root,
    Seed,
    SetName,
    SilentFor,
    Splits,
    Subset,
    one_of,
    patience_of,
)

if TYPE_CHECKING:
    from derainbench.data.acquisition.request import Wanted

app = typer.Typer(
    help="Data sets: fetch, add, verify, generate, audit for leaks.", no_args_is_help=True
)


@app.command("list")
def data_list(
    name: Annotated[str | None, typer.Argument(help="Show one set in full.")] = None,
) -> None:
    """The known data sets, and the rain that can be generated."""
    from derainbench.data.listing import describe, overview

    typer.echo(describe(name) if name else overview())


@app.command("fetch")
def data_fetch(
    name: SetName,
    root: Root = Path("data"),
    split: Splits = None,
    accept_new: AcceptNew = False,
    attempts: Attempts = 5,
    timeout: SilentFor = 60,
) -> None:
    """Downloads a set, verifies it and lays it out as ROOT/NAME/SPLIT/{input,target}."""
    from derainbench.data.acquisition.acquire import fetch

    patience = patience_of(attempts, timeout)
    _echo_status(fetch(_wanted(name, root, split), patience=patience, accept_new=accept_new))


@app.command("add")
def data_add(
    name: SetName,
    sources: Annotated[list[Path], typer.Argument(help="Archives or folders, as downloaded.")],
    root: Root = Path("data"),
    split: Splits = None,
    assume: Annotated[
        str | None,
        typer.Option("--assume-split", help="Split of files whose folders do not say which."),
    ] = None,
    subset: Subset = False,
    accept: Annotated[
        bool,
        typer.Option("--accept-deviations", help="Take another version, marked as deviating."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be paired; write nothing.")
    ] = False,
) -> None:
    """Takes over a set that a person downloaded: recognises its layout, verifies it."""
    from derainbench.catalog.dataset_entries import SPLITS
    from derainbench.data.acquisition.acquire import add, planned
    from derainbench.data.listing import describe_plan

    one_of(assume, SPLITS, "--assume-split")
    wanted = _wanted(name, root, split, subset=subset, accept=accept)
    if dry_run:
        with planned(wanted, sources, assume=assume) as plan:
            typer.echo(describe_plan(plan, wanted.entry))
        return
    _echo_status(add(wanted, sources, assume=assume))


@app.command("verify")
def data_verify(
    name: Annotated[
        str, typer.Argument(help="Set of the catalogue, or a set's or split's folder.")
    ],
    root: Root = Path("data"),
    data_as: Annotated[
        str | None, typer.Option("--as", help="Hold a folder against this set of the catalogue.")
    ] = None,
    subset: Subset = False,
    stand_in: Annotated[
        bool,
        typer.Option("--stand-in", help="Generated in the set's place: layout and sizes only."),
    ] = False,
    split: Splits = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar=FOLDER, help="Folder for dataset.json and images.csv."),
    ] = None,
) -> None:
    """Says whether a set is the real thing; exit code 1 if it is not."""
    from derainbench.catalog.dataset_entries import dataset_entry
    from derainbench.data.findings import MEANING, checks_table
    from derainbench.data.verify import verify

    is_folder = Path(name).is_dir()
    entry = dataset_entry(data_as or name) if data_as or not is_folder else None
    folder = Path(name) if entry is None or is_folder else root / entry.name
    found = verify(folder, entry, subset=subset, stand_in=stand_in, splits=split or (), out=out)
    typer.echo(checks_table(found).to_markdown(index=False))
    typer.echo(f"\n{found['name']}: {found['status']}: {MEANING[found['status']]}")
    if found["status"] == "deviates":
        raise typer.Exit(1)


@app.command("card")
def data_card(
    folder: Annotated[Path, typer.Argument(help="Folder of the set.")],
    facts: Annotated[Path, typer.Option(help="Folder that `data verify --out` wrote.")],
) -> None:
    """Draws a verified set's contact sheet and histograms beside its dataset.json."""
    from derainbench.report.figures.dataset_card import write_card

    write_card(folder, facts)


@app.command("leaks")
def data_leaks(
    folders: Annotated[list[Path], typer.Argument(help="Folders of sets.")],
    out: Out,
    facts: Annotated[
        list[Path] | None,
        typer.Option(help="Folder that `data verify --out` wrote, one per set, in their order."),
    ] = None,
) -> None:
    """Looks for backgrounds that training and test images share, within and across sets."""
    from derainbench.report.figures.leaks import audit_folders

    if facts and len(facts) != len(folders):
        raise typer.BadParameter(f"{len(folders)} sets but {len(facts)} --facts")
    for line in audit_folders(folders, facts, out):
        typer.echo(line)


@app.command("recomposite")
def data_recomposite(
    layers: Annotated[Path, typer.Option(help="Paired split that gives the rain.")],
    clean: Annotated[list[Path], typer.Option(help="Folder of clean photographs; repeatable.")],
    out: Out,
    count: Annotated[
        int | None, typer.Option(help="Pairs; default: one per photograph.", min=1)
    ] = None,
    seed: Seed = 2024,
) -> None:
    """Puts the rain of real pairs on other photographs; such pairs are never official."""
    from derainbench.data.generation.recomposite import recomposite

    recomposite(layers, clean, out, count=count, seed=seed)


@app.command("synthesise")
def data_synthesise(
    rain: Annotated[str, typer.Argument(help="light or heavy.")],
    out: Out,
    size: Annotated[int, typer.Option(help="Side of the images, pixels.", min=32)] = 256,
    train: Annotated[int, typer.Option(min=1)] = 24,
    val: Annotated[int, typer.Option(min=1)] = 4,
    test: Annotated[int, typer.Option(min=1)] = 6,
    seed: Seed = 2024,
) -> None:
    """Generates a paired set: synthetic rain over photographs bundled with scikit-image."""
    from derainbench.data.generation.synthesise import SynthesisPlan, synthesise

    synthesise(SynthesisPlan(rain, size, train, val, test, seed), out)


@app.command("stand-in")
def data_stand_in(
    name: SetName,
    root: Root,
    train: Annotated[int, typer.Option(min=2)] = 3,
    val: Annotated[int, typer.Option(min=1)] = 1,
    test: Annotated[int, typer.Option(min=1)] = 1,
    seed: Seed = 2024,
) -> None:
    """Generates images in the layout, names and sizes of a set of the catalogue, to rehearse with."""
    from derainbench.data.generation.stand_in import make_stand_in

    counts = {"train": train, "val": val, "test": test}
    make_stand_in(_wanted(name, root, None, subset=True, accept=True), counts, seed)


def _wanted(
    name: str,
    root: Path,
    split: list[str] | None,
    *,
    subset: bool = False,
    accept: bool = False,
) -> Wanted:
    from derainbench.catalog.dataset_entries import dataset_entry
    from derainbench.data.acquisition.request import Wanted

    entry = dataset_entry(name)
    for one in split or ():
        one_of(one, tuple(entry.splits), "--split")
    return Wanted(entry, root, tuple(split or ()), subset=subset, accept=accept)


def _echo_status(found: dict[str, Any]) -> None:
    from derainbench.data.findings import MEANING

    counts = ", ".join(f"{s['images']} {name}" for name, s in found["splits"].items())
    typer.echo(f"{found['name']}: {counts}; {found['status']}: {MEANING[found['status']]}")
