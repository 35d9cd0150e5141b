"""JPEG, PNG, BMP and WebP -> uint8, channels first, of the net's size where one is wanted.

Only the part of a picture that the net sees is scaled; a JPEG that is to shrink by more than a half is unpacked at half its size.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from runtime.data.faults import BadRow, DataError
from runtime.data.fit import Array, Form, check_sides, nearest, shown, sides, window
from runtime.data.scaling import roomy, scaled

ENDINGS = frozenset({"jpg", "jpeg", "png", "bmp", "webp"})
FORMATS = ("JPEG", "PNG", "BMP", "WEBP")
JPEG = b"\xff\xd8\xff"
LARGEST = 100_000_000
"""Pixels. A file of a few bytes may announce any number of them."""
MODES = {1: "L", 3: "RGB"}


def libraries() -> tuple[Any, Any]:
    """Pillow's Image and simplejpeg, which come with an extra of netc."""
    try:
        import simplejpeg
        from PIL import Image
    except ImportError as missing:
        raise DataError(f"pictures need {missing.name}: pip install 'netc[image]'") from None
    Image.MAX_IMAGE_PIXELS = None  # `size` looks, and says what is wrong in our words
    return Image, simplejpeg


class Pictures:
    """Pictures of so many channels, 1 for grey and 3 for colour; None leaves it to the net, and to the file."""

    def __init__(self, channels: int | None = None) -> None:
        self.channels = channels
        libraries()

    def raw(self, content: bytes) -> Array:
        channels = self.channels or _own_channels(content)
        return np.moveaxis(_unpacked(content, channels), -1, 0)

    def fitted(self, content: bytes, form: Form) -> Array:
        shape = form.want.shape
        if len(shape) != 3:
            return _as_vector(self.raw(content) if self.channels else np.moveaxis(_unpacked(content, 1), -1, 0), form)
        if (channels := self.channels or shape[0]) != shape[0] or channels not in MODES:
            raise BadRow(f"a picture has 1 or 3 channels, and the net reads {form.want}")
        return np.moveaxis(_seen(content, channels, form), -1, 0)


class Masks:
    """Pictures whose values, or places in a palette, are the numbers of classes."""

    def __init__(self) -> None:
        libraries()

    def raw(self, content: bytes) -> Array:
        image = _opened(content)
        if image.mode not in ("L", "P", "1"):
            raise BadRow(f"a picture of class numbers is grey or has a palette, and this one is {image.mode}")
        return np.asarray(_loaded(image)).astype(np.uint8)

    def fitted(self, content: bytes, form: Form) -> Array:
        mask = self.raw(content)[None]
        if form.resize is not None:
            mask = nearest(mask, sides(mask.shape[1:], form.resize))
        _check(mask.shape[1:], form)
        classes = form.want.classes or 256
        if mask.max() >= classes:
            raise BadRow(f"{form.field} is {int(mask.max())} somewhere, and the net's {classes} classes are 0 to {classes - 1}")
        return _framed(mask[0, :, :, None], form.sides)[:, :, 0]


def _as_vector(picture: Array, form: Form) -> Array:
    if picture.size != form.want.shape[0]:
        raise BadRow(f"{form.field} is {shown(picture.shape)}, and the net reads {form.want}")
    return picture


def _seen(content: bytes, channels: int, form: Form) -> Array:
    """(rows, columns, channels): scaled, then cut or filled about the centre."""
    have = size(content)
    want = sides(have, form.resize) if form.resize is not None else list(have)
    _check(want, form)
    if list(have) == want:
        return _framed(_unpacked(content, channels), form.sides)
    picture = _unpacked(content, channels, want)
    (top, above, height), (left, before, width) = (window(*pair) for pair in zip(want, form.sides, strict=True))
    down, across = picture.shape[0] / want[0], picture.shape[1] / want[1]
    small = scaled(picture, height, width, (left * across, top * down, (left + width) * across, (top + height) * down))
    if [height, width] == list(form.sides):
        return small
    whole = np.zeros((*form.sides, channels), np.uint8)
    whole[above : above + height, before : before + width] = small
    return whole


def _check(have: Sequence[int], form: Form) -> None:
    try:
        check_sides(have, form)
    except DataError as error:
        raise BadRow(str(error)) from None


def _framed(picture: Array, size: Sequence[int]) -> Array:
    """(rows, columns, channels) cut or filled about the centre."""
    (top, above, height), (left, before, width) = (window(*pair) for pair in zip(picture.shape[:2], size, strict=True))
    cut = picture[top : top + height, left : left + width]
    if cut.shape[:2] == tuple(size):
        return cut
    whole = np.zeros((*size, picture.shape[2]), np.uint8)
    whole[above : above + height, before : before + width] = cut
    return whole


# unpacking


def size(content: bytes) -> tuple[int, int]:
    """Rows and columns, from the file's header."""
    if content.startswith(JPEG):
        height, width = _jpeg_header(content)[:2]
    else:
        width, height = _opened(content).size
    if height * width > LARGEST:
        raise BadRow(f"it announces {height:,}x{width:,} pixels, more than netc unpacks: {LARGEST:,}")
    return height, width


def _own_channels(content: bytes) -> int:
    if content.startswith(JPEG):
        return 1 if _jpeg_header(content)[2].lower() == "gray" else 3
    return 1 if _opened(content).mode in ("1", "L", "I;16", "I") else 3


def _unpacked(content: bytes, channels: int, want: Sequence[int] = ()) -> Array:
    """(rows, columns, channels). `want` are the sides that it will be scaled to, at once: the next picture may lie in its place."""
    rows, columns = size(content)  # refuses what is too large before anything is unpacked
    _, jpeg = libraries()
    if content.startswith(JPEG) and _jpeg_header(content)[2].lower() not in ("cmyk", "ycck"):
        more: dict[str, Any] = {}
        if want:
            room = roomy(rows * columns * channels)
            more = {"min_height": want[0], "min_width": want[1], "min_factor": 2, "buffer": room}
        picture = np.asarray(_guarded(jpeg.decode_jpeg, content, "RGB" if channels == 3 else "GRAY", **more))
        return room[: picture.size].reshape(picture.shape) if want else picture
    image = _opened(content)
    if image.mode.startswith("I"):  # 16 bits, of which Pillow would keep the lower ones
        image = _guarded(_upper_bits, image)
    picture = np.asarray(_loaded(image, MODES[channels]))
    return picture.reshape(*picture.shape[:2], channels)


def _upper_bits(image: Any) -> Any:
    Image, _ = libraries()  # noqa: N806, it is a module
    return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))


def _jpeg_header(content: bytes) -> tuple[int, int, str, str]:
    _, jpeg = libraries()
    header: tuple[int, int, str, str] = _guarded(jpeg.decode_jpeg_header, content)
    return header


def _opened(content: bytes) -> Any:
    Image, _ = libraries()  # noqa: N806, it is a module
    return _guarded(Image.open, io.BytesIO(content), formats=FORMATS)


def _loaded(image: Any, mode: str | None = None) -> Any:
    return _guarded(image.convert, mode) if mode else _guarded(image.copy)


def _guarded(unpack: Any, *arguments: Any, **options: Any) -> Any:
    """Libraries meet damaged files with whatever error they happen to run into; each of them means the same."""
    try:
        return unpack(*arguments, **options)
    except Exception as error:
        words = str(error).strip().replace("\n", " ")
        known = "cannot identify image file" not in words and words
        raise BadRow(f"it is damaged: {words}" if known else "it is no JPEG, PNG, BMP or WebP picture") from None
