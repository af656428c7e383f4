"""Files and folders appear whole or not at all, readable for colleagues."""

import os

import pytest
from helpers import one_line, tree

from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import (
    atomic_path,
    digest_of,
    write_json,
    write_text,
)
from derainbench.foundation.outputs import staged_folder


def test_a_file_appears_when_the_block_ends_well(tmp_path):
    with atomic_path(tmp_path / "new" / "a.txt") as temporary:
        temporary.write_text("whole")
        assert not (tmp_path / "new" / "a.txt").exists()
        assert temporary.suffix == ".txt"  # libraries choose the format by it
    assert tree(tmp_path).keys() == {"new/a.txt"}


def test_a_failed_file_leaves_the_old_one(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(ZeroDivisionError), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        _ = 1 / 0
    assert tree(tmp_path).keys() == {"a.txt"}
    assert (tmp_path / "a.txt").read_text() == "old"


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o007, 0o660)])
def test_files_have_the_mode_that_the_user_asked_for(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_json(tmp_path / "a.json", {"a": 1})
    finally:
        os.umask(before)
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == mode


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").touch()
    for open_it in (atomic_path, staged_folder):
        with pytest.raises(BenchError) as refused, open_it(tmp_path / "file" / "a"):
            pass
        assert one_line(refused.value).startswith(f"{tmp_path}/file/a: cannot be written")


def test_a_digest_covers_names_and_contents_in_any_order(tmp_path):
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        file.write_text(file.name)
    digest = digest_of(files, tmp_path)
    assert digest == digest_of(files[::-1], tmp_path)
    assert digest != digest_of(files[:1], tmp_path)
    files[0].write_text("b")
    files[1].write_text("a")
    assert digest != digest_of(files, tmp_path)
