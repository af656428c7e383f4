"""The readers of foreign bytes, each with a few valid files to start from.

A reader may return or raise BenchError in one line; anything else is a finding.
"""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save as save_safetensors

from derainbench.catalog.model_cards import parse_card
from derainbench.cli.options import assignments
from derainbench.config.schema import load
from derainbench.data.acquisition.archives import unpack
from derainbench.data.images import image_header, read_picture
from derainbench.foundation.documents import parse_yaml
from derainbench.foundation.errors import BenchError
from derainbench.models.weight_files import read_state_dict
from derainbench.models.weights import load_weights, model_named_by
from derainbench.results.reading import read_json, read_table

ROOT = Path(__file__).resolve().parent.parent.parent
MOST = 4_000_000  # bytes that an archive may unpack to


@dataclass(frozen=True)
class Reader:
    """Something that reads a file of strangers.

    Attributes:
        read: takes the file and a folder that it may write to.
        suffixes: names that such files go by.
        seeds: valid files.
    """

    read: Callable[[Path, Path], object]
    suffixes: tuple[str, ...]
    seeds: tuple[bytes, ...]


def _images() -> tuple[bytes, ...]:
    pixels = np.arange(12 * 10 * 3, dtype=np.uint8).reshape(12, 10, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    found = []
    for kind in ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF"):
        for image in (Image.fromarray(pixels), Image.fromarray(pixels).convert("P")):
            stream = io.BytesIO()
            image = image.convert("RGB") if kind == "JPEG" else image
            image.save(stream, kind, exif=exif)
            found.append(stream.getvalue())
    return tuple(found)


def _read_image(file: Path, _: Path) -> None:
    image_header(file)
    read_picture(file)


def _weights() -> tuple[bytes, ...]:
    state = {"0.weight": torch.ones(2, 3), "0.bias": torch.zeros(2)}
    stream = io.BytesIO()
    torch.save({"params_ema": state}, stream)
    note = {"derainbench": json.dumps({"model": "prn_r", "kwargs": {}})}
    return stream.getvalue(), save_safetensors(state, metadata=note)


def _read_weights(file: Path, _: Path) -> None:
    for read in (read_state_dict, model_named_by):
        try:
            read(file)
        except BenchError:
            continue
    load_weights(torch.nn.Sequential(torch.nn.Linear(3, 2)), file)


def _archives() -> tuple[bytes, ...]:
    image = _images()[0]
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rain/1.png", image)
        archive.writestr("inner.zip", zipped.getvalue())
    with tarfile.open(fileobj=tarred, mode="w:gz") as archive:
        info = tarfile.TarInfo("rain/1.png")
        info.size = len(image)
        archive.addfile(info, io.BytesIO(image))
    return zipped.getvalue(), tarred.getvalue()


def _texts(*patterns: str) -> tuple[bytes, ...]:
    return tuple(f.read_bytes() for pattern in patterns for f in sorted(ROOT.glob(pattern))[:3])


def _read_card(file: Path, _: Path) -> None:
    try:
        values = parse_yaml(file.read_text("utf-8"))
    except ValueError:  # what callers turn into a line
        return
    named = isinstance(values, dict) and isinstance(values.get("name"), str)
    parse_card(values, f"{values['name']}.yaml" if named else file.name)


def _read_assignment(file: Path, _: Path) -> None:
    import typer

    try:
        assignments([file.read_text("utf-8", errors="replace")], "--kwarg")
    except typer.BadParameter:
        return


READERS = {
    "image": Reader(_read_image, (".png", ".jpg", ".tif", ".webp", ".bmp"), _images()),
    "weights": Reader(_read_weights, (".pth", ".safetensors"), _weights()),
    "archive": Reader(lambda f, out: unpack(f, out, MOST), (".zip", ".tar.gz", ".7z"), _archives()),
    "configuration": Reader(lambda f, _: load(f), (".yaml", ".json"), _texts("config/*.yaml")),
    "card": Reader(_read_card, (".yaml",), _texts("derainbench/catalog/models/*.yaml")),
    "assignment": Reader(_read_assignment, ("",), (b"dim=16", b"a={b: [1, 2]}", b"x=")),
    "table": Reader(
        lambda f, _: read_table(f), (".csv",), _texts("results/reference/smoke/tables/s*.csv")
    ),
    "json": Reader(
        lambda f, _: read_json(f), (".json",), _texts("results/reference/smoke/audit/*.json")
    ),
}


def read_all(name: str, content: bytes, suffix: str, folder: Path) -> None:
    """Gives bytes to a reader; fails on anything but a result or one line.

    Args:
        name: of :data:`READERS`.
        content: of the file.
        suffix: of the file's name.
        folder: empty; nothing may be written anywhere else.
    """
    file, out = folder / f"file{suffix}", folder / "out"
    file.write_bytes(content)
    try:
        READERS[name].read(file, out)
    except BenchError as error:
        assert "\n" not in str(error), f"several lines: {error}"
    beside = {entry.name for entry in folder.iterdir()} - {file.name, "out"}
    assert not beside, f"written beside the output folder: {beside}"
    assert file.read_bytes() == content, "the file itself was changed"
