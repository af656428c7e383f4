"""Images are read with the values they have, or refused; written whole, or not at all."""

import struct
import zlib

import numpy as np
import pytest
from helpers import noise, one_line
from PIL import Image

from derainbench.data.images import image_files, image_size, read_rgb, write_png
from derainbench.foundation.errors import BenchError


def grey_ramp() -> np.ndarray:
    return np.arange(12 * 16, dtype=np.uint8).reshape(12, 16)


def test_rgb_keeps_its_values(tmp_path):
    image = noise(12, 16)
    for name in ("a.png", "a.bmp", "a.tif"):
        Image.fromarray(image).save(tmp_path / name)
        assert np.array_equal(read_rgb(tmp_path / name), image), name
        assert image_size(tmp_path / name) == (12, 16)


def test_jpeg_is_read(tmp_path):
    Image.fromarray(noise(12, 16)).save(tmp_path / "a.jpg", quality=95)
    image = read_rgb(tmp_path / "a.jpg")
    assert image.shape == (12, 16, 3) and image.dtype == np.uint8


def test_grey_is_repeated_over_the_channels(tmp_path):
    Image.fromarray(grey_ramp()).save(tmp_path / "grey.png")
    assert np.array_equal(read_rgb(tmp_path / "grey.png"), np.stack(3 * [grey_ramp()], axis=-1))


def test_bilevel_becomes_black_and_white(tmp_path):
    bits = grey_ramp() % 3 == 0
    Image.fromarray(bits).save(tmp_path / "bits.png")
    with Image.open(tmp_path / "bits.png") as image:
        assert image.mode == "1"
    assert np.array_equal(read_rgb(tmp_path / "bits.png"), 255 * np.stack(3 * [bits], axis=-1))


def palette_image() -> tuple[Image.Image, np.ndarray]:
    colours = noise(1, 8, seed=3)[0]
    indices = grey_ramp() % 8
    image = Image.fromarray(indices, mode="P")
    image.putpalette(colours.tobytes())
    return image, colours[indices]


def test_palette_colours_are_looked_up(tmp_path):
    image, expected = palette_image()
    image.save(tmp_path / "palette.png")
    with Image.open(tmp_path / "palette.png") as reopened:
        assert reopened.mode == "P"
    assert np.array_equal(read_rgb(tmp_path / "palette.png"), expected)


def deep_rgb_png() -> bytes:
    """A 4x4 PNG with 16 bits per channel, which Pillow itself cannot write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    rows = b"".join(b"\0" + struct.pack(">12H", *range(1000 * r, 1000 * r + 12)) for r in range(4))
    header = struct.pack(">2I5B", 4, 4, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    )


REFUSED = {
    "rgba.png": lambda p: Image.fromarray(noise(9, 9)).convert("RGBA").save(p),
    "grey-alpha.png": lambda p: Image.fromarray(noise(9, 9)).convert("LA").save(p),
    "palette-transparent.png": lambda p: palette_image()[0].save(p, transparency=0),
    "grey-transparent.png": lambda p: Image.fromarray(grey_ramp()).save(p, transparency=7),
    "rgb-transparent.png": lambda p: Image.fromarray(noise(9, 9)).save(p, transparency=(1, 2, 3)),
    "alpha.webp": lambda p: Image.fromarray(noise(9, 9)[..., [0, 1, 2, 0]]).save(p),
    "grey16.png": lambda p: Image.fromarray(grey_ramp().astype(np.uint16) * 200).save(p),
    "rgb16.png": lambda p: p.write_bytes(deep_rgb_png()),
    "int32.tif": lambda p: Image.fromarray(grey_ramp().astype(np.int32)).save(p),
    "float.tif": lambda p: Image.fromarray(grey_ramp().astype(np.float32)).save(p),
    "cmyk.jpg": lambda p: Image.fromarray(noise(9, 9)).convert("CMYK").save(p),
    "lab.tif": lambda p: Image.fromarray(noise(9, 9), mode="LAB").save(p),
}
DAMAGED = {
    "missing.png": lambda p: None,
    "folder.png": lambda p: p.mkdir(),
    "empty.png": lambda p: p.write_bytes(b""),
    "text.png": lambda p: p.write_text("not an image"),
    "page.jpg": lambda p: p.write_text("<!DOCTYPE html><html></html>"),
    "zeros.png": lambda p: p.write_bytes(bytes(4000)),
    "header-only.png": lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n"),
}


@pytest.mark.parametrize("name", [*REFUSED, *DAMAGED])
def test_unusable_file_is_refused_naming_it(name, tmp_path):
    path = tmp_path / name
    (REFUSED | DAMAGED)[name](path)
    with pytest.raises(BenchError) as refused:
        read_rgb(path)
    assert one_line(refused.value).startswith(f"{path}: ")


@pytest.mark.parametrize("extension", ["png", "jpg", "bmp", "tif", "webp"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_truncated_file_is_refused(extension, share, tmp_path):
    path = tmp_path / f"cut.{extension}"
    Image.fromarray(noise(64, 64)).save(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(BenchError) as refused:
        read_rgb(path)
    assert one_line(refused.value).startswith(f"{path}: not a readable image")


def test_damage_inside_a_png_is_refused(tmp_path):
    path = tmp_path / "damaged.png"
    Image.fromarray(noise(64, 64)).save(path)
    content = bytearray(path.read_bytes())
    content[18] ^= 0xFF  # in the header, which has a checksum
    path.write_bytes(content)
    with pytest.raises(BenchError, match="not a readable image"):
        read_rgb(path)
    with pytest.raises(BenchError, match="not a readable image"):
        image_size(path)


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    Image.fromarray(noise(64, 64)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for read in (read_rgb, image_size):
        with pytest.raises(BenchError) as refused:
            read(tmp_path / "bomb.png")
        assert one_line(refused.value).startswith(f"{tmp_path / 'bomb.png'}: ")


def test_folder_is_listed_by_name_without_other_files(tmp_path):
    for name in ("b.png", "a.JPG", ".hidden.png", "Thumbs.db", "notes.txt", "c.Tiff"):
        (tmp_path / name).touch()
    assert [p.name for p in image_files(tmp_path)] == ["a.JPG", "b.png", "c.Tiff"]


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir()], ids=["missing", "empty"])
def test_folder_without_images_is_refused(make, tmp_path):
    make(tmp_path / "images")
    with pytest.raises(BenchError) as refused:
        image_files(tmp_path / "images")
    assert one_line(refused.value).startswith(f"{tmp_path / 'images'}: ")


def test_written_png_is_read_back_equal(tmp_path):
    image = noise(12, 16)
    write_png(tmp_path / "new" / "a.png", image)
    assert np.array_equal(read_rgb(tmp_path / "new" / "a.png"), image)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.png"]


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    write_png(tmp_path / "a.png", noise(12, 16))
    before = (tmp_path / "a.png").read_bytes()

    def full_disk(self, path, **_):
        path.write_bytes(b"half a")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    for name in ("a.png", "b.png"):
        with pytest.raises(OSError, match="No space left"):
            write_png(tmp_path / name, noise(12, 16, seed=1))
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == before
