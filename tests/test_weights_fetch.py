"""Weights are fetched whole, checked against their model, or refused in one line."""

import functools
import http.server
import io
import threading
import zipfile

import pytest
import torch
import yaml
from helpers import CARD_FACTS, read_json, refusal, tree
from test_weights_unusable import Intruder

from derainbench.catalog import model_cards
from derainbench.catalog.model_cards import model_card
from derainbench.foundation.files import sha256
from derainbench.models.construction import build
from derainbench.models.weights_download import fetch

CARD = CARD_FACTS | {"title": "PRN_r"}
PLACE = "set_a/prn_r.pth"
BY_HAND = {"kind": "manual", "url": "http://pan/x", "password": "abcd"}


def saved(model: str, seed: int = 0) -> bytes:
    """A weight file of a model, with random weights."""
    torch.manual_seed(seed)
    stream = io.BytesIO()
    torch.save(build(model).state_dict(), stream)
    return stream.getvalue()


GOOD = saved("prn_r")


@pytest.fixture
def site(tmp_path):
    """A local web site: its folder, its address, and the paths it was asked for."""
    folder = tmp_path / "www"
    folder.mkdir()
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            asked.append(self.path)

    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.fixture
def offer(site, monkeypatch, tmp_path):
    """Gives one model another card, with these weight files; a source may be (name, content) on the site."""
    folder, address, _ = site
    known = model_cards.card_files()

    def put(*files: dict, model: str = "prn_r") -> None:
        entries = []
        for file in files:
            sources = []
            for source in file["sources"]:
                if isinstance(source, tuple):
                    name, content = source
                    (folder / name).write_bytes(content)
                    source = {"kind": "http", "url": f"{address}/{name}"}
                sources.append(source)
            entries.append({"name": PLACE, "dataset": "Set-A", **file, "sources": sources})
        network = model_card(model).network.model_dump(mode="json")
        card = {**CARD, "name": model, "network": network, "weights": entries}
        file = tmp_path / f"{model}.yaml"
        file.write_text(yaml.safe_dump(card))
        monkeypatch.setattr(model_cards, "card_files", lambda: {**known, model: file})

    return put


@pytest.fixture
def root(tmp_path):
    return tmp_path / "weights"


@pytest.fixture
def call(cli, root):
    """``derainbench weights fetch prn_r``, without patience."""
    return functools.partial(
        cli, "weights", "fetch", "prn_r", "--root", root, "--attempts", 1, "--timeout", 5
    )


def visible(root) -> set[str]:
    """Files below a folder but for the locks; a download left behind would show."""
    return {path for path in tree(root) if not path.startswith(".weights.lock.json.")}


def test_a_file_is_fetched_checked_and_put_in_its_place(offer, call, root, site):
    offer({"sources": [("a.pth", GOOD)]})
    done = call()
    assert (done.code, done.stderr.count("error")) == (0, 0)
    assert done.stdout.startswith(f"{root / PLACE}: Set-A: fetched, sha256 ")
    assert (root / PLACE).read_bytes() == GOOD
    assert visible(root) == {PLACE, "weights.lock.json"}
    lock = read_json(root / "weights.lock.json")[f"{site[1]}/a.pth"]
    assert (lock["sha256"], lock["bytes"]) == (sha256(root / PLACE), len(GOOD))


def test_a_second_fetch_does_nothing(offer, call, root, site):
    offer({"sources": [("a.pth", GOOD)]})
    call()
    before, asked = tree(root), len(site[2])
    done = call()
    assert done.code == 0 and "is there, sha256" in done.stdout
    assert (tree(root), len(site[2])) == (before, asked)


