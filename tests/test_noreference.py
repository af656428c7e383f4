"""No-reference scores: measured where parameters are at hand, and a reason where they are not."""

import numpy as np
import pandas as pd
import pytest
import scipy.io
import skimage.data
import torch
from helpers import noise, one_line, read_json, refusal, save

from derainbench.data.acquisition.download import Patience
from derainbench.evaluation import metric_files, no_reference
from derainbench.evaluation.no_reference import load_metric, means, parameter_file, rate
from derainbench.foundation.errors import BenchError
from derainbench.metrics.no_reference import METRICS

NIQE, BRISQUE, PIQE = METRICS


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    """pyiqa's cache as on a machine where it never downloaded anything."""
    monkeypatch.setattr(no_reference, "pyiqa_cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(metric_files, "pyiqa_cache", lambda: tmp_path / "cache")


@pytest.fixture
def parameter_files(tmp_path):
    """Parameter files of the true shapes, with made-up numbers."""
    rng = np.random.default_rng(0)
    factor = rng.standard_normal((36, 36))
    (tmp_path / "files").mkdir()
    priors = {"mu_prisparam": rng.random((1, 36)), "cov_prisparam": factor @ factor.T}
    scipy.io.savemat(tmp_path / "files" / NIQE.file, priors)
    machine = (torch.rand(20, 1), torch.rand(20, 36))
    torch.save(machine, tmp_path / "files" / BRISQUE.file)
    return tmp_path / "files"


@pytest.fixture
def photographs(tmp_path):
    for name in ("chelsea", "coffee"):
        save(tmp_path / "images" / f"{name}.png", getattr(skimage.data, name)()[:200, :240])
    return tmp_path / "images"


def test_every_metric_gives_a_number_with_its_file(photographs, parameter_files, tmp_path):
    table = rate(photographs, tmp_path / "out.csv", parameter_files)
    assert len(table) == 2 * len(METRICS)
    assert np.isfinite(table.score).all()
    assert all(reason == "" for _, reason in means(table).values())
    record = read_json(tmp_path / "out.csv.provenance.json")
    assert record["inputs"].keys() == {"images", NIQE.file, BRISQUE.file}


def test_a_missing_file_gives_a_reason_and_the_rest_is_measured(photographs, tmp_path):
    found = means(rate(photographs, tmp_path / "out.csv"))
    assert np.isfinite(found["piqe"][0])
    for metric in (NIQE, BRISQUE):
        score, reason = found[metric.name]
        assert np.isnan(score)
        assert metric.file in reason and f"derainbench metrics fetch {metric.name}" in reason


def test_more_noise_gives_a_worse_piqe(tmp_path):
    clean = skimage.data.coffee()[:256, :256]
    save(tmp_path / "a" / "clean.png", clean)
    noisy = np.clip(clean + np.random.default_rng(0).normal(0, 25, clean.shape), 0, 255)
    save(tmp_path / "a" / "noisy.png", noisy.astype(np.uint8))
    table = rate(tmp_path / "a", tmp_path / "out.csv")
    scores = table[table.metric == "piqe"].set_index("image").score
    assert scores["noisy.png"] > scores["clean.png"]


def test_pyiqas_own_download_is_used_where_there_is_one(parameter_files, tmp_path):
    parameter_files.rename(tmp_path / "cache")
    assert parameter_file(NIQE, None) == tmp_path / "cache" / NIQE.file
    assert parameter_file(PIQE, None) is None


@pytest.mark.parametrize("metric", [NIQE, BRISQUE], ids=lambda m: m.name)
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_a_damaged_file_is_refused(metric, content, tmp_path):
    (tmp_path / metric.file).write_bytes(content)
    with pytest.raises(BenchError) as refused:
        load_metric(metric, tmp_path)
    assert f"not the parameter file of {metric.title}" in one_line(refused.value)


def test_code_in_a_parameter_file_is_not_run(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    torch.save((Harmful(), torch.rand(2, 36)), tmp_path / BRISQUE.file)
    with pytest.raises(BenchError):
        load_metric(BRISQUE, tmp_path)
    assert not (tmp_path / "harm").exists()


def test_an_image_too_small_for_a_metric_has_a_reason(parameter_files, tmp_path):
    save(tmp_path / "a" / "tiny.png", noise(20, 20))
    found = means(rate(tmp_path / "a", tmp_path / "out.csv", parameter_files))
    assert "tiny.png: not" in found["niqe"][1]


def test_the_command_prints_scores_and_reasons(cli, photographs, tmp_path):
    done = cli("rate", photographs, "--out", tmp_path / "out.csv")
    assert done.code == 0
    assert done.stdout.splitlines()[0].startswith("NIQE: not measured: ")
    assert done.stdout.splitlines()[2].startswith("PIQE: ")
    assert len(pd.read_csv(tmp_path / "out.csv")) == 6


def test_files_are_fetched_once_from_the_first_store_that_answers(monkeypatch, tmp_path):
    asked = []

    def download(url, target, patience):
        asked.append(url)
        if "huggingface" in url:
            raise metric_files.MirrorError(f"{url}: no connection")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"parameters")

    monkeypatch.setattr(metric_files, "download", download)
    for _ in range(2):
        assert metric_files.fetch(["niqe"], tmp_path / "m") == [tmp_path / "m" / NIQE.file]
    assert [("huggingface" in url, NIQE.file in url) for url in asked] == [
        (True, True),
        (False, True),
    ]


def test_where_nothing_answers_the_way_by_hand_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(metric_files, "addresses", lambda file: [f"http://127.0.0.1:9/{file}"])
    with pytest.raises(BenchError) as refused:
        metric_files.fetch(["brisque"], tmp_path, Patience(attempts=1, connect=1, read=1))
    assert f"put {BRISQUE.file}" in one_line(refused.value)
    assert not (tmp_path / BRISQUE.file).exists()


def test_a_misspelt_metric_is_a_usage_error(cli):
    assert "'nique' is not one of" in refusal(cli("metrics", "fetch", "nique"), 2)
