"""spikingjelly's energy estimators beside our account of the same images."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from derainbench.catalog.costs import DEFAULT_COSTS, cost_tables
from derainbench.catalog.model_cards import model_card
from derainbench.catalog.scenarios import scenarios
from derainbench.data.crops import to_tensor
from derainbench.data.images import read_rgb
from derainbench.data.pairs import dataset_digests, read_split
from derainbench.energy.count_tables import layer_table, other_table
from derainbench.energy.estimators.estimate import (
    COMPUTE,
    MEMORY,
    REST,
    BenchmarkCount,
    Estimate,
    Estimator,
)
from derainbench.energy.estimators.folding import folded
from derainbench.energy.estimators.spikingjelly_estimators import ESTIMATORS
from derainbench.energy.forward_pass import count_on_image, count_structure
from derainbench.energy.measurement import central_crop
from derainbench.energy.networks import is_spiking
from derainbench.energy.pricing import PJ_PER_MJ, price
from derainbench.energy.work import network_work
from derainbench.foundation import provenance
from derainbench.foundation.device import prepare
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import json_text, sha256, write_text
from derainbench.foundation.progress import Reporter
from derainbench.models.weights import load_model

SIZE = 64  # estimators compute and look at every value: small images
IMAGES = 2
COLUMNS = [
    *("model", "image", "size", "estimator", "strict", "batch_norm", "status"),
    *("energy_mj", "compute_mj", "memory_mj", "rest_mj"),
    *("scenario", "costs", "energy_ours_mj", "ratio"),
    *("macs", "macs_ours", "acs", "sops", "sops_ours"),
    *("parts_mj", "counts", "note", "assumptions"),
]


class _Subject:
    """A model in eval mode and what we count of it on an image."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self._others: dict[int, pd.DataFrame] = {}
        self._lent: nn.Module | None = None

    @contextmanager
    def lent(self) -> Iterator[nn.Module]:
        """A copy for a foreign estimator, which leaves hooks and gradients behind when it fails.

        One that did not fail hands it on to the next: copies take as long as what is done with them.
        """
        if self._lent is None:
            self._lent = copy.deepcopy(self.model)
        try:
            yield self._lent
        except Exception:
            self._lent = None
            raise

    def benchmark_count(self, image: torch.Tensor) -> tuple[BenchmarkCount, dict[str, float]]:
        """Our count of [1,3,S,S], and its energy under every scenario, mJ."""
        size = image.shape[-1]
        if size not in self._others:
            fresh = copy.deepcopy(self.model)  # counting the structure empties a model
            self._others[size] = other_table(count_structure(fresh, size, size)[1])
        layers = layer_table(count_on_image(self.model, image))
        spiking = is_spiking(self.model)
        others = self._others[size]
        # As the estimators take them: zeros are spikes that never came, other levels are values.
        total = network_work(
            layers, others, spiking=spiking, reuse=False, reading="silent-as-spikes"
        )
        costs = cost_tables()[DEFAULT_COSTS]
        energies = {name: price(total, costs, s).energy for name, s in scenarios().items()}
        return BenchmarkCount(layers, others, total), energies


class Subjects:
    """A model as it is, and with batch norm folded."""

    def __init__(self, model: nn.Module) -> None:
        self.as_it_is = _Subject(model)

    @cached_property
    def folded(self) -> _Subject:
        return _Subject(folded(self.as_it_is.model))


def estimate_rows(
    subjects: Subjects, image: torch.Tensor, estimators: Sequence[Estimator] = ESTIMATORS
) -> Iterator[dict[str, Any]]:
    """What every estimator says of an image [1,3,S,S]; see ``COLUMNS``.

    One that fails on what it does not model gets a second row, in which it leaves that out. An
    estimator's failure is a value in ``status``.
    """
    counts: dict[bool, tuple[BenchmarkCount, dict[str, float]]] = {}
    for estimator in estimators:
        subject = subjects.folded if estimator.folds else subjects.as_it_is
        if estimator.folds not in counts:
            counts[estimator.folds] = subject.benchmark_count(image)
        benchmark, energies = counts[estimator.folds]
        for strict in (True, False) if estimator.lenient else (None,):
            ours_mj = energies[estimator.scenario]
            row = {
                "estimator": estimator.name,
                "strict": strict,
                "batch_norm": "folded" if estimator.folds else "as it is",
                "scenario": estimator.scenario,
                "costs": DEFAULT_COSTS,
                "energy_ours_mj": ours_mj,
                "macs_ours": benchmark.macs,
                "sops_ours": benchmark.work.sops,
            }
            try:
                estimate = _read(estimator, subject, image, benchmark, strict)
            except Exception as error:  # whatever a foreign estimator fails with is its result
                yield row | {"status": f"cannot run: {_first_line(error)}"}
                continue
            yield row | {"status": "ok", **_values(estimate, ours_mj)}
            break


