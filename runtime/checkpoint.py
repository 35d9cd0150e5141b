"""Weights in a file: safetensors, with PyTorch's names and axes.

Beside them what the net's input went through, and a checksum of all of it.
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
    """A file of weights that cannot be read."""


def save(path: Path, tensors: Mapping[str, Array], scales: Mapping[str, Scale]) -> None:
    written = json.dumps({name: {"mean": scale.mean, "std": scale.std} for name, scale in scales.items()})
    atomic.write(path, packed(dict(tensors), metadata={SCALES: written, DIGEST: digest(tensors, written)}))


def load(path: Path) -> tuple[dict[str, Array], dict[str, Scale]]:
    """The tensors and scales; a file of another program has no checksum and no scales."""
    try:
        with safe_open(path, framework="np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
            about = file.metadata() or {}
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such file") from None
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is no readable file of weights: {error}") from None
    written = about.get(SCALES, "{}")
    if about.get(DIGEST, "") != (digest(tensors, written) if SCALES in about else ""):
        raise CheckpointError(f"{path} is damaged: its checksum is another")
    return tensors, {name: Scale(tuple(scale["mean"]), tuple(scale["std"])) for name, scale in json.loads(written).items()}


def digest(tensors: Mapping[str, Array], written: str) -> str:
    """Over names, shapes and values, in the order of the names."""
    found = hashlib.blake2b(written.encode(), digest_size=16)
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        found.update(f"\0{name} {array.dtype.str} {array.shape}\0".encode())
        found.update(array.data)
    return found.hexdigest()
