"""Sets that are made up and have known answers: shapes on backgrounds, figures with joints, gliding tones, noisy pictures."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np

Array = np.ndarray
Fields = dict[str, Array]

SHAPES = ("disc", "square", "cross")
GLIDES = ("falling", "level", "rising")
JOINTS = 4
NOISE = 0.2


def things(count: int, seed: int, side: int = 32) -> Fields:
    """One shape in each picture, its class, and the four corners of its box as shares of the side."""
    rng = np.random.default_rng(seed)
    x, corners = _backgrounds(rng, count, side), np.empty((count, 8), np.float32)
    kinds, sizes = rng.integers(0, len(SHAPES), count), rng.integers(side // 3, side // 2 + 1, count)
    for at, (kind, size) in enumerate(zip(kinds, sizes, strict=True)):
        top, left = rng.integers(0, side - size + 1, 2)
        _paint(x[at, :, top : top + size, left : left + size], SHAPES[kind], rng)
        corners[at] = [left, top, left + size, top, left + size, top + size, left, top + size]
    return {"x": x, "class": kinds, "box": corners / np.float32(side)}


def figures(count: int, seed: int, side: int = 48) -> Fields:
    """Joints of four colours on a background, joined in their order by grey limbs; their x and y as shares of the side."""
    rng = np.random.default_rng(seed)
    x, joints = _backgrounds(rng, count, side), rng.uniform(0.1, 0.9, (count, JOINTS, 2)).astype(np.float32)
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]], np.uint8)
    for picture, points in zip(x, joints, strict=True):
        for one, other in itertools.pairwise(points):
            share = np.linspace(0, 1, 2 * side)[:, None]
            columns, rows = (((1 - share) * one + share * other) * side).astype(int).T
            picture[:, rows, columns] = 128
        for (column, row), colour in zip(points * side, colours, strict=True):
            near = _disc(side, row, column, side / 10)
            picture[:, near] = colour[:, None]
    return {"x": x, "joints": joints.reshape(count, -1)}


def tones(count: int, seed: int, bands: int = 16, frames: int = 15) -> Fields:
    """A tone in noise over some bands, which falls, stays or rises: no single frame tells which."""
    rng = np.random.default_rng(seed)
    kinds, speeds = rng.integers(0, len(GLIDES), count), rng.uniform(0.25, 0.5, count)
    middle = rng.uniform(5, bands - 5, count)
    time = np.arange(frames) - frames // 2
    centre = middle[:, None] + ((kinds - 1) * speeds)[:, None] * time
    x = np.exp(-((np.arange(bands)[None, :, None] - centre[:, None]) ** 2) / 2) + 0.2 * rng.standard_normal((count, bands, frames))
    return {"x": x.astype(np.float32), "y": kinds}


def noisy(count: int, seed: int, side: int = 32) -> Fields:
    """Grey shapes under noise, and the same without it."""
    rng = np.random.default_rng(seed)
    clean = np.full((count, 1, side, side), 0.2, np.float32)
    for picture in clean:
        for _ in range(3):
            picture[0, _disc(side, *rng.uniform(0, side, 2), rng.uniform(side / 10, side / 4))] = rng.uniform(0.4, 1)
    return {"x": clean + rng.normal(0, NOISE, clean.shape).astype(np.float32), "clean": clean}


def save(folder: Path, made: Callable[[int, int], Fields], train: int, test: int) -> tuple[Path, Path]:
    """Two files, of different seeds."""
    paths = folder / f"{made.__name__}.npz", folder / f"{made.__name__}-test.npz"
    for seed, (path, count) in enumerate(zip(paths, (train, test), strict=True)):
        np.savez(path, **made(count, seed))
    return paths


def _backgrounds(rng: np.random.Generator, count: int, side: int) -> Array:
    """Dark, of a colour that runs from one side to the other, with noise."""
    ends = rng.uniform(0, 90, (2, count, 3, 1, 1))
    share = np.linspace(0, 1, side)[None, None, None]
    levels = ends[0] * (1 - share) + ends[1] * share + rng.uniform(0, 30, (count, 3, side, side))
    return levels.astype(np.uint8)


def _paint(part: Array, kind: str, rng: np.random.Generator) -> None:
    """In a bright colour, from edge to edge."""
    size = part.shape[1]
    third = size / 3
    y, x = np.mgrid[:size, :size]
    inside = {
        "disc": _disc(size, size / 2 - 0.5, size / 2 - 0.5, size / 2),
        "square": np.full((size, size), True),
        "cross": ((y >= third) & (y < 2 * third)) | ((x >= third) & (x < 2 * third)),
    }[kind]
    part[:, inside] = rng.integers(150, 256, (3, 1))


def _disc(side: int, row: float, column: float, radius: float) -> Array:
    y, x = np.mgrid[:side, :side]
    found: Array = (y - row) ** 2 + (x - column) ** 2 <= radius**2
    return found
