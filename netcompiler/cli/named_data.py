"""Files and folders named with --data -> the kind of data that they hold, by their names alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netcompiler.cli import Refusal

SETS = {
    "data_batch_1.bin": "cifar10",
    "data_batch_1": "cifar10",
    "train.bin": "cifar100",
    "meta": "cifar100",
    "train-images-idx3-ubyte": "mnist",
    "train-images-idx3-ubyte.gz": "mnist",
}
"""A file that a published set has in its folder."""
FILES = {"npz": "npz", "csv": "csv", "tsv": "csv", "jsonl": "jsonl", "ndjson": "jsonl", "tar": "shards"}
SOUNDS = ("wav", "npy")
LEARNT, HELD = "train", ("val", "valid", "validation", "test")


def kind_of(words: str) -> Mapping[str, Any] | None:
    """{kind: options}; None where there is no such file."""
    path = Path(words)
    if path.is_dir():
        return _folder(path, words)
    ending = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    if ending in FILES and (path.exists() or "{" in words or ending == "npz"):
        return {FILES[ending]: {"path": words, **({"delimiter": "\t"} if ending == "tsv" else {})}}
    if not path.exists():
        return None
    if "images-idx3" in path.name:
        return {"idx": {"images": words, "labels": str(path.with_name(path.name.replace("images-idx3", "labels-idx1")))}}
    raise Refusal(
        f"{words} is no file of data that netc knows by its name: it reads .npz, .csv, .tsv, .jsonl and .tar files, "
        "IDX files called …images-idx3…, and folders; any other name stands in the recipe, with its kind"
    )


def _folder(path: Path, words: str) -> Mapping[str, Any]:
    for marker, kind in SETS.items():
        if (path / marker).is_file():
            return {kind: {"path": words}}
    if packed := sorted(path.glob("train-*.npz")):
        return {"npz": {"path": several(packed), **({"test": several(tests)} if (tests := sorted(path.glob("test-*.npz"))) else {})}}
    if any(path.glob("*.npy")):
        return {"npz": {"path": words}}
    inner = path / LEARNT if (path / LEARNT).is_dir() and any((path / name).is_dir() for name in HELD) else path
    classes = [entry for entry in sorted(inner.iterdir()) if entry.is_dir() and not entry.name.startswith(".")]
    if not classes:
        raise Refusal(
            f"{words} holds no data that netc knows: folders with a folder of pictures for each class, or MNIST's or CIFAR's files"
        )
    some = next((file.suffix[1:].lower() for entry in classes for file in sorted(entry.rglob("*")) if file.is_file()), "")
    return {"signals" if some in SOUNDS else "folder": {"path": words}}


def several(paths: list[Path]) -> str:
    """NAME-{000..012}.npz"""
    first, last = (path.stem.rpartition("-")[2] for path in (paths[0], paths[-1]))
    return str(paths[0]) if len(paths) == 1 else str(paths[0].with_name(f"{paths[0].stem.rpartition('-')[0]}-{{{first}..{last}}}.npz"))
