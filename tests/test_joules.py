"""Measured energy: what known readings of a meter come to, and machines without one."""

import itertools

import pytest
import torch
from helpers import one_line, read_json

from derainbench.energy.hardware import joules, meters
from derainbench.energy.hardware.meters import Reading
from derainbench.foundation.errors import BenchError


class FakeMeter:
    """Gives readings in turn, and keeps how many images each stretch had."""

    def __init__(self, *readings: Reading) -> None:
        self.readings = itertools.chain(readings, itertools.repeat(None))
        self.images: list[int] = []

    def begin(self) -> None:
        self.images.append(0)

    def end(self) -> Reading:
        return next(self.readings)


IDLE = Reading(5.0, {"cpu": 50.0})  # 10 W


@pytest.fixture
def at_rest(monkeypatch):
    monkeypatch.setattr(joules, "IDLE_SECONDS", 0)


def test_idle_power_is_subtracted_by_hand():
    """30 J in 2 s at 10 W idle leave 10 J for 5 images."""
    found = joules.above_idle([Reading(2.0, {"cpu": 30.0})], IDLE, images=5)
    assert found["cpu"]["joules_per_image"] == 2
    assert found["cpu"]["idle_watts"] == 10
    assert found["total"] == found["cpu"]


def test_parts_add_up_and_the_median_is_taken():
    idle = Reading(1.0, {"gpu": 20.0, "cpu": 10.0})
    readings = [
        Reading(1.0, {"gpu": 20.0 + g, "cpu": 10.0 + c}) for g, c in ((4, 2), (6, 3), (90, 1))
    ]
    found = joules.above_idle(readings, idle, images=2)
    assert found["gpu"]["joules_per_image"] == 3
    assert found["cpu"]["joules_per_image"] == 1
    assert found["total"]["repetitions"] == [3, 4.5, 45.5]
    assert (found["total"]["lowest"], found["total"]["highest"]) == (3, 45.5)


def test_less_than_idle_is_not_hidden():
    found = joules.above_idle([Reading(2.0, {"cpu": 15.0})], IDLE, images=5)
    assert found["cpu"]["joules_per_image"] == -1


class Counting(torch.nn.Module):
    """Tells the meter of every image."""

    def __init__(self, meter: FakeMeter) -> None:
        super().__init__()
        self.meter, self.passes = meter, 0

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        self.meter.images[-1] += 1
        return image


def test_a_stretch_is_filled_and_its_images_counted(at_rest):
    """One image takes 0.4 s, so 5 fill the 2 s that meters need; the third reading is the odd one."""
    one = Reading(0.4, {"cpu": 6.0})
    work = [Reading(2.0, {"cpu": c}) for c in (30.0, 31.0, 80.0)]
    meter = FakeMeter(IDLE, one, *work)
    model = Counting(meter)
    found = joules.energy_drawn(model, torch.zeros(1, 3, 4, 4), meter, repetitions=3)
    assert found["images_per_repetition"] == 5
    assert found["seconds_per_image"] == 0.4
    assert found["parts"]["cpu"]["joules_per_image"] == pytest.approx(2.2)
    # The warm-up falls behind the rest, outside every stretch.
    assert meter.images == [joules.WARM_UP, 1, 5, 5, 5]
    assert model.passes == joules.WARM_UP + 1 + 3 * 5


def test_a_measurement_is_written_with_its_record(at_rest, monkeypatch, prn_weights, tmp_path):
    meter = FakeMeter(IDLE, Reading(2.0, {"cpu": 24.0}), *[Reading(2.0, {"cpu": 30.0})] * 2)
    monkeypatch.setattr(joules, "open_meter", lambda device: meter)
    out = tmp_path / "j.json"
    result = joules.measure(
        model_name="prn_r", weights=prn_weights, out=out, size=16, repetitions=2, device="cpu"
    )
    assert read_json(out) == result
    assert result["status"] == "measured"
    assert result["parts"]["total"]["joules_per_image"] == 10
    assert joules.joule_sentences(result)[0].startswith("cpu: 10 J per image above idle")
    assert read_json(tmp_path / "j.json.provenance.json")["packages"]["zeus"]


def test_a_machine_without_meters_is_a_result(cli, monkeypatch, prn_weights, tmp_path):
    def none(device):
        raise meters.Unavailable("no meters in this test")

    monkeypatch.setattr(joules, "open_meter", none)
    out = tmp_path / "j.json"
    done = cli("joules", "--model", "prn_r", "--weights", prn_weights, "--size", 16, "--out", out)
    assert done.code == 0
    assert done.stdout == "not available on this machine: no meters in this test\n"
    content = read_json(out)
    assert content["status"] == "not available on this machine"
    assert content["reason"] == "no meters in this test"
    assert "parts" not in content


def test_a_processor_whose_counters_cannot_be_read_says_so(monkeypatch):
    """zeus itself, told that there is no RAPL."""
    from zeus.device import cpu

    monkeypatch.setattr(cpu, "_cpus", None)
    monkeypatch.setattr(cpu, "rapl_is_available", lambda: False)
    with pytest.raises(meters.Unavailable) as refused:
        meters.open_meter(torch.device("cpu"))
    assert "RAPL" in one_line(refused.value)


def test_the_readings_of_zeus_in_joules(monkeypatch):
    """zeus itself on one processor that counts 7 J (and its memory 2 J) between two looks."""
    from zeus.device import cpu
    from zeus.device.cpu.common import CpuDramMeasurement

    class Processor:
        looks = 0

        def __len__(self) -> int:
            return 1

        def get_total_energy_consumption(self, index: int) -> CpuDramMeasurement:
            self.looks += 1
            return CpuDramMeasurement(cpu_mj=7000.0 * self.looks, dram_mj=2000.0 * self.looks)

    monkeypatch.setattr(cpu, "_cpus", Processor())
    meter = meters.open_meter(torch.device("cpu"))
    meter.begin()
    reading = meter.end()
    assert reading.joules == pytest.approx({"cpu": 7.0, "dram": 2.0})
    assert 0 <= reading.seconds < 60


def test_a_size_that_the_network_does_not_take_is_refused(tmp_path):
    with pytest.raises(BenchError, match="--size 18: esdnet needs a multiple of 4"):
        joules.measure(model_name="esdnet", weights=tmp_path / "w", out=tmp_path / "j", size=18)
