"""Images are read with the values they have, or refused; written whole, or not at all."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from helpers import noise, one_line, save
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from derainbench.data.images import (
    image_files,
    image_size,
    profile_name,
    read_picture,
    read_rgb,
    write_picture,
    write_png,
)
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


def frames(path: Path, **options) -> None:
    """A file of three pictures."""
    first, *rest = (Image.fromarray(noise(9, 9, seed=i)) for i in range(3))
    first.save(path, save_all=True, append_images=rest, **options)


def fifo(path: Path) -> None:
    os.mkfifo(path)


REFUSED = {
    "rgba.png": lambda p: Image.fromarray(noise(9, 9)[..., [0, 1, 2, 0]]).save(p),
    "grey-alpha.png": lambda p: Image.fromarray(noise(9, 9)[..., [0, 1]], mode="LA").save(p),
    "palette-transparent.png": lambda p: palette_image()[0].save(p, transparency=0),
    "grey-transparent.png": lambda p: Image.fromarray(grey_ramp()).save(p, transparency=7),
    "rgb-transparent.png": lambda p: Image.fromarray(noise(9, 9)).save(
        p, transparency=tuple(map(int, noise(9, 9)[4, 4]))
    ),
    "alpha.webp": lambda p: Image.fromarray(noise(9, 9)[..., [0, 1, 2, 0]]).save(p),
    "grey16.png": lambda p: Image.fromarray(grey_ramp().astype(np.uint16) * 200).save(p),
    "rgb16.png": lambda p: p.write_bytes(deep_rgb_png()),
    "int32.tif": lambda p: Image.fromarray(grey_ramp().astype(np.int32)).save(p),
    "float.tif": lambda p: Image.fromarray(grey_ramp().astype(np.float32)).save(p),
    "cmyk.jpg": lambda p: Image.fromarray(noise(9, 9)).convert("CMYK").save(p),
    "animated.gif": lambda p: frames(p),
    "animated.png": lambda p: frames(p),
    "animated.webp": lambda p: frames(p, lossless=True),
    "pages.tif": lambda p: frames(p),
    "lab.tif": lambda p: Image.fromarray(noise(9, 9), mode="LAB").save(p),
}
DAMAGED = {
    "missing.png": lambda p: None,
    "folder.png": lambda p: p.mkdir(),
    "empty.png": lambda p: p.write_bytes(b""),
    "pipe.png": fifo,
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
        with pytest.raises(BenchError, match="cannot be written"):
            write_png(tmp_path / name, noise(12, 16, seed=1))
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == before


OPAQUE = {
    "rgba.png": lambda image, p: image.convert("RGBA").save(p),
    "grey-alpha.png": lambda image, p: image.convert("L").convert("LA").save(p),
    "palette.png": lambda image, p: palette_image()[0].save(p, transparency=200),
    "rgba.webp": lambda image, p: image.convert("RGBA").save(p, lossless=True),
    "key.png": lambda image, p: image.save(p, transparency=(1, 2, 3)),  # no pixel has it
}


@pytest.mark.parametrize("name", OPAQUE)
def test_alpha_that_changes_no_pixel_is_dropped(name, tmp_path):
    image = Image.fromarray(noise(9, 9))
    OPAQUE[name](image, tmp_path / name)
    with Image.open(tmp_path / name) as reopened:
        expected = np.asarray(reopened.convert("RGBA"))
    assert (expected[..., 3] == 255).all()
    assert np.array_equal(read_rgb(tmp_path / name), expected[..., :3])


@pytest.mark.parametrize("extension", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_as_its_orientation_says(tmp_path, extension, orientation):
    upright = np.kron(noise(6, 4), np.ones((16, 16, 1), np.uint8))
    turns = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.swapaxes(0, 1), 6: np.rot90(upright), 7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / f"a.{extension}"
    stored = Image.fromarray(np.ascontiguousarray(turns[orientation]))
    stored.save(file, exif=exif, **({"lossless": True} if extension == "webp" else {}))
    difference = np.abs(read_rgb(file).astype(int) - upright).mean()
    assert difference < (10 if extension == "jpg" else 1e-9)
    assert image_size(file) == (96, 64)


def test_damaged_metadata_leaves_the_pixels(tmp_path):
    image = noise(9, 9)
    Image.fromarray(image).save(tmp_path / "a.png", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert np.array_equal(read_rgb(tmp_path / "a.png"), image)


def test_two_megabytes_of_text_beside_the_pixels_do_no_harm(tmp_path):
    text = PngInfo()
    text.add_text("notes", "x" * 2_000_000, zip=True)
    Image.fromarray(noise(9, 9)).save(tmp_path / "a.png", pnginfo=text)
    assert np.array_equal(read_rgb(tmp_path / "a.png"), noise(9, 9))


def test_of_a_cameras_several_pictures_the_first_is_taken_which_is_said(tmp_path, capsys):
    frames(tmp_path / "a.mpo")
    (tmp_path / "a.mpo").rename(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        assert (image.format, image.n_frames) == ("MPO", 3)
        first = np.asarray(image.convert("RGB"))
    assert np.array_equal(read_rgb(tmp_path / "a.jpg"), first)
    assert "a.jpg: holds 3 pictures, of which the first is taken" in capsys.readouterr().err


def test_what_is_no_file_is_named_as_what_it_is(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path, message in ((tmp_path, "is a folder"), (tmp_path / "pipe.png", "no regular file")):
        with pytest.raises(BenchError, match=message):
            read_rgb(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_not_called_damaged(tmp_path):
    save(tmp_path / "a.png", noise(9, 9))
    (tmp_path / "a.png").chmod(0)
    with pytest.raises(BenchError, match="may not be read"):
        read_rgb(tmp_path / "a.png")


def display_p3() -> bytes:
    """An RGB profile that is not sRGB: that of sRGB under another name."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    return bytes(profile).replace(b"s\0R\0G\0B", b"P\0 \0t\0h").replace(b"sRGB", b"P th")


def test_a_colour_profile_is_kept_and_named(tmp_path):
    profile = display_p3()
    assert profile_name(profile) != profile_name(None) == "sRGB"
    save_with = Image.fromarray(noise(9, 9))
    save_with.save(tmp_path / "a.png", icc_profile=profile)
    picture = read_picture(tmp_path / "a.png")
    assert picture.profile == profile
    for kind in ("PNG", "JPEG", "TIFF", "WEBP", "BMP"):
        write_picture(tmp_path / f"b.{kind}", picture, kind)
        again = read_picture(tmp_path / f"b.{kind}")
        assert again.profile == (None if kind == "BMP" else profile)


@pytest.mark.parametrize(
    "name", [b"\xd3\xea.png", b"line\nbreak.png", b"tab\there.png", b"\x1b[31m.png"]
)
def test_names_that_cannot_stand_in_a_table_are_refused(tmp_path, name):
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    save(tmp_path / "a.png", noise(9, 9))
    (tmp_path / "a.png").rename(file)
    with pytest.raises(BenchError, match="rename it") as refused:
        image_files(tmp_path)
    one_line(refused.value).encode("utf-8")


@pytest.mark.parametrize(
    "name",
    ["雨.png", "a b.png", "a|b.png", "a,b;'\"c.png", "-x.png", "{run}.png", "100%.png", "=1+1.png"],
)
def test_any_other_name_is_taken(tmp_path, name):
    save(tmp_path / name, noise(9, 9))
    assert [file.name for file in image_files(tmp_path)] == [name]
