"""What the accounts say: energies, savings, break-even firing rates, and what they depend on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import pandas as pd

from derainbench import models, provenance, sources
from derainbench.audit.statistics import mean_intervals
from derainbench.config import Config
from derainbench.energy import account
from derainbench.energy.scenarios import (
    DEFAULT_COSTS,
    Costs,
    Price,
    Work,
    cost_tables,
    price,
    quantisation_bits,
    scenarios,
    work,
)
from derainbench.files import staged_folder, write_text
from derainbench.report import collect

TWIN = "esdnet-ann"
TIME_STEPS = (1, 2, 4, 6, 8)
SIZES = (64, 128, 256, 512)
MAC_TO_AC = (1, 2, 5, 10, 20, 50, 100, 200)
OPTIONS = ["costs", "scenario", "reuse", "zero_skipping"]


@dataclass(frozen=True)
class Account:
    """One network's work, image by image, or once from its structure.

    Attributes:
        source: "measured" or "structure".
        name: run and variant, or the model's name.
        model: its name in the registry.
        title: for tables and figures.
        dataset: what it was measured on; empty for the structure.
        spiking: whether it has spiking neurons.
        steps: time steps.
        size: side of the images, pixels.
        images: their names; one empty name for the structure.
        works: work of each image, without and with reuse.
        bits: of its activations, if it is a quantised twin.
    """

    source: str
    name: str
    model: str
    title: str
    dataset: str
    spiking: bool
    steps: int
    size: int
    images: tuple[str, ...]
    works: dict[bool, list[Work]]
    bits: int | None = None


def _account(layers: pd.DataFrame, others: pd.DataFrame, **facts) -> Account:
    of_images = list(layers.groupby("image", sort=False))
    spiking = facts["spiking"]
    return Account(
        **facts,
        images=tuple(str(image) for image, _ in of_images),
        works={
            reuse: [work(t, others, spiking=spiking, reuse=reuse) for _, t in of_images]
            for reuse in (False, True)
        },
    )


def measured(config: Config) -> list[Account]:
    """The account of every set of weights of a configuration."""
    found = []
    for entry in collect.entries(config):
        folder = Path(config.results) / "energy" / entry.run / entry.variant
        facts, layers, others = account.read(folder)
        found.append(
            _account(
                layers,
                others,
                source="measured",
                name=f"{entry.run}/{entry.variant}",
                model=facts["model"],
                title=entry.title,
                dataset=entry.spec.test[0],
                spiking=facts["spiking"],
                steps=facts["time_steps"],
                size=facts["size"][0],
            )
        )
    return found


def structural(folder: Path, size: int = account.TABLE_SIZE) -> list[Account]:
    """The account of every registered model at full size, from ``layers.csv``, ``others.csv``."""
    layers = account.read_layers(folder / "layers.csv").assign(image="")
    others = account.read_layers(folder / "others.csv")
    return [
        _structural(name, rows, others[others["model"] == name], size)
        for name, rows in layers.groupby("model", sort=False)
    ]


def _structural(name: str, layers: pd.DataFrame, others: pd.DataFrame, size: int) -> Account:
    card = models.card(name)
    return _account(
        layers,
        others,
        source="structure",
        name=name,
        model=name,
        title=card.title,
        dataset="",
        spiking=card.spiking,
        steps=int(layers["steps"].max()) if card.spiking else 1,
        size=size,
    )


def prices(
    of: Account, costs: Costs, scenario: str, *, reuse: bool, zero_skipping: bool
) -> list[Price]:
    """What each image costs."""
    costs = costs if of.bits is None else costs.quantised(of.bits)
    chosen = scenarios()[scenario]
    return [price(w, costs, chosen, zero_skipping=zero_skipping) for w in of.works[reuse]]


def _options(of: Account) -> Iterator[dict]:
    # Which activations are zero is not in the structure.
    skipping = (False, True) if of.source == "measured" else (False,)
    for costs, scenario, reuse, skip in product(
        cost_tables(), scenarios(), (False, True), skipping
    ):
        yield {"costs": costs, "scenario": scenario, "reuse": reuse, "zero_skipping": skip}


def _priced(of: Account, options: dict) -> list[Price]:
    return prices(
        of,
        cost_tables()[options["costs"]],
        options["scenario"],
        reuse=options["reuse"] and of.spiking,
        zero_skipping=options["zero_skipping"],
    )


def energies(accounts: list[Account]) -> pd.DataFrame:
    """Energy per image and per megapixel of every account under every scenario.

    Columns ``mj``, ``low_mj``, ``high_mj`` (mean over images and its 95 % bootstrap interval),
    ``mj_per_megapixel``, ``fixed_mj`` and ``slope_mj`` (energy = fixed + slope * firing rate) and
    ``rate``; energies at the measured firing rate are empty where it is not known.
    """
    rows, samples = [], []
    for of in accounts:
        for options in _options(of):
            if options["reuse"] and not of.spiking:
                continue
            found = _priced(of, options)
            samples.append([p.energy for p in found])
            mean = _mean(samples[-1])
            rows.append(
                {
                    **_names(of),
                    "size": of.size,
                    "images": len(of.images) if of.source == "measured" else 0,
                    **options,
                    "mj": mean,
                    "low_mj": math.nan,  # below, for all at once
                    "high_mj": math.nan,
                    "mj_per_megapixel": mean / (of.size**2 / 1e6),
                    "fixed_mj": _mean([p.fixed for p in found]),
                    "slope_mj": _mean([p.slope for p in found]),
                    "rate": _mean([p.rate for p in found]),
                }
            )
    table = pd.DataFrame(rows)
    table[["low_mj", "high_mj"]] = mean_intervals(samples)
    return table.dropna(subset=["fixed_mj"])


def _names(of: Account) -> dict[str, str]:
    return {
        "source": of.source,
        "name": of.name,
        "model": of.model,
        "title": of.title,
        "dataset": of.dataset,
    }


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def savings(accounts: list[Account]) -> pd.DataFrame:
    """What a spiking network saves against every rival that was counted alike.

    Columns ``saving`` (1 - energy / rival's, mean over images) with its 95 % bootstrap interval
    ``low``, ``high``; ``rate``, the measured firing rate; ``break_even_rate``, below which the
    spiking network is cheaper (above 1: always; empty: never); ``fixed_share``, the part of
    its energy that no firing rate changes as a share of the rival's whole energy: 1 or more proves
    that there is no break-even.
    """
    rows, samples = [], []
    for of in (a for a in accounts if a.spiking):
        for rival in _rivals(of, accounts):
            for options in _options(of):
                narrow = cost_tables()[options["costs"]].narrow
                if rival.bits is not None and not narrow:
                    continue  # the table has no price for products of few bits
                row, shares = _saving(of, rival, options)
                rows.append(row)
                samples.append(shares)
    table = pd.DataFrame(rows)
    table[["low", "high"]] = mean_intervals(samples)
    return table.dropna(subset=["fixed_share"])


def _rivals(of: Account, accounts: list[Account]) -> Iterator[Account]:
    """Networks without neurons, counted on the same images; the twin's quantised form."""
    for rival in accounts:
        alike = all(
            getattr(rival, what) == getattr(of, what)
            for what in ("source", "dataset", "size", "images")
        )
        if rival.spiking or not alike:
            continue
        yield rival
        if sources.twin_of(rival.model) == of.model:
            bits = quantisation_bits(of.steps)
            yield replace(rival, bits=bits, title=f"{rival.title}, {bits} bits")


def _saving(of: Account, rival: Account, options: dict) -> tuple[dict, list[float]]:
    """A row of :func:`savings`, its interval still open, and what is saved on every image."""
    own, others = _priced(of, options), _priced(rival, options)
    shares = [1 - p.energy / q.energy for p, q in zip(own, others, strict=True)]
    ours = Price(_mean([p.fixed for p in own]), _mean([p.slope for p in own]), math.nan)
    theirs = _mean([q.energy for q in others])
    row = {
        **_names(of),
        "rival": rival.name,
        "rival_title": rival.title,
        "rival_bits": rival.bits,
        "images": len(of.images) if of.source == "measured" else 0,
        **options,
        "saving": _mean(shares),
        "low": math.nan,
        "high": math.nan,
        "rate": _mean([p.rate for p in own]),
        "break_even_rate": ours.rate_for(theirs),
        "fixed_share": ours.fixed / theirs,
    }
    return row, shares


def sensitivity(model: str = "esdnet", rival: str = TWIN) -> pd.DataFrame:
    """How the full-size verdict against the twin moves with T, image size and cost ratio.

    Columns ``varied`` ("time steps", "size" or "MAC to accumulate"), ``value``, ``scenario``,
    ``reuse``, ``break_even_rate`` and ``fixed_share`` as in :func:`savings`.
    """
    horowitz, usual = cost_tables()[DEFAULT_COSTS], account.TABLE_SIZE

    def of(name: str, size: int = usual, **kwargs) -> Account:
        counted = account.structure(name, kwargs, size)
        return _structural(name, counted.layers.assign(image=""), counted.others, size)

    default, twin = of(model), of(rival)
    cases = [("time steps", t, of(model, T=t), twin, horowitz) for t in TIME_STEPS]
    cases += [("size", s, of(model, s), of(rival, s), horowitz) for s in SIZES]
    cases += [
        ("MAC to accumulate", r, default, twin, replace(horowitz, mac=r * horowitz.ac))
        for r in MAC_TO_AC
    ]
    rows = []
    for varied, value, own, other, costs in cases:
        for scenario, reuse in product(scenarios(), (False, True)):
            if varied == "MAC to accumulate" and scenarios()[scenario].others:
                continue  # only the two costs are varied
            [ours] = prices(own, costs, scenario, reuse=reuse, zero_skipping=False)
            [theirs] = prices(other, costs, scenario, reuse=False, zero_skipping=False)
            rows.append(
                {
                    "varied": varied,
                    "value": value,
                    "scenario": scenario,
                    "reuse": reuse,
                    "break_even_rate": ours.rate_for(theirs.energy),
                    "fixed_share": ours.fixed / theirs.energy,
                }
            )
    return pd.DataFrame(rows)


def write(config: Config, out: Path) -> None:
    """Writes ``energy.csv`` and ``savings.csv``, all or nothing.

    Raises:
        BenchError: if an account is missing.
    """
    accounts = measured(config) + structural(Path(config.results) / "structure")
    with staged_folder(out) as stage:
        for name, table in (("energy", energies(accounts)), ("savings", savings(accounts))):
            write_text(stage / f"{name}.csv", _csv(table))
        provenance.write_record(stage / "energy.csv", settings={"configuration": config.name})


def write_sensitivity(out: Path) -> None:
    """Writes the table of :func:`sensitivity`: the full-size network is run many times."""
    write_text(out, _csv(sensitivity()))
    provenance.write_record(out)


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, float_format="%.9g")
