"""Folders are filled whole or not at all, and nothing that others made is replaced or removed."""

import os
import shutil

import numpy as np
import pytest
from helpers import noise, one_line, read_json, save, tree

from derainbench.foundation import provenance
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import STAGE_PREFIX, pinned, temporary_prefix, write_text
from derainbench.foundation.outputs import (
    check_output_file,
    check_output_folder,
    overwriting,
    staged_folder,
)


def test_a_folder_is_filled_when_the_block_ends_well(tmp_path):
    with staged_folder(tmp_path / "out") as stage:
        (stage / "images").mkdir()
        (stage / "images" / "a.txt").write_text("a")
        (stage / "b.txt").write_text("b")
        assert not (tmp_path / "out" / "b.txt").exists()
    assert tree(tmp_path / "out").keys() == {"images/a.txt", "b.txt"}


def fill(folder, text: str, *names: str) -> None:
    with staged_folder(folder) as stage:
        for name in names:
            (stage / name).parent.mkdir(exist_ok=True)
            (stage / name).write_text(text)
        provenance.write_record(stage / names[-1], inputs={"text": text})


def test_a_second_filling_replaces_its_entries_and_leaves_others(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    fill(tmp_path, "old", "images/a.txt", "images/gone.txt", "b.txt")
    fill(tmp_path, "new", "images/a.txt", "b.txt")
    record = "b.txt.provenance.json"
    assert tree(tmp_path).keys() == {"mine.txt", "images/a.txt", "b.txt", record}
    assert (tmp_path / "images" / "a.txt").read_text() == "new"
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("existed", [True, False])
def test_a_failed_filling_changes_nothing(tmp_path, existed):
    out = tmp_path / "out"
    if existed:
        fill(out, "old", "images/a.txt")
    before = tree(tmp_path)
    with pytest.raises(ZeroDivisionError), staged_folder(out) as stage:
        (stage / "images").mkdir()
        (stage / "images" / "a.txt").write_text("new")
        _ = 1 / 0
    assert tree(tmp_path) == before
    assert out.exists() == existed


def test_a_record_knows_every_file_that_was_made_with_it(tmp_path):
    fill(tmp_path, "a", "images/a.txt", "b.txt", "c.txt")
    made = read_json(tmp_path / "c.txt.provenance.json")["outputs"]
    assert made.keys() == {"images/a.txt", "b.txt", "c.txt"}
    assert len(set(made.values())) == 1 and len(made["b.txt"]) == 64


@pytest.mark.parametrize("name", ["images/a.txt", "b.txt"])
def test_a_file_of_others_is_never_replaced_unless_that_is_told(tmp_path, name):
    (tmp_path / "images").mkdir()
    (tmp_path / name).write_text("mine")
    with pytest.raises(BenchError) as refused:
        fill(tmp_path, "new", "images/a.txt", "b.txt")
    assert f"{tmp_path / name}: exists already and was not made here" in one_line(refused.value)
    assert tree(tmp_path).keys() == {name}
    assert (tmp_path / name).read_text() == "mine"
    with overwriting(True):
        fill(tmp_path, "new", "images/a.txt", "b.txt")
    assert (tmp_path / name).read_text() == "new"


def test_a_file_put_into_a_folder_that_was_made_here_keeps_that_folder(tmp_path):
    fill(tmp_path, "old", "images/a.txt", "b.txt")
    (tmp_path / "images" / ".DS_Store").write_text("litter")
    fill(tmp_path, "new", "images/a.txt", "b.txt")
    (tmp_path / "images" / "mine.txt").write_text("mine")
    with pytest.raises(BenchError, match=r"images/mine\.txt: exists already"):
        fill(tmp_path, "newer", "images/a.txt", "b.txt")
    assert (tmp_path / "images" / "a.txt").read_text() == "new"


def test_a_file_that_was_changed_since_is_kept(tmp_path):
    fill(tmp_path, "old", "images/a.txt", "b.txt")
    (tmp_path / "images" / "a.txt").write_text("touched up by hand")
    with pytest.raises(BenchError, match=r"a\.txt: was changed since it was made here"):
        fill(tmp_path, "new", "images/a.txt", "b.txt")
    assert (tmp_path / "b.txt").read_text() == "old"


def test_what_an_earlier_call_made_stays_known(tmp_path):
    fill(tmp_path, "old", "a.txt", "b.txt")
    fill(tmp_path, "new", "b.txt")
    fill(tmp_path, "newer", "a.txt", "b.txt")
    assert (tmp_path / "a.txt").read_text() == "newer"


def test_a_clash_is_found_before_the_work(tmp_path):
    (tmp_path / "b.txt").write_text("mine")
    with (
        pytest.raises(BenchError, match=r"b\.txt: exists already"),
        staged_folder(tmp_path, ["b.txt"]),
    ):
        pytest.fail("the work began")


def test_a_link_to_somewhere_else_is_not_replaced(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "images").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BenchError, match="images: exists already"):
        fill(tmp_path / "out", "new", "images/a.txt", "b.txt")
    assert (tmp_path / "out" / "images").is_symlink()


