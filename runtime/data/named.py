"""Published sets: those that come with netc, and those that lie in a folder in the form in which they are published."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from runtime.data.idx import labels, pictures, unpacked
from runtime.data.rows import Array, DataError, Rows, Sets

FILES = Path(__file__).parent / "files"
DIGITS = tuple("0123456789")
CLOTHES = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
CIFAR_PICTURE = (3, 32, 32)


def digits(path: str | None) -> Sets:
    """16 levels of grey above 0, brought to 255."""
    sets = _embedded("digits", path)
    return Sets(_brightened(sets[0]), _brightened(sets[1]), DIGITS)


def fashion_mini(path: str | None) -> Sets:
    return Sets(*_embedded("fashion_mini", path), CLOTHES)


def _embedded(name: str, path: str | None) -> tuple[Rows, Rows]:
    file = (Path(path) if path else FILES) / f"{name}.npz"
    try:
        with np.load(file, allow_pickle=False) as arrays:
            train, test = (_rows(arrays[f"{part}_images"], arrays[f"{part}_labels"]) for part in ("train", "test"))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{file} cannot be read: {error}") from None
    return train, test


def _brightened(rows: Rows) -> Rows:
    levels = rows.fields["image"].astype(np.uint16)
    return _rows(((levels * 255 + 8) // 16).astype(np.uint8), rows.fields["label"])


def _rows(images: Array, classes: Array) -> Rows:
    return Rows({"image": images, "label": classes})


# sets in folders


def mnist(path: str | None) -> Sets:
    return _idx_folder(folder("mnist", path, "train-images-idx3-ubyte"), DIGITS)


def fashion_mnist(path: str | None) -> Sets:
    return _idx_folder(folder("fashion_mnist", path, "train-images-idx3-ubyte", Path("/usr/share/datasets/fashion-mnist")), CLOTHES)


def cifar10(path: str | None) -> Sets:
    home = folder("cifar10", path, "test_batch.bin")
    train = [_cifar(home / f"data_batch_{number}.bin", 1) for number in range(1, 6)]
    return Sets(_joined(train), _cifar(home / "test_batch.bin", 1))


def cifar100(path: str | None) -> Sets:
    home = folder("cifar100", path, "train.bin")
    return Sets(_cifar(home / "train.bin", 2), _cifar(home / "test.bin", 2))


def folder(name: str, path: str | None, marker: str, *more: Path) -> Path:
    """Where a set lies: the first folder that holds one of its files."""
    places = [Path(path)] if path else list(_usual(name, *more))
    for place in places:
        if any((place / f"{marker}{ending}").is_file() for ending in ("", ".gz")):
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


def _idx_folder(home: Path, classes: tuple[str, ...]) -> Sets:
    def part(name: str) -> Rows:
        return _rows(
            pictures(_packed_or_not(home / f"{name}-images-idx3-ubyte")), labels(_packed_or_not(home / f"{name}-labels-idx1-ubyte"))
        )

    return Sets(part("train"), part("t10k"), classes)


def _packed_or_not(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.gz")
    return packed if packed.exists() and not path.exists() else path


def _cifar(path: Path, marks: int) -> Rows:
    """Rows of class numbers, the last of them the finest, and 3,072 bytes of colour planes."""
    content = np.frombuffer(unpacked(path), np.uint8)
    row = marks + int(np.prod(CIFAR_PICTURE))
    if not len(content) or len(content) % row:
        raise DataError(f"{path} is cut short: {len(content):,} bytes are not rows of {row:,}")
    rows = content.reshape(-1, row)
    return _rows(rows[:, marks:].reshape(-1, *CIFAR_PICTURE), rows[:, marks - 1])


def _joined(parts: list[Rows]) -> Rows:
    return Rows({name: np.concatenate([part.fields[name] for part in parts]) for name in parts[0].fields})


SETS: dict[str, Callable[[str | None], Sets]] = {
    "digits": digits,
    "fashion_mini": fashion_mini,
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
}
