"""Arrays in .npz files: plain ones only, never pickled objects."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from runtime.data.rows import Array, DataError, Rows


def read_npz(path: Path, names: Sequence[str]) -> Rows:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if not isinstance(arrays, np.lib.npyio.NpzFile):
                raise DataError(f"{path} is one array without a name: save it with np.savez")
            fields = {name: _checked(_one(arrays, name, path), name, path) for name in names}
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is no readable .npz file: {error}") from None
    try:
        return Rows(fields)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _one(arrays: np.lib.npyio.NpzFile, name: str, path: Path) -> Array:
    if name not in arrays:
        raise DataError(f"{path} has no array `{name}`; it has {', '.join(arrays) or 'none'}")
    array: Array = arrays[name]
    return array


def _checked(array: Array, name: str, path: Path) -> Array:
    if array.ndim == 0 or array.dtype.kind not in "iufb":
        raise DataError(f"{name} in {path} is {array.dtype} of shape {list(array.shape)}: numbers, one row for each picture, are needed")
    if array.dtype.kind == "f" and not (good := np.isfinite(array).all(axis=tuple(range(1, array.ndim)))).all():
        raise DataError(f"{name} in {path}: row {int(np.argmin(good))} holds a value that is not finite")
    return array
