"""A disk that takes no more ends in a line that names the file, and leaves what was there."""

import errno
import os
import resource
import signal

import pytest
import torch
from helpers import one_line

from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import atomic_path, write_text
from derainbench.foundation.outputs import staged_folder
from derainbench.training import checkpoint_files, checkpoints


@pytest.fixture
def small_files():
    """Files of this process grow to 10,000 bytes at most: the system itself refuses the rest."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_file_that_does_not_fit_is_named_and_the_old_one_stays(tmp_path, small_files):
    file = tmp_path / "table.csv"
    write_text(file, "old")
    with pytest.raises(BenchError) as refused:
        write_text(file, "x" * 20_000)
    assert one_line(refused.value) == f"{file}: cannot be written (File too large)"
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_does_not_fit_is_named_and_the_old_one_stays(tmp_path, small_files):
    with pytest.raises(BenchError) as refused, staged_folder(tmp_path / "out") as stage:
        (stage / "x.txt").write_text("x" * 20_000)
    assert one_line(refused.value) == f"{tmp_path / 'out'}: cannot be written (File too large)"
    assert list(tmp_path.iterdir()) == []


def test_the_last_checkpoints_survive_one_that_does_not_fit(tmp_path, small_files):
    small, large, path = torch.nn.Linear(2, 2), torch.nn.Linear(90, 90), tmp_path / "x.pt"
    for done in (1, 2):
        checkpoints.save(
            path, checkpoints.Progress(done), small, torch.optim.SGD(small.parameters())
        )
    with pytest.raises(BenchError) as refused:
        checkpoints.save(path, checkpoints.Progress(3), large, torch.optim.SGD(large.parameters()))
    assert one_line(refused.value) == f"{path}: cannot be written (File too large)"
    kept = [
        checkpoints.read(f)["progress"]["epochs_done"]
        for f in (checkpoint_files.before(path), path)
    ]
    assert kept == [1, 2]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_does_not_say_where_it_is_full_is_given_the_path(tmp_path, number):
    with (
        pytest.raises(BenchError, match=r"x\.csv: cannot be written"),
        atomic_path(tmp_path / "x.csv"),
    ):
        raise OSError(number, os.strerror(number))


def test_an_error_about_another_file_is_not_blamed_on_the_output(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"), atomic_path(tmp_path / "x.csv"):
        (tmp_path / "gone").read_bytes()
    with pytest.raises(ConnectionError), atomic_path(tmp_path / "x.csv"):
        raise ConnectionError("the line is broken")
