"""Training one model by one recipe with one seed."""

from __future__ import annotations

import collections
import math
import sys
import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import save

from derainbench.catalog.model_cards import model_card
from derainbench.catalog.recipes import Recipe
from derainbench.data.crops import Crops
from derainbench.data.decoded import image_reader
from derainbench.foundation import provenance
from derainbench.foundation.device import prepare
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import write_json
from derainbench.foundation.outputs import check_output_folder, staged_folder
from derainbench.foundation.owner import under_workflow
from derainbench.foundation.progress import Reporter
from derainbench.foundation.source_graph import modules_behind, source_files
from derainbench.foundation.stop_requests import stop_requests
from derainbench.models.construction import build
from derainbench.models.layers import use_layers
from derainbench.models.weights import weight_metadata
from derainbench.training import checkpoint_files, checkpoints
from derainbench.training.divergence import first_not_finite, is_finite
from derainbench.training.interruption import Interruptions
from derainbench.training.measurement import Measured
from derainbench.training.optimisers import build_optimiser
from derainbench.training.parallel.group import Group
from derainbench.training.parallel.sharing import check_batches, check_same_place, prepare_shared
from derainbench.training.rates import measured_rates, news_of_dead_layers
from derainbench.training.schedule import Epoch, plan_epochs, rate_in_step
from derainbench.training.steps import (
    EpochBatches,
    crop_loader,
    keep_channels_last,
    loaded,
    run_epoch,
    training_forward,
)
from derainbench.training.suitability import check_suits
from derainbench.training.training_data import TrainingData, read_training_data
from derainbench.training.validation import selection_psnr

WEIGHTS, HISTORY, FACTS = "model.safetensors", "history.csv", "training.json"
PROCESSES = "processes"  # column of the history: how many computed an epoch, if ever several did


def train(
    *,
    model_name: str,
    model_kwargs: Mapping[str, Any],
    data: Path,
    recipe: Recipe,
    seed: int,
    out: Path,
    device: str = "auto",
    workers: int = 0,
    checkpoint_folder: str | None = None,
    dataset: Path | None = None,
    monitor: str | None = None,
    group: Group | None = None,
) -> Path:
    """Trains and writes ``out/model.safetensors``, ``history.csv`` and a provenance record.

    The weights are those of the epoch with the highest RGB PSNR on the selection crops. A run
    that was stopped goes on after its last whole epoch, with the same result as one that was not.
    With ``monitor`` the central crops of that split are scored in every validation as well:
    column ``monitored_psnr_rgb`` of the history. They decide nothing; the weights are the same.

    In a ``group`` every process calls this with the same arguments; together they train what one
    process does, up to rounding, with the recipe's batch as the batch of all. The first one writes.
    A checkpoint holds nothing of their number: any other number goes on from it.

    Returns:
        Path of the weights.

    Raises:
        BenchError: for unusable settings or data; if another process trains the same; if the
            training stops being finite, naming step and layer. The last good checkpoint stays.
        Stopped: if it was told to stop; a checkpoint holds all that was done.
    """
    group = group or Group(device=device)
    check_output_folder(Path(out), (WEIGHTS, HISTORY, FACTS))
    chosen_device = prepare(group.device, seed, determinism=recipe.determinism, tf32=recipe.tf32)
    model = build(model_name, **model_kwargs).to(chosen_device)
    if recipe.channels_last:
        keep_channels_last(model)
    use_layers(model, recipe.layers, training=True)
    check_suits(model, model_name, recipe)
    prepare_shared(model, recipe, group)
    training_data = read_training_data(Path(data), recipe, dataset, monitor)
    optimiser = build_optimiser(recipe, model.parameters())
    run_settings = {
        "model": model_card(model_name).name,
        "kwargs": dict(model_kwargs),
        "recipe": recipe.model_dump(),
        "selected_on": training_data.source,
    }
    identity = {
        **run_settings,
        "seed": seed,
        "data": {k: v for k, v in training_data.digests.items() if k != "dataset.json"},
        "source": provenance.source_digest(_source_files(model_name)),
        # Of a GPU in a group the kind alone: it is gone on with by any number of them.
        "device": str(chosen_device) if group.size == 1 else chosen_device.type,
        "threads": torch.get_num_threads(),
    }
    checkpoint = checkpoint_files.checkpoint_path(provenance.key_of(identity), checkpoint_folder)
    progress = checkpoints.restore(checkpoint, model, optimiser)
    check_same_place(progress, checkpoint, group)
    read = image_reader(training_data.file_digests)
    crops = Crops(
        training_data.train,
        max(recipe.crop_sides),
        seed,
        recipe.crops_per_image,
        recipe.augment,
        recipe.pad,
        read,
    )
    select_crops = Crops(training_data.select, recipe.val_crop, read=read)
    monitor_crops = Crops(training_data.monitor, recipe.val_crop, read=read)
    epochs = plan_epochs(recipe, len(training_data.train))
    check_batches(epochs, len(crops), group.size)
    order = EpochBatches(len(crops), seed, group)
    batches = loaded(crop_loader(crops, order, workers, chosen_device))
    forward = training_forward(model, recipe, group)
    measured = Measured(chosen_device)

    def explain(epoch: Epoch) -> BenchError:
        """Why an epoch did not end well, from its repetition."""
        torch.manual_seed(seed)
        again = build(model_name, **model_kwargs).to(chosen_device)
        if recipe.channels_last:
            keep_channels_last(again)
        prepare_shared(again, recipe, group)
        steps = build_optimiser(recipe, again.parameters())
        kept = checkpoints.restore(checkpoint, again, steps)
        place = Interruptions(begun=kept.begun, group=group)
        seen = training_forward(again, recipe.model_copy(update={"compile": False}), group)

        def repeat() -> None:
            run_epoch(again, seen, steps, batches, recipe, seed, epoch, chosen_device, place)
            selection_psnr(again, select_crops, epoch.batch_size, chosen_device, group)

        where = first_not_finite(again, steps, repeat, group)
        rest = f"; {checkpoint} holds the {kept.epochs_done} epochs before it"
        return BenchError(
            f"training diverged in epoch {epoch.number}: {where}{rest if kept.epochs_done else ''}"
        )

    def keep_place(begun: dict[str, Any]) -> None:
        if is_finite(model):  # or the last good checkpoint stays
            progress.begun = begun
            keep()

    def keep() -> None:
        if group.leads:
            checkpoints.save(checkpoint, progress, model, optimiser)
        group.wait()

    with (
        stop_requests() as request,
        checkpoint_files.claimed(checkpoint) if group.leads else nullcontext(),
        Reporter(f"train {model_name}", len(epochs), progress.epochs_done) as reporter,
    ):
        place = Interruptions(request, keep_place, progress.begun, group)
        for epoch in epochs[progress.epochs_done :]:
            started = time.perf_counter()
            measured.start()
            done = run_epoch(
                model, forward, optimiser, batches, recipe, seed, epoch, chosen_device, place
            )
            measured.stepped(epoch)
            if not math.isfinite(done.mean_loss) or not is_finite(model):
                raise explain(epoch)
            psnr, rates = None, {}
            if (epoch.number + 1) % recipe.validate_every == 0 or epoch is epochs[-1]:
                with measured_rates(model, group) as rates:
                    psnr = selection_psnr(
                        model, select_crops, epoch.batch_size, chosen_device, group
                    )
                measured.validated(recipe.val_crop, len(select_crops))
                if math.isnan(psnr):
                    raise explain(epoch)
                if psnr > progress.best_psnr:
                    progress.best_psnr, progress.best_epoch = psnr, epoch.number
                    progress.best_state = {
                        k: v.detach().cpu().clone() for k, v in model.state_dict().items()
                    }
            row = {
                "epoch": epoch.number,
                "lr": rate_in_step(recipe, epoch, 0),
                "loss": done.mean_loss,
                "selection_psnr_rgb": psnr,
                # Monitoring is no training.
                "seconds": round(done.seconds + time.perf_counter() - started, 3),
            }
            if monitor:
                row["monitored_psnr_rgb"] = None
                if psnr is not None:
                    row["monitored_psnr_rgb"] = selection_psnr(
                        model, monitor_crops, epoch.batch_size, chosen_device, group
                    )
            row |= rates
            if group.size > 1:
                row[PROCESSES] = group.size
            progress.history.append(row)
            for line in news_of_dead_layers(progress.history):
                print(line, file=sys.stderr)
            progress.epochs_done, progress.begun = epoch.number + 1, None
            keep()
            shown = "" if psnr is None else f", {training_data.source} PSNR {psnr:.2f} dB RGB"
            reporter.advance(f"loss {done.mean_loss:.4f}{shown}")
            if epoch is not epochs[-1]:
                place.stop_if_told(f"after epoch {epoch.number}")

    if group.leads:
        _write_results(Path(out), progress, run_settings, training_data, seed, measured, monitor)
        if under_workflow():
            checkpoints.keep_finished(checkpoint, progress, Path(out))
        else:
            checkpoint_files.remove(checkpoint)
    group.wait()
    return Path(out) / WEIGHTS