def test_records_of_older_versions_stand_for_the_file_beside_them(tmp_path):
    (tmp_path / "b.txt").write_text("old")
    (tmp_path / "b.txt.provenance.json").write_text('{"derainbench": "0.1.0"}')
    fill(tmp_path, "new", "b.txt")
    assert (tmp_path / "b.txt").read_text() == "new"


def test_an_output_of_the_wrong_kind_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BenchError, match="is a folder; --out names a file"):
        check_output_file(tmp_path)
    with pytest.raises(BenchError, match="is a file; --out names a folder"):
        check_output_folder(tmp_path / "file")


@pytest.fixture
def photographs(tmp_path):
    """Pairs of a user: rainy/ and clean/, of two images."""
    for i in range(2):
        clean = noise(32, 32, seed=i) // 2
        save(tmp_path / "clean" / f"{i}.png", clean)
        save(tmp_path / "rainy" / f"{i}.png", np.clip(clean + 20, 0, 255).astype(np.uint8))
    return tmp_path


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("score --restored rainy --target clean --out clean/0.png", "lies inside clean, which is"),
        ("score --restored rainy --target clean --out clean/new.csv", "lies inside clean, which"),
        ("score --restored rainy --target clean --out clean", "is read by this call"),
        ("score --restored rainy --target clean --out mine.csv", "mine.csv: exists already and was"),
        ("no-reference rainy --out rainy/0.png", "lies inside rainy"),
        ("no-reference rainy --out mine.csv", "mine.csv: exists already"),
        ("data synthesise light --out mine", "mine/train/a.png: exists already"),
        ("data verify rainy --out rainy/facts", "lies inside rainy"),
        ("data leaks rainy clean --out clean/leaks", "lies inside clean"),
        ("structure --out mine.csv", "mine.csv: is a file; --out names a folder"),
        ("sensitivity --out mine", "mine: is a folder; --out names a file"),
        ("crosscheck --out mine.csv/below", "mine.csv is a file"),
    ],
)  # fmt: skip
def test_no_verb_writes_over_what_is_the_users(cli, photographs, monkeypatch, command, message):
    monkeypatch.chdir(photographs)
    (photographs / "mine.csv").write_text("precious")
    save(photographs / "mine" / "train" / "a.png", noise(16, 16))
    before = tree(photographs)
    done = cli(*command.split())
    assert done.code == 1, done.stderr
    assert message in done.stderr and done.stderr.count("\n") == 1
    assert tree(photographs) == before


def test_a_result_is_made_again_where_it_was(cli, photographs, monkeypatch):
    monkeypatch.chdir(photographs)
    command = "score --restored rainy --target clean --out scores.csv"
    assert cli(*command.split()).code == 0
    assert cli(*command.split()).code == 0
    (photographs / "scores.csv").write_text("my notes")
    assert cli(*command.split()).code == 1
    assert (photographs / "scores.csv").read_text() == "my notes"
    assert cli(*command.split(), "--overwrite").code == 0
    assert (photographs / "scores.csv").read_text().startswith("image,")


def test_what_a_killed_call_put_together_is_removed(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 2**22 + 1)  # no process can have this number
        abandoned = tmp_path / f"{temporary_prefix(STAGE_PREFIX)}abcdefgh"
    living = tmp_path / f"{temporary_prefix(STAGE_PREFIX)}abcdefgh"
    for folder in (abandoned, living):
        write_text(folder / "x.csv", "half")
    with staged_folder(tmp_path) as stage:
        (stage / "y.csv").write_text("whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([living.name, "y.csv"])


@pytest.mark.parametrize("how", ["deleted", "another in its place"])
def test_a_folder_that_is_taken_away_meanwhile_is_no_result(how, tmp_path):
    out = tmp_path / "disk" / "out"
    with pytest.raises(BenchError) as refused, staged_folder(out) as stage:
        write_text(stage / "a.txt", "lost")
        shutil.rmtree(tmp_path / "disk")
        if how == "another in its place":
            write_text(stage / "b.txt", "made where the disk was")
    assert one_line(refused.value) == (
        f"{out}: was deleted or its disk taken away while it was written to; call again"
    )
    assert [*tmp_path.rglob("*.txt")] == []


def test_a_pinned_folder_is_told_from_another_of_its_name(tmp_path):
    folder = tmp_path / "x"
    folder.mkdir()
    with pinned(folder) as is_there:
        assert is_there()
        folder.rename(tmp_path / "y")
        assert not is_there()
        folder.mkdir()
        assert not is_there()
        folder.rmdir()
        (tmp_path / "y").rename(folder)
        assert is_there()
