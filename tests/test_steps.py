"""Steps of training: which crops they see, what a GPU is asked for, and what it is never asked."""

import itertools
import math

import pytest
import torch
from helpers import one_line
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils.data import DataLoader

from derainbench.catalog.recipes import load_recipe
from derainbench.data.crops import CropKey, Crops
from derainbench.data.pairs import read_split
from derainbench.foundation.errors import BenchError
from derainbench.models.construction import build
from derainbench.training import steps
from derainbench.training.interruption import Interruptions, StepsDone
from derainbench.training.optimisers import build_optimiser
from derainbench.training.schedule import Epoch, plan_epochs

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
TINY = {"epochs": 2, "warmup_epochs": 1, "batch_size": 2, "crop": 16, "val_crop": 16}
ESDNET = {"dim": 16, "en_num_blocks": [1, 1, 1], "de_num_blocks": [1, 1, 1], "T": 1}


@pytest.fixture
def pairs(paired_set):
    return read_split(paired_set(splits={"train": 5}, size=(24, 32)) / "train").pairs


def batches_of(epoch: Epoch, crops: int, seed: int) -> steps.EpochBatches:
    batches = steps.EpochBatches(crops, seed)
    batches.epoch = epoch
    return batches


@pytest.mark.parametrize("number", [0, 3])
def test_the_order_is_that_of_torchs_shuffling_loader(number):
    generator = torch.Generator().manual_seed(5 * 1_000_003 + number)
    loader = DataLoader(range(11), 4, shuffle=True, generator=generator)
    expected = [batch.tolist() for batch in itertools.islice(loader, 2)]
    batches = batches_of(Epoch(number, 0, steps=2, crop=16, batch_size=4), 11, seed=5)
    assert [[key.number for key in batch] for batch in batches] == expected
    assert {key[1:] for batch in batches for key in batch} == {(number, 16)}


def test_the_last_batch_of_a_whole_epoch_is_what_is_left():
    batches = batches_of(Epoch(0, 0, steps=3, crop=16, batch_size=4), 11, seed=5)
    assert [len(batch) for batch in batches] == [4, 4, 3]
    assert sorted(key.number for batch in batches for key in batch) == list(range(11))


def test_processes_that_stay_alive_see_every_epoch_as_one_process_does(pairs):
    """Of a progressive run, whose later epochs have other batches and larger crops."""
    phases = [{"steps": s, "crop": c, "batch_size": b} for s, c, b in ((4, 16, 2), (2, 24, 3))]
    fields = {"progressive": phases, "hold": 1, "crops_per_image": 1, "augment": ["hflip"]}
    epochs = plan_epochs(load_recipe("restormer", fields), len(pairs))
    assert len(epochs) == 3  # of 3, 1 and 2 steps

    def seen(workers):
        crops = Crops(pairs, 24, seed=7, augment=["hflip"])
        batches = steps.EpochBatches(len(crops), 7)
        loader = steps.crop_loader(crops, batches, workers, CPU)
        for epoch in epochs:
            batches.epoch = epoch
            yield from loader
        processes.append(getattr(loader, "_iterator", None))

    processes = []
    alone, helped = list(seen(0)), list(seen(2))
    assert [len(rainy) for rainy, _ in alone] == [2, 2, 1, 2, 3, 2]
    for (a, b), (c, d) in zip(alone, helped, strict=True):
        assert torch.equal(a, c) and torch.equal(b, d)
    assert [p is not None and p._persistent_workers for p in processes] == [False, True]


def test_loading_draws_nothing_from_the_generator_of_the_network(pairs):
    crops = Crops(pairs, 16, seed=1)
    loader = steps.crop_loader(crops, batches_of(Epoch(0, 0, 2, 16, 2), 5, 1), 0, CPU)
    before = torch.get_rng_state()
    list(loader)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("device", "asked"), [(CPU, False), (GPU, True)])