def _source_files(model_name: str) -> list[Path]:
    """The files that decide what training a model yields."""
    return source_files(modules_behind([__name__, model_card(model_name).network.module]))


def _write_results(
    out: Path,
    progress: checkpoints.Progress,
    run_settings: dict[str, Any],
    training_data: TrainingData,
    seed: int,
    measured: Measured,
    monitor: str | None,
) -> None:
    if not progress.best_state:  # no validation gave a number: there is nothing to keep
        raise BenchError("training diverged: no epoch was validated with a finite result")
    # safetensors has no scalar-preserving guarantee for shared storage: every tensor is its own.
    tensors = {k: v.contiguous() for k, v in progress.best_state.items()}
    facts = {
        **run_settings,
        "best_epoch": progress.best_epoch,
        "best_selection_psnr_rgb": progress.best_psnr,  # null if infinite
        "train_pairs": len(training_data.train),
        "selection_pairs": len(training_data.select),
        "seconds": round(sum(row["seconds"] for row in progress.history), 1),
    }
    if monitor:
        facts |= {"monitored_on": monitor, "monitored_pairs": len(training_data.monitor)}
    with staged_folder(out, (WEIGHTS, HISTORY, FACTS)) as stage:
        rows = pd.DataFrame(progress.history)
        if PROCESSES in rows:
            rows[PROCESSES] = rows[PROCESSES].fillna(1).astype(int)
        rows.to_csv(stage / HISTORY, index=False)
        (stage / WEIGHTS).write_bytes(save(tensors, weight_metadata(run_settings)))
        write_json(stage / FACTS, facts)
        provenance.write_record(
            stage / WEIGHTS,
            stage / HISTORY,
            stage / FACTS,
            settings=run_settings,
            inputs=training_data.digests,
            device=str(measured.device),
            seed=seed,
            measured=measured.record(),
            processes=collections.Counter(row.get(PROCESSES, 1) for row in progress.history),
        )
