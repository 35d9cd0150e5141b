"""Tensors in files: safetensors, with texts about them and a checksum of all of it.

Weights have PyTorch's names and axes, and beside them what the net's input went through. Read next: states.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as packed

from runtime import atomic
from runtime.data.scale import Scale

Array = np.ndarray[Any, Any]
SCALES, DIGEST = "normalize", "blake2b"


class CheckpointError(Exception):
    """A file of tensors that cannot be read."""


def save(path: Path, tensors: Mapping[str, Array], scales: Mapping[str, Scale]) -> None:
    write(path, tensors, {SCALES: json.dumps({name: {"mean": scale.mean, "std": scale.std} for name, scale in scales.items()})})


def load(path: Path) -> tuple[dict[str, Array], dict[str, Scale]]:
    """The weights and scales; a file of another program has no checksum and no scales."""
    tensors, about = read(path)
    if (DIGEST in about) != (SCALES in about):
        raise CheckpointError(f"{path} is damaged: it lacks what was written about it")
    scales = json.loads(about.get(SCALES, "{}"))
    return tensors, {name: Scale(tuple(scale["mean"]), tuple(scale["std"])) for name, scale in scales.items()}


def write(path: Path, tensors: Mapping[str, Array], about: Mapping[str, str]) -> None:
    atomic.write(path, _ordered(packed(dict(tensors), metadata={**about, DIGEST: digest(tensors, about)})))


def _ordered(content: bytes) -> bytes:
    """The same file with its texts in the order of their names, where chance had put them: equal tensors give equal files."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join((len(text).to_bytes(8, "little"), text, memoryview(content)[end:]))


def read(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """The tensors and the texts about them; a checksum that is there is right."""
    try:
        with safe_open(path, framework="np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
            about = dict(file.metadata() or {})
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such file") from None
    except TypeError as error:
        raise CheckpointError(f"{path} holds numbers of a type that NumPy lacks ({error}): save them as float32") from None
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is no readable safetensors file: {error}") from None
    if DIGEST in about and about[DIGEST] != digest(tensors, {key: text for key, text in about.items() if key != DIGEST}):
        raise CheckpointError(f"{path} is damaged: its checksum is another")
    return tensors, about


def digest(tensors: Mapping[str, Array], about: Mapping[str, str]) -> str:
    """Over texts, names, shapes and values, in the order of the names."""
    found = hashlib.blake2b(digest_size=16)
    for key in sorted(about):
        found.update(f"\0{key}\0{about[key]}\0".encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        found.update(f"\0{name} {array.dtype.str} {tensors[name].shape}\0".encode())
        found.update(array.data)
    return found.hexdigest()