def test_only_a_gpu_is_fed_from_pinned_memory_and_without_waiting(device, asked, pairs):
    loader = steps.crop_loader(Crops(pairs, 16), steps.EpochBatches(5, 1), 0, device)
    assert loader.pin_memory is asked

    class Images:
        def to(self, where, non_blocking):
            return where, non_blocking

    assert steps.moved(Images(), device) == (device, asked)


@pytest.mark.parametrize("optimiser", ["adamw", "adam", "sgd"])
def test_only_a_gpu_updates_all_parameters_at_once(optimiser):
    recipe = load_recipe("esdnet", {"optimiser": optimiser})
    with FakeTensorMode():
        for device, fused in (("cpu", None), ("cuda", True)):
            parameter = torch.nn.Parameter(torch.zeros(2, device=device))
            assert build_optimiser(recipe, iter([parameter])).defaults["fused"] is fused


def test_no_step_asks_the_device_for_a_number(monkeypatch):
    """Fake tensors have none: whoever asks for one, as ``loss.item()`` does, raises."""
    recipe = load_recipe("esdnet", {**TINY, "clip_norm": 0.1})
    epoch = plan_epochs(recipe, 4)[1]
    kept = []
    monkeypatch.setattr(StepsDone, "read_losses", lambda done, _: kept.extend(done.unread))
    with FakeTensorMode():
        network = build("esdnet", **ESDNET)
        optimiser = torch.optim.AdamW(network.parameters(), fused=True)  # as on a GPU
        batch = (torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16))
        steps.run_epoch(
            network,
            network,
            optimiser,
            lambda *_: 2 * [batch],
            recipe,
            1,
            epoch,
            CPU,
            Interruptions(),
        )
        assert [crops for _, crops in kept] == [2, 2]
        with pytest.raises(DataDependentOutputException):
            kept[0][0].item()


@pytest.mark.parametrize("read_early", [False, True])
def test_the_mean_loss_is_over_crops(read_early):
    losses, done, total = [torch.tensor(x) for x in (0.1, 0.2, 0.7)], StepsDone(), 0.0
    for loss, size in zip(losses, (2, 2, 1), strict=True):
        total += loss.item() * size  # as it was summed in every step
        done.add(loss, size)
        if read_early:
            done.read_losses()
    done.read_losses()
    assert done.mean_loss == total / 5


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_loss_that_is_not_finite_shows_in_the_mean(value):
    done = StepsDone()
    for loss in (1.0, float(value), 1.0):
        done.add(torch.tensor(loss), 2)
    done.read_losses()
    assert not math.isfinite(done.mean_loss)


def test_what_is_compiled_is_what_steps_call(monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "compile", lambda function: asked.append(function) or function)
    model = build("rescan", channel=8, depth=4, stage_num=2)
    image = torch.rand(1, 3, 16, 16)
    for weight, expected in ((0, model), (1, model.stages)):
        recipe = load_recipe("rescan", {"compile": True, "stage_weight": weight})
        outputs = steps.training_forward(model, recipe)(image)
        assert asked.pop() == expected and len(outputs) == (1 if weight == 0 else 2)
        assert steps.training_forward(model, load_recipe("rescan", {"stage_weight": weight}))
        assert asked == []


def test_a_network_that_torch_cannot_compile_is_refused_in_one_line(monkeypatch):
    from torch._dynamo.exc import InternalTorchDynamoError

    def fails(_):
        raise InternalTorchDynamoError("no C++ compiler\nand a long story")

    monkeypatch.setattr(torch, "compile", lambda function: fails)
    forward = steps.compiled(lambda x: x)
    with pytest.raises(BenchError) as refused:
        forward(torch.zeros(1))
    assert one_line(refused.value).endswith("cannot compile the network: no C++ compiler")


def test_a_number_alone_is_a_crop_of_epoch_0(pairs):
    crops = Crops(pairs, 16, seed=3)
    assert torch.equal(crops[2][0], crops[CropKey(2, 0, 16)][0])
