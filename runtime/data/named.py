"""Published sets: those that come with netc, and those that lie in a folder in the form in which they are published."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from runtime.data import cifar
from runtime.data.faults import DataError, Faults
from runtime.data.fields import Table
from runtime.data.fit import Array
from runtime.data.folder import read_folders
from runtime.data.idx import labels, pictures
from runtime.data.rows import Rows, Sets

FILES = Path(__file__).parent / "files"
DIGITS = tuple("0123456789")
CLOTHES = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def digits(path: str | None, faults: Faults) -> Sets:
    """16 levels of grey above 0, brought to 255."""
    return _embedded("digits", path, DIGITS, lambda levels: ((levels.astype(np.uint16) * 255 + 8) // 16).astype(np.uint8))


def fashion_mini(path: str | None, faults: Faults) -> Sets:
    return _embedded("fashion_mini", path, CLOTHES, lambda images: images)


def _embedded(name: str, path: str | None, classes: tuple[str, ...], brightened: Callable[[Array], Array]) -> Sets:
    file = (Path(path) if path else FILES) / f"{name}.npz"
    try:
        with np.load(file, allow_pickle=False) as arrays:
            train, test = (
                _rows(f"{name}, {part}", brightened(arrays[f"{part}_images"]), arrays[f"{part}_labels"]) for part in ("train", "test")
            )
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{file} cannot be read: {error}") from None
    return Sets(train, test, classes)


def _rows(name: str, images: Array, classes: Array) -> Rows:
    return Rows({"image": Table(name, images), "label": Table(name, classes)})


# sets in folders


def of_idx(name: str, classes: tuple[str, ...], more: tuple[Path, ...], path: str | None, faults: Faults) -> Sets:
    home = folder(name, path, "train-images-idx3-ubyte", *more)
    return Sets(idx_rows(home / "train-images-idx3-ubyte"), idx_rows(home / "t10k-images-idx3-ubyte"), classes)


def idx_rows(images: Path, classes: Path | None = None) -> Rows:
    """A file of pictures, and the file of their class numbers, which published sets have under a like name."""
    classes = classes or images.with_name(images.name.replace("images-idx3", "labels-idx1"))
    return _rows(str(images), pictures(_packed_or_not(images)), labels(_packed_or_not(classes)))


def _packed_or_not(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.gz")
    return packed if packed.exists() and not path.exists() else path


def cifar10(path: str | None, faults: Faults) -> Sets:
    return cifar.cifar10(folder("cifar10", path, "test_batch.bin", other="test_batch"))


def cifar100(path: str | None, faults: Faults) -> Sets:
    return cifar.cifar100(folder("cifar100", path, "train.bin", other="meta"))


def imagenet(path: str | None, faults: Faults) -> Sets:
    home = folder("imagenet", path, "train")
    return read_folders(home / "train", home / "val", faults)


def folder(name: str, path: str | None, marker: str, *more: Path, other: str = "") -> Path:
    """Where a set lies: the first folder that holds one of its files, or the `other` that it has in another form."""
    places = [Path(path)] if path else list(_usual(name, *more))
    for place in places:
        if any((place / file).exists() for file in (marker, f"{marker}.gz", other or marker)):
            return place
    looked = ", ".join(map(str, places))
    hint = (
        f"put its files there, name their folder with {{{name}: {{path: FOLDER}}}}, or take digits or fashion_mini, which come with netc"
        if path is None
        else "name the folder that holds it"
    )
    raise DataError(f"{name} is not there: no {marker} in {looked}; {hint}")


def _usual(name: str, *more: Path) -> Iterator[Path]:
    data = os.environ.get("XDG_DATA_HOME", "")
    yield (Path(data) if data else Path.home() / ".local" / "share") / "netc" / name
    yield from more


SETS: dict[str, Callable[[str | None, Faults], Sets]] = {
    "digits": digits,
    "fashion_mini": fashion_mini,
    "mnist": partial(of_idx, "mnist", DIGITS, ()),
    "fashion_mnist": partial(of_idx, "fashion_mnist", CLOTHES, (DEBIAN,)),
    "cifar10": cifar10,
    "cifar100": cifar100,
    "imagenet": imagenet,
}
