"""Arrays in .npz files and in folders of .npy files. What is stored as it is stays on the disk, mapped; what is packed is unpacked.

Checksums of mapped arrays are compared when a file is opened, unless it is larger than CHECKED: `netc data inspect` reads those.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from runtime.data import npy
from runtime.data.faults import BadRow, DataError
from runtime.data.fields import Table
from runtime.data.fit import Array
from runtime.data.rows import Rows

CHECKED = 2 * 2**30
CLASSES = "classes"
BLOCK = 2**22
LOCAL = struct.Struct("<4s22xHH")
"""The head of a member: what it begins with, and how long its name and extra field are."""


def read_npz(paths: Sequence[Path], names: Sequence[str]) -> Rows:
    """Several files are parts of one set."""
    found = [[_array(path, name) for name in names] for path in paths]
    label = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    tables = {name: Table(f"{name} in {label}", *(arrays[at] for arrays in found)) for at, name in enumerate(names)}
    try:
        return Rows(tables)
    except DataError as error:
        raise DataError(f"{label}: {error}") from None


def names_in(path: Path) -> list[str]:
    """What arrays there are."""
    if path.is_dir():
        return sorted(file.stem for file in path.glob("*.npy"))
    with _zip(path) as file:
        return [name.removesuffix(".npy") for name in file.namelist()]


def classes_in(path: Path) -> tuple[str, ...]:
    """Names of classes, where an array of them lies beside the others."""
    if path.is_dir() or CLASSES not in names_in(path):
        return ()
    found = _member(path, f"{CLASSES}.npy")
    return tuple(map(str, found)) if found.dtype.kind == "U" and found.ndim == 1 else ()


def _array(path: Path, name: str) -> Array:
    names = names_in(path)
    if name not in names:
        raise DataError(f"{path} has no array `{name}`; it has {', '.join(names) or 'none'}")
    array = npy.mapped(path / f"{name}.npy") if path.is_dir() else _member(path, f"{name}.npy")
    if array.ndim == 0 or array.dtype.kind not in "iufb":
        raise DataError(f"{name} in {path} is {array.dtype} of shape {list(array.shape)}: numbers, one row for each picture, are needed")
    return array


def _zip(path: Path) -> zipfile.ZipFile:
    try:
        file = zipfile.ZipFile(path)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no readable .npz file: {error}") from None
    for name in file.namelist():
        if name.startswith(("/", "\\")) or ".." in PurePosixPath(name.replace("\\", "/")).parts:
            file.close()
            raise DataError(f"{path} holds a file outside of itself, `{name}`: it is not from NumPy")
    return file


def _member(path: Path, name: str) -> Array:
    with _zip(path) as file:
        info = file.getinfo(name)
        try:
            if info.compress_type == zipfile.ZIP_STORED:
                return _mapped(path, info)
            return _unpacked(file, info)
        except BadRow as bad:
            raise DataError(f"{name} in {path}: {bad}") from None
        except (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error, struct.error) as error:
            raise DataError(f"{path} is no readable .npz file: {error}") from None


def _mapped(path: Path, info: zipfile.ZipInfo) -> Array:
    with path.open("rb") as file:
        file.seek(info.header_offset)
        mark, name, extra = LOCAL.unpack(file.read(LOCAL.size))
        begin = info.header_offset + LOCAL.size + name + extra
        file.seek(0, 2)
        if mark != b"PK\3\4" or begin + info.file_size > file.tell() or info.flag_bits & 1:
            raise BadRow("it is damaged: its place in the file is wrong")
        file.seek(begin)
        head = npy.header(file)
        if head.begin - begin + head.bytes != info.file_size:
            raise BadRow(f"it announces {head.bytes:,} bytes of values, and has {info.file_size - head.begin + begin:,}")
        if info.file_size <= CHECKED and checksum(path, begin, info.file_size) != info.CRC:
            raise BadRow("it is damaged: its checksum is another")
    return npy.view(path, head, head.begin)


def _unpacked(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    with file.open(info) as stream:
        head = npy.header(stream)
        if head.begin + head.bytes != info.file_size:
            raise BadRow(f"it announces {head.bytes:,} bytes of values, and has {info.file_size - head.begin:,}")
        content = stream.read(head.bytes + 1)
    if len(content) != head.bytes:
        raise BadRow("it ends too early")
    return np.frombuffer(content, head.dtype).reshape(head.shape, order="F" if head.fortran else "C")


def checksum(path: Path, begin: int, size: int) -> int:
    found = 0
    with path.open("rb") as file:
        file.seek(begin)
        for at in range(0, size, BLOCK):
            found = zlib.crc32(file.read(min(BLOCK, size - at)), found)
    return found


def verified(path: Path) -> None:
    """Compares all checksums of a file, however large it is."""
    with _zip(path) as file:
        try:
            bad = file.testzip()
        except (OSError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{path} is no readable .npz file: {error}") from None
    if bad:
        raise DataError(f"{bad} in {path} is damaged: its checksum is another")