def _read(
    estimator: Estimator,
    subject: _Subject,
    image: torch.Tensor,
    benchmark: BenchmarkCount,
    strict: bool | None,
) -> Estimate:
    # Without cuDNN: its batch norm is an operator of its own, for which no estimator has a rule.
    with subject.lent() as model, torch.backends.cudnn.flags(enabled=False):
        return estimator.read(model, image, benchmark, bool(strict))


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def _values(estimate: Estimate, ours_mj: float) -> dict[str, Any]:
    def total(kind: str) -> float | None:
        parts = estimate.parts.get(kind)
        return sum(parts.values()) / PJ_PER_MJ if parts else None

    energy = estimate.energy / PJ_PER_MJ
    parts = {
        f"{kind} {name.removesuffix('_pj')}": float(f"{value / PJ_PER_MJ:.9g}")
        for kind, of_kind in estimate.parts.items()
        for name, value in of_kind.items()
    }
    return {
        "energy_mj": energy,
        "compute_mj": total(COMPUTE),
        "memory_mj": total(MEMORY),
        "rest_mj": total(REST),
        "ratio": energy / ours_mj,
        "macs": estimate.macs,
        "acs": estimate.acs,
        "sops": estimate.sops,
        "parts_mj": json_text(parts),
        "counts": json_text(dict(estimate.counts)),
        "note": "; ".join(estimate.notes),
        "assumptions": estimate.assumptions,
    }


def measure(
    *,
    model_name: str,
    weights: Path,
    split_folder: Path,
    out: Path,
    kwargs: dict[str, Any] | None = None,
    size: int = SIZE,
    images: int = IMAGES,
    device: str = "auto",
    dataset: Path | None = None,
) -> pd.DataFrame:
    """Every estimator on the central crops of a split's first images; writes and gives the table.

    Columns: ``status``, "ok" or "cannot run: .."; ``strict``, whether what the estimator does not
    model would stop it (empty: it has no such switch); ``energy_mj`` of one image and its parts,
    by the estimator's definition; ``energy_ours_mj``, our account of the same image and model
    under the nearest ``scenario``, and the ``ratio`` of the two; its counts and ours; ``note``,
    what distorts the estimate, measured; ``assumptions``, its model and constants.

    Raises:
        BenchError: for a size that the model does not take, unusable weights or images.
    """
    card = model_card(model_name)
    if size % card.network.size_multiple or size != (card.network.fixed_size or size):
        takes = card.network.fixed_size or f"a multiple of {card.network.size_multiple}"
        raise BenchError(f"--size {size}: {card.name} needs {takes}")
    chosen = prepare(device)
    model, arguments = load_model(model_name, weights, kwargs)
    subjects = Subjects(model.to(chosen))
    split = read_split(split_folder, need_target=False)
    inputs = {"weights": sha256(Path(weights)), **dataset_digests(split, dataset)}
    table_rows = []
    with Reporter(f"estimate {card.name}", min(images, len(split.pairs))) as reporter:
        for pair in split.pairs[:images]:
            crop = central_crop(to_tensor(read_rgb(pair.input)), size, str(pair.input))
            for row in estimate_rows(subjects, crop[None].to(chosen)):
                table_rows.append({"model": card.name, "image": pair.name, "size": size, **row})
            reporter.advance(pair.name)
    # Objects: whole numbers stay whole beside empty cells.
    table = pd.DataFrame(table_rows, columns=COLUMNS, dtype=object)
    written = table.map(lambda v: float(f"{v:.9g}") if isinstance(v, float) else v)
    write_text(out, written.to_csv(index=False))
    provenance.write_record(
        out,
        settings={"model": card.name, "kwargs": arguments, "size": size, "images": images},
        inputs=inputs,
        device=str(chosen),
    )
    return table


def markdown(table: pd.DataFrame) -> str:
    """Means over images, as a short Markdown table."""
    keys = ["estimator", "strict", "status"]
    numbers = ["energy_mj", "compute_mj", "memory_mj", "energy_ours_mj", "ratio"]
    short = table[[*keys, "scenario", *numbers]].copy()
    short[numbers] = short[numbers].astype(float)
    short["strict"] = short["strict"].map({True: "yes", False: "no"}).fillna("")
    groups = short.groupby([*keys, "scenario"], sort=False)[numbers].mean().reset_index()
    shown = groups.astype(object).where(groups.notna(), None)
    return shown.to_markdown(index=False, floatfmt=".5g", missingval="")
