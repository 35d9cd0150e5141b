"""How many pictures a second are read, unpacked, scaled, cut and stacked into batches, by as many threads as there are processors.

The best epoch of several, with nobody taking the batches from the threads but this loop. Pictures are made up: smooth shapes under
some noise, packed as photographs are, 13 to 45 KB each.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from netcompiler.recipe import DATA
from runtime.data.faults import Faults
from runtime.data.feeder import Feeder, fitted
from runtime.data.fit import Resize
from runtime.data.order import shuffled
from runtime.data.prepare import cores
from runtime.data.rows import Rows
from runtime.data.source import read
from runtime.data.wanted import Wanted

PICTURES, EPOCHS, BATCH = 768, 8, 64
FIELDS = {"in.input": "image", "target.output": "label"}
CROPS = [("224x224", (224, 224), None, 1500), ("256x256", (256, 256), None, 1500), ("500x375", (375, 500), 256, 1500)]
"""Name, rows and columns, what the shorter side is scaled to, and how many a second there shall be on two cores."""


def photograph(rows: int, columns: int, seed: int) -> bytes:
    rng, whole = np.random.default_rng(seed), np.zeros((rows, columns, 3))
    for grain in (4, 16, 64, 256):
        spots = rng.integers(0, 256, (max(2, rows * grain // 500), max(2, columns * grain // 500), 3), dtype=np.uint8)
        whole += np.asarray(Image.fromarray(spots).resize((columns, rows), Image.Resampling.BICUBIC)) / np.sqrt(grain)
    whole = 255 * (whole - whole.min()) / (whole.max() - whole.min()) + rng.normal(0, 4, whole.shape)
    content = io.BytesIO()
    Image.fromarray(whole.clip(0, 255).astype(np.uint8)).save(content, "JPEG", quality=90)
    return content.getvalue()


def folder(home: Path, rows: int, columns: int) -> Rows:
    different = [photograph(rows, columns, seed) for seed in range(64)]
    for at in range(PICTURES):
        path = home / str(at % 8) / f"{at}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(different[at % len(different)])
    return read(DATA["folder"](path=str(home)), {}, 0, Faults()).train


def speed(rows: Rows, wants: Mapping[str, Wanted], resize: Resize, size: int) -> float:
    """Pictures a second."""
    feeder = Feeder(rows, fitted(rows, FIELDS, wants, resize), None, Faults(), cores())
    best = 0.0
    for turn in range(EPOCHS):
        begin = time.perf_counter()
        seen = sum(len(places) for places, _ in feeder.batches(size, shuffled(len(feeder), 0, "order", turn)))
        best = max(best, seen / (time.perf_counter() - begin))
    return best


def main() -> None:
    print(f"{cores()} threads")
    for name, (rows, columns), resize, least in CROPS:
        with tempfile.TemporaryDirectory() as home:
            wants = {"in.input": Wanted((3, 224, 224)), "target.output": Wanted((), 8)}
            report(f"224x224 out of JPEG files of {name}", speed(folder(Path(home), rows, columns), wants, resize, BATCH), least)
    clothes = read(DATA["fashion_mini"](), {}, 0, Faults()).train
    report("28x28 in memory", speed(clothes, {"in.input": Wanted((1, 28, 28)), "target.output": Wanted((), 10)}, None, BATCH), 50_000)


def report(what: str, found: float, least: int) -> None:
    print(f"{what:<40} {found:>9,.0f} pictures/s, at least {least:,} on two cores")


if __name__ == "__main__":
    main()
