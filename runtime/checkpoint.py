"""Weights in a file: safetensors, with PyTorch's names and axes. Beside them what the net's input went through."""

from __future__ import annotations

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
SCALES = "normalize"


class CheckpointError(Exception):
    """A file of weights that cannot be read."""


def save(path: Path, tensors: Mapping[str, Array], scales: Mapping[str, Scale]) -> None:
    written = {name: {"mean": scale.mean, "std": scale.std} for name, scale in scales.items()}
    atomic.write(path, packed(dict(tensors), metadata={SCALES: json.dumps(written)}))


def load(path: Path) -> tuple[dict[str, Array], dict[str, Scale]]:
    try:
        with safe_open(path, framework="np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
            written = json.loads((file.metadata() or {}).get(SCALES, "{}"))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such file") from None
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is no readable file of weights: {error}") from None
    return tensors, {name: Scale(tuple(scale["mean"]), tuple(scale["std"])) for name, scale in written.items()}