def code_inside(tmp_path) -> bytes:
    stream = io.BytesIO()
    torch.save({"conv.weight": Intruder(tmp_path / "trace")}, stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (GOOD[: len(GOOD) // 2], "damaged or truncated weight file"),
        (b"", "gives an empty file"),
        (b"<!DOCTYPE html><html>log in</html>", "gives a web page in place of the file"),
        (b"404: Not Found", "not a PyTorch weight file, or a damaged one"),
        (saved("ddn"), "does not fit ProgressiveNet"),
        (saved("prn"), "does not fit ProgressiveNet"),
        (code_inside, "not a weight file that can be trusted"),
    ],
    ids=["cut", "empty", "web page", "text", "another model", "a relative", "code"],
)
def test_what_is_not_the_models_weights_is_refused(content, reason, offer, call, root, tmp_path):
    content = content(tmp_path) if callable(content) else content
    offer({"sources": [("a.pth", content)]})
    said = refusal_after_progress(call())
    assert reason in said and "/a.pth: " in said
    assert ".downloads" not in said, "names the address, not where the file was checked"
    assert said.endswith(f"and save it as {root / PLACE}")
    assert visible(root) == set()
    assert not (tmp_path / "trace").exists()


def refusal_after_progress(done) -> str:
    """What was refused, where lines about the transfer may come before."""
    *progress, last = done.stderr.splitlines(keepends=True)
    assert all(line.startswith("download ") for line in progress), done.stderr
    return refusal(type(done)(done.code, done.stdout, last), 1)


def test_a_wrong_checksum_is_refused(offer, call, root):
    offer({"sources": [("a.pth", GOOD)], "sha256": "0" * 64})
    assert "wrong checksum" in refusal_after_progress(call())
    assert visible(root) == set()


def test_the_next_source_is_tried(offer, call, root):
    offer({"sources": [("a.pth", saved("prn")), ("b.pth", GOOD)]})
    assert call().code == 0
    assert (root / PLACE).read_bytes() == GOOD


def test_a_missing_file_and_a_dead_server_are_told_apart(offer, call, site):
    urls = (f"{site[1]}/none.pth", "http://127.0.0.1:9/a.pth")
    offer({"sources": [{"kind": "http", "url": url} for url in urls]})
    said = refusal_after_progress(call())
    assert "none.pth: the server answers 404" in said
    assert "a.pth: no connection after 1 try" in said


def test_a_file_that_changed_at_its_address_is_refused_until_told(offer, call, root):
    offer({"sources": [("a.pth", GOOD)]})
    call()
    (root / PLACE).unlink()
    new = saved("prn_r", seed=1)
    offer({"sources": [("a.pth", new)]})
    assert "--accept-new" in refusal_after_progress(call())
    assert visible(root) == {"weights.lock.json"}
    assert call("--accept-new").code == 0
    assert (root / PLACE).read_bytes() == new


def test_constructor_arguments_of_the_card_are_used(offer, root):
    stream = io.BytesIO()
    torch.save({"net": build("efficientderain", width=8).state_dict()}, stream)
    small = {"name": "set_a/small.pth", "sources": [("s.pth", stream.getvalue())]}
    offer({**small, "kwargs": {"width": 8}, "key": "net"}, model="efficientderain")
    assert fetch("efficientderain", root)
    (root / "set_a" / "small.pth").unlink()
    offer({**small, "kwargs": {}}, model="efficientderain")
    with pytest.raises(Exception, match="does not fit EfficientDerain"):
        fetch("efficientderain", root)


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"models/{name}/{name}.pth", content)
    return stream.getvalue()


def test_files_are_taken_out_of_an_archive_that_is_fetched_once(offer, call, root, site):
    archive = [("all.zip", zipped(v1=GOOD, v2=saved("prn_r", seed=1)))]
    second = {"name": "set_b/prn_r.pth", "sources": archive, "member": "v2.pth"}
    offer({"sources": archive, "member": "v1.pth"}, second)
    assert call().code == 0
    assert visible(root) == {PLACE, "set_b/prn_r.pth", "weights.lock.json"}
    assert site[2] == ["/all.zip"]
    assert "sha256" in call().stdout and site[2] == ["/all.zip"]


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (zipped(v2=GOOD), "holds 0 files called v1.pth instead of one"),
        (zipped(v1=saved("prn")), "does not fit ProgressiveNet"),
        (b"PK no archive", "is no zip archive"),
        (zipped(v1=GOOD)[:-1000], "is no zip archive"),
    ],
)
def test_an_archive_without_the_file_is_refused(archive, reason, offer, call, root):
    offer({"sources": [("all.zip", archive)], "member": "v1.pth"})
    assert reason in refusal_after_progress(call())
    assert visible(root) == set()


