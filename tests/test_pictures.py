"""JPEG, PNG, BMP and WebP against Pillow and against the slow way; and what is said of damaged ones."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from files import noise, packed, smooth
from PIL import Image
from sources import IMAGE

from runtime.data import picture
from runtime.data.faults import BadRow
from runtime.data.fit import Form, scaled
from runtime.data.picture import Masks, Pictures
from runtime.data.wanted import Wanted

# pictures


@pytest.mark.parametrize("form", ["PNG", "BMP", "WEBP", "JPEG"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_what_pillow_sees(form: str, channels: int) -> None:
    content = packed(smooth(20, 30), form)
    want = np.asarray(Image.open(io.BytesIO(content)).convert("L" if channels == 1 else "RGB")).reshape(20, 30, channels)
    found = Pictures(channels).raw(content)
    assert found.dtype == np.uint8
    assert np.abs(np.moveaxis(found, 0, -1).astype(int) - want).max() <= (2 if form == "JPEG" else 0)


@pytest.mark.parametrize(
    ("resize", "size"), [(24, (24, 24)), ([24, 40], (24, 40)), (18, (24, 40)), (30, (16, 16)), (None, (30, 60))], ids=str
)
def test_scaled_pictures_are_what_the_slow_way_gives(resize: int | list[int] | None, size: tuple[int, int]) -> None:
    """Scaled as a whole with matrices, then cut or filled: the reader scales only what is seen."""
    x = smooth(36, 60)
    want = Form(Wanted((3, *size)), resize, "image")
    found = Pictures(3).fitted(packed(x), want)
    sides = picture.sides((36, 60), resize) if resize else (36, 60)
    slow = scaled(np.moveaxis(x, -1, 0)[None], sides)
    for axis, side in enumerate(size, 2):
        slow = picture_centred(slow, axis, side)
    assert found.shape == (3, *size)
    assert np.abs(found.astype(int) - slow[0]).max() <= 1


def picture_centred(x: np.ndarray, axis: int, side: int) -> np.ndarray:
    spare = side - x.shape[axis]
    if spare >= 0:
        return np.pad(x, [(spare // 2, spare - spare // 2) if at == axis else (0, 0) for at in range(4)])
    return np.take(x, range(-spare // 2, -spare // 2 + side), axis)


def test_a_large_jpeg_is_unpacked_at_half_its_size_and_looks_the_same() -> None:
    x = smooth(400, 600)
    want = Form(Wanted((3, 100, 100)), 120, "image")
    jpeg, png = (Pictures(3).fitted(packed(x, form), want).astype(int) for form in ("JPEG", "PNG"))
    assert np.abs(jpeg - png).max() <= 4


@pytest.mark.parametrize(
    ("image", "want"),
    [
        (Image.fromarray(np.full((4, 4), 40000, np.uint16)), 156),
        (Image.new("P", (4, 4), 3), None),
        (Image.new("RGBA", (4, 4), (9, 9, 9, 0)), 9),
        (Image.new("1", (4, 4), 1), 255),
        (Image.new("LA", (4, 4), (7, 0)), 7),
    ],
    ids=["16 bits", "palette", "transparent", "1 bit", "grey, transparent"],
)
def test_pictures_of_other_modes(tmp_path: Path, image: Image.Image, want: int | None) -> None:
    image.save(tmp_path / "x.png")
    found = Pictures(3).raw((tmp_path / "x.png").read_bytes())
    assert found.shape == (3, 4, 4)
    assert want is None or (found == want).all()


def test_a_jpeg_of_four_inks_is_read(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "x.jpg", quality=95)
    assert np.abs(Pictures(3).raw((tmp_path / "x.jpg").read_bytes()).mean((1, 2)) - [255, 0, 0]).max() < 6


def bomb(sides: int) -> bytes:
    """A PNG of one row whose header announces a square."""

    head = struct.pack(">IIBBBBB", sides, sides, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(x)) + kind + x + struct.pack(">I", zlib.crc32(kind + x)) for kind, x in parts
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no JPEG, PNG, BMP or WebP"),
        (b"hello", "no JPEG, PNG, BMP or WebP"),
        (packed(smooth(40, 40), "JPEG")[:-300], "it is damaged: Premature end of JPEG file"),
        (packed(noise(40, 40, 3), "PNG")[:-300], "it is damaged"),
        (bomb(60_000), "it announces 60,000x60,000 pixels"),
        (packed(smooth(40, 40), "GIF"), "no JPEG, PNG, BMP or WebP"),
    ],
    ids=["empty", "text", "jpeg", "png", "bomb", "gif"],
)
def test_bad_pictures_are_told(content: bytes, words: str) -> None:
    with pytest.raises(BadRow) as error:
        Pictures(3).fitted(content, Form(IMAGE, 12, "image"))
    assert words in str(error.value)


def test_a_picture_far_from_the_net_s_size_asks_for_resize() -> None:
    with pytest.raises(BadRow, match=r"image is 3x40x40, and the net reads 3x12x16: scale it, with resize: \[12, 16\]"):
        Pictures(3).fitted(packed(smooth(40, 40)), Form(IMAGE, None, "image"))
    long = Pictures(3).fitted(packed(smooth(12, 90)), Form(IMAGE, 12, "image"))
    assert long.shape == (3, 12, 16)


def test_masks_are_places_in_a_palette(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), "P")
    image.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0])
    image.save(tmp_path / "m.png")
    content = (tmp_path / "m.png").read_bytes()
    assert Masks().fitted(content, Form(Wanted((2, 2), 3), None, "mask")).tolist() == [[0, 1], [2, 1]]
    assert Masks().fitted(content, Form(Wanted((4, 4), 3), 4, "mask")).tolist() == [[0, 0, 1, 1]] * 2 + [[2, 2, 1, 1]] * 2
    with pytest.raises(BadRow, match="mask is 2 somewhere, and the net's 2 classes are 0 to 1"):
        Masks().fitted(content, Form(Wanted((2, 2), 2), None, "mask"))
