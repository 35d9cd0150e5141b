"""What nets reach on all of Fashion-MNIST, and how long that takes: accuracy.md beside this file, written anew.

Debian's package dataset-fashion-mnist brings the pictures.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from runtime.environment import processor
from runtime.kernels.cpu.driver import available

PAGE = Path(__file__).parent / "accuracy.md"

RESIDUAL = """\
netc: 1
name: small-residual
extends: resnet-cifar
input: [1, 28, 28]
vars: {depth: 2}
train:
  data: fashion_mnist
  batch: 128
  epochs: 12
  optimizer: {sgd: {rate: 0.1, momentum: 0.9, weight_decay: 5e-4}}
  schedule: cosine
  warmup: {steps: 200, start: 0.1}
  augment: [crop: {padding: 2}, flip]
  normalize: auto
  init: he
"""


class Row(NamedTuple):
    name: str
    spec: str
    wanted: float
    words: tuple[str, ...] = ()


LENET = ("--data", "fashion_mnist", "--epochs", "10", "--set", "train.optimizer.sgd.rate=0.05", "--set", "train.schedule=cosine")
ROWS = (Row("lenet", "lenet", 0.90, LENET), Row("small-residual", RESIDUAL, 0.925))


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        found = [_trained(row, Path(folder)) for row in ROWS]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in (HEAD, RULE, *found))
    PAGE.write_text(PROSE.format(table=table, spec=RESIDUAL, machine=processor(), threads=available()), encoding="utf-8")
    return 0


def _trained(row: Row, folder: Path) -> list[str]:
    spec = row.spec
    if "\n" in spec:
        file = folder / f"{row.name}.yaml"
        file.write_text(spec, encoding="utf-8")
        spec = str(file)
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "netcompiler", "train", spec, *row.words, "--run-dir", str(folder / row.name)], check=True)
    seconds = time.perf_counter() - begin
    reached = json.loads((folder / row.name / "summary.json").read_text(encoding="utf-8"))["best"]["top1"]
    minutes = f"{seconds / 60:.1f}"
    print(row.name, reached, minutes, flush=True)
    return [row.name, " ".join(row.words) or "its file", f"{row.wanted:.1%}", f"**{reached:.2%}**", minutes, str(datetime.date.today())]


HEAD = ["net", "settings", "wanted", "validation top-1", "minutes", "date"]
RULE = [":--", ":--", "--:", "--:", "--:", ":--"]

PROSE = """\
# What nets reach, and how long it takes

`make accuracy` makes this page: `netc train` on the 60,000 pictures of Fashion-MNIST, measured on the other 10,000 with the best
weights of all epochs. Minutes are those of the whole command. {machine}, {threads} threads.

{table}

`small-residual` is this file:

```yaml
{spec}```
"""


if __name__ == "__main__":
    sys.exit(main())