def test_what_only_a_person_can_get_is_said_in_one_line(offer, call, root):
    offer({"sources": [BY_HAND]})
    assert refusal(call(), 1) == (
        f"{PLACE}: not to be had; by hand: download http://pan/x (password abcd) "
        f"and save it as {root / PLACE}"
    )
    assert not root.exists()


def test_something_is_better_than_nothing(offer, call, root):
    offer({"sources": [("a.pth", GOOD)]}, {"name": "set_b/b.pth", "sources": [BY_HAND]})
    done = call()
    places = [line.split(": ")[0] for line in done.stdout.splitlines()]
    assert (done.code, places) == (0, [str(root / PLACE), "set_b/b.pth"])


def test_a_file_that_a_person_put_there_is_checked(offer, call, root):
    offer({"sources": [BY_HAND]})
    (root / PLACE).parent.mkdir(parents=True)
    (root / PLACE).write_bytes(GOOD)
    assert "is there, fits PRN_r; no digest is known" in call().stdout
    (root / PLACE).write_bytes(saved("prn"))
    assert f"{root / PLACE}: does not fit" in refusal(call(), 1)
    assert (root / PLACE).read_bytes() == saved("prn"), "what a person put there stays"


def test_another_file_than_the_known_one_is_refused(offer, call, root):
    offer({"sources": [("a.pth", GOOD)], "sha256": "0" * 64})
    (root / PLACE).parent.mkdir(parents=True)
    (root / PLACE).write_bytes(GOOD)
    assert "is there, but is another file" in refusal(call(), 1)
    assert (root / PLACE).read_bytes() == GOOD


def test_only_the_wanted_data_set_is_fetched(offer, call, root):
    second = {"name": "set_b/b.pth", "dataset": "SetB", "sources": [("a.pth", GOOD)]}
    offer({"sources": [("a.pth", GOOD)]}, second)
    assert call("--dataset", "setb").code == 0
    assert visible(root) == {"set_b/b.pth", "weights.lock.json"}
    assert refusal(call("--dataset", "SetC"), 1) == (
        "model 'prn_r' has no weights trained on 'SetC' (did you mean 'SetB'?)"
    )


def test_a_model_without_weights_says_why(cli, tmp_path):
    said = refusal(cli("weights", "fetch", "ddn", "--root", tmp_path / "w"), 1)
    assert said.startswith("model 'ddn' has no weights: the authors' weights are for MATLAB")
    assert "ddn: no weights: " in cli("weights", "list", "ddn").stdout


def test_the_list_shows_what_is_there(offer, cli, call, root):
    offer({"sources": [("a.pth", GOOD)]}, {"name": "set_b/b.pth", "sources": [BY_HAND]})
    call()
    rows = cli("weights", "list", "--root", root).stdout.splitlines()
    first, second = (row for row in rows if row.startswith("| prn_r "))
    assert "automatic" in first and " yes " in first
    assert "by hand" in second and " yes " not in second


def test_a_folder_that_cannot_be_written_is_named(offer, cli, tmp_path):
    offer({"sources": [("a.pth", GOOD)]})
    (tmp_path / "file").touch()
    said = refusal(cli("weights", "fetch", "prn_r", "--root", tmp_path / "file" / "w"), 1)
    assert f"{tmp_path / 'file' / 'w'}: cannot be written" in said
