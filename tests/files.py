"""Small files of data for tests, written with other means than netc reads them: Pillow, wave, tarfile, csv, json."""

from __future__ import annotations

import io
import tarfile
import wave
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

Array = np.ndarray


def noise(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def smooth(rows: int, columns: int, seed: int = 0) -> Array:
    """A picture in colour without sharp edges, (rows, columns, 3): what JPEG changes little."""
    y, x = np.mgrid[0:rows, 0:columns] / max(rows, columns)
    waves = [np.sin(3 * x + seed), np.cos(4 * y + seed), np.sin(2 * x + 3 * y + seed)]
    return np.stack([(127 + 100 * wave) for wave in waves], axis=-1).astype(np.uint8)


def packed(picture: Array, form: str = "PNG", mode: str | None = None) -> bytes:
    """A picture of (rows, columns) or (rows, columns, 3) in a file's bytes."""
    image = Image.fromarray(picture)
    content = io.BytesIO()
    (image.convert(mode) if mode else image).save(content, form, **({"quality": 95} if form == "JPEG" else {}))
    return content.getvalue()


def sound(samples: Array, rate: int = 8000, width: int = 2) -> bytes:
    """(channels, time), from -1 to 1."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((len(samples), width, rate, 0, "NONE", ""))
        levels = np.rint(samples.T * (2 ** (8 * width - 1) - 1)).astype(np.int64) + (128 if width == 1 else 0)
        file.writeframes(b"".join(int(level).to_bytes(width, "little", signed=width > 1) for level in levels.ravel()))
    return content.getvalue()


def array(values: Array) -> bytes:
    content = io.BytesIO()
    np.save(content, values, allow_pickle=False)
    return content.getvalue()


def tar(path: Path, members: Mapping[str, bytes], form: int = tarfile.USTAR_FORMAT) -> None:
    with tarfile.open(path, "w", format=form) as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))


def folder(home: Path, classes: Mapping[str, int], sides: tuple[int, int] = (12, 16), form: str = "PNG") -> None:
    """So many pictures of each class; a picture's first value is the number of its class."""
    for number, (name, count) in enumerate(classes.items()):
        (home / name).mkdir(parents=True)
        for at in range(count):
            picture = smooth(*sides, seed=10 * number + at)
            picture[0, 0] = number
            (home / name / f"{at:03}.{form.lower()}").write_bytes(packed(picture, form))
