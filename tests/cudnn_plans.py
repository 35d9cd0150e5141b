"""Whether cuDNN has a plan for every convolution of the zoo in every precision, asked without a GPU, for an H100.

`make cudnn` asks it and writes cudnn_plans.txt, in some minutes. Whether that holds for the nets of today, test_cudnn_plans.py sees
without cuDNN: all that their plans would ask was asked.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from netcompiler import zoo
from netcompiler.compilation import Job, stages
from netcompiler.loading import load
from netcompiler.plan import Instruction, Plan
from netcompiler.targets.cuda import CUDA
from runtime.arrays import Array, bytes_at, dtype_of
from runtime.binding import view
from runtime.kernels import cuda
from runtime.kernels.cuda import cudnn
from runtime.kernels.cuda.convolutions import Convolution
from runtime.kernels.cuda.cudnn import channels

FOLDER = Path(__file__).parent
TABLE = FOLDER / "cudnn_plans.txt"
HEAD = "# net, precision, different convolutions, fewest plans of one, most bytes of workspace of a first plan"
ASKED = "# digests of all that was asked"
SOMEWHERE = 1 << 40
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")


@dataclass(frozen=True)
class Asked(Job):
    """A job in a precision of ours, whatever the recipe says, or where there is none."""

    asked: str = ""

    @property
    def precision(self) -> str | None:
        return self.asked


class Site(NamedTuple):
    """What is asked, and the bytes that the answer may take."""

    task: cudnn.Task
    room: int

    @property
    def digest(self) -> str:
        """Of what is computed; how far apart rows lie, and the room, may be different tomorrow."""
        t = self.task
        ends = [(end.op, end.operand and end.operand.dims) for end in t.ends]
        told = (t.op, t.result.dtype, t.result.dims, *(each.dims for each in t.operands), *t.window, t.math, *ends)
        return hashlib.blake2b(repr(told).encode(), digest_size=4).hexdigest()


class Row(NamedTuple):
    """How many different convolutions a net has in a precision, the fewest plans for one, and the most workspace of a first plan."""

    net: str
    precision: str
    sites: int
    fewest: int
    workspace: int

    def __str__(self) -> str:
        return f"{self.net:<32} {self.precision} {self.sites:>4} {self.fewest:>3} {self.workspace:>11}"


class Table(NamedTuple):
    rows: list[Row]
    asked: set[str]
    """Digests of all that has a plan."""


def nets() -> list[str]:
    return [f"{name}:{variant}" if variant else name for name in zoo.names() for variant in ("", *zoo.variants(name))]


def sites(net: str, precision: str) -> list[Site]:
    """The convolutions of its plans for inference of a picture and, where there is a recipe, for training."""
    found = {site for plan in _plans(net, precision) for site in _sites(plan)}
    return sorted(found, key=repr)


def table() -> Table:
    rows, _, asked = TABLE.read_text(encoding="utf-8").partition(ASKED)
    lines = [line.split() for line in rows.splitlines() if not line.startswith("#")]
    return Table([Row(net, precision, *map(int, figures)) for net, precision, *figures in lines], set(asked.split()))


def _plans(net: str, precision: str) -> Iterator[Plan]:
    loaded = load(net)
    assert loaded.graph
    recipe = loaded.recipe
    for mode, batch in (("infer", 1), *([("train", -(-recipe.batch // recipe.accumulate))] if recipe else [])):
        made = stages(Asked(loaded.graph, recipe, mode, batch, CUDA.name, "f32", asked=precision))
        if any(convolutions(next(made)[1])):
            *_, (_, plan) = made
            yield plan


def convolutions(plan: Plan) -> Iterator[tuple[str, Instruction]]:
    """By program."""
    for program in plan.programs.values():
        yield from ((program.name, i) for i in program if i.core.op.startswith("conv"))


def _sites(plan: Plan) -> Iterator[Site]:
    memory = {name: _reserved(size) for name, size in plan.segments.items()}
    for program, instruction in convolutions(plan):
        homes = {**plan.homes[""], **plan.homes[program]}
        values = (*instruction.results, *instruction.operands)
        yield from _asked(instruction, {value.name: view(value, homes[value.name], memory) for value in values})


def _asked(instruction: Instruction, views: dict[str, Array]) -> Iterator[Site]:
    """Of what is written into a convolution the plan without it, too: it has to run where the other does not build."""
    for offer in CUDA.offers[instruction.core.op]:
        if offer.algorithm not in ("cudnn", "apart") or offer.cannot(instruction):
            continue
        running = offer.running(instruction)
        assert running.scratch
        own = {**views, running.scratch.name: _reserved(running.workspace)}
        for step in cuda.bound([running], own, 0):
            if isinstance(step, Convolution):
                yield Site(step.task, step.workspace.nbytes)


def with_ends(site: Site) -> list[Site]:
    """Beside a convolution all that may be written into it: which of that is, passes decide."""
    task = site.task
    if task.op != "conv" or task.ends:
        return [site]
    n = task.result.dims[1]
    bias = cudnn.End("add", channels(np.empty(n, dtype_of(task.result.dtype)), len(task.result.dims)))
    beside, relu = cudnn.End("add", task.result), cudnn.End("relu")
    return [Site(task._replace(ends=ends), site.room) for ends in ((), (bias,), (bias, relu), (beside, bias), (beside, bias, relu))]


def _reserved(size: int) -> Array:
    """Addresses, and no memory behind them."""
    return bytes_at(SOMEWHERE, size, None)


def main() -> None:
    front = cudnn.front()
    gpu = front.create_device_properties((FOLDER / "h100.json").read_text(encoding="utf-8"))
    answers: dict[Site, tuple[int, int]] = {}

    def answer(site: Site) -> tuple[int, int]:
        """How many plans there are, and the workspace of the first."""
        where = {"device_property": gpu, "sm_version": 900}
        first = cudnn.planned(site.task, site.room, **where)
        return len(cudnn.engines(site.task, site.room, **where)), first.workspace

    rows = []
    for net in nets():
        for precision in PRECISIONS:
            every = sites(net, precision)
            for site in {each for plain in every for each in with_ends(plain)} - answers.keys():
                answers[site] = answer(site)
            plans, rooms = zip(*(answers[site] for site in every), strict=True) if every else ((0,), (0,))
            rows.append(Row(net, precision, len(every), min(plans), max(rooms)))
            print(rows[-1], flush=True)
    title = f"# cuDNN {front.backend_version_string()}, {len(answers)} different convolutions"
    digests = textwrap.fill(" ".join(sorted({site.digest for site in answers})), 134)
    TABLE.write_text("\n".join([title, HEAD, *map(str, rows), ASKED, digests]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
