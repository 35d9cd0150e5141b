"""Makes the files beside it: python -m runtime.data.files.make DIGITS_CSV_GZ FASHION_MNIST_FOLDER. See README.md."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np

from runtime.data.fit import Array
from runtime.data.idx import labels, pictures

HERE = Path(__file__).parent
DIGITS_APART = 6


def digits(table: Path) -> None:
    """Every sixth picture is to test on: neighbours are often from one hand, so all hands are on both sides."""
    with gzip.open(table) as lines:
        rows = np.loadtxt(lines, np.uint8, delimiter=",")
    images, classes = rows[:, :64].reshape(-1, 1, 8, 8), rows[:, 64]
    apart = np.arange(len(rows)) % DIGITS_APART == DIGITS_APART - 1
    _save("digits", (images[~apart], classes[~apart]), (images[apart], classes[apart]))


def fashion_mini(folder: Path) -> None:
    _save("fashion_mini", _first_of_each(folder, "train", 500), _first_of_each(folder, "t10k", 100))


def _first_of_each(folder: Path, part: str, count: int) -> tuple[Array, Array]:
    """The first pictures of each class, in the order of the file."""
    classes = labels(folder / f"{part}-labels-idx1-ubyte.gz")
    places = np.sort(np.concatenate([np.flatnonzero(classes == label)[:count] for label in range(10)]))
    return pictures(folder / f"{part}-images-idx3-ubyte.gz")[places], classes[places]


def _save(name: str, train: tuple[Array, Array], test: tuple[Array, Array]) -> None:
    np.savez_compressed(
        HERE / f"{name}.npz", train_images=train[0], train_labels=train[1], test_images=test[0], test_labels=test[1], allow_pickle=False
    )


if __name__ == "__main__":
    digits(Path(sys.argv[1]))
    fashion_mini(Path(sys.argv[2]))
