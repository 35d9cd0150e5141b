"""Matrix products by cuBLASLt, over the last two axes; the axis before them is its batch, those before that are calls of their own.

`_cublas` adds and applies what stands behind a product where its results are made; `_apart` in a step of its own, in their place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from netcompiler.scalar import parts
from runtime.arrays import Array
from runtime.kernels.behind import Behind
from runtime.kernels.cuda import cublas
from runtime.kernels.cuda.call import Call
from runtime.kernels.cuda.cublas import Plan, Task, matrix
from runtime.kernels.cuda.driver import Driver
from runtime.kernels.cuda.following import following
from runtime.kernels.cuda.steps import Step
from runtime.kernels.layout import address


class Product(Call[Task, Plan]):
    def prepare(self, driver: Driver) -> None:
        self.plans[driver] = cublas.planned(self.task, self.workspace, self.engine, driver.handle(cublas.handle))

    def engines(self, driver: Driver) -> list[str]:
        return cublas.engines(self.task, self.workspace.nbytes, driver.handle(cublas.handle))

    def run(self, driver: Driver) -> None:
        self.plans[driver].run()


def matmul_cublas(
    y: Array,
    a: Array,
    b: Array,
    *,
    ta: bool,
    tb: bool,
    workspace: Array,
    math: str = "",
    engine: str = "",
    behind: Behind | None = None,
) -> Iterator[Step]:
    bias, beside, relu = _ends(behind, y) if behind else (None, None, False)
    batch = y.shape[:-2]
    spread = [np.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (a, b, *_there(beside))]
    for outer in np.ndindex(batch[:-1]):
        arrays = [x[outer] for x in (y, *spread)]
        own, left, right, *c = map(matrix, arrays)
        many = batch[-1] if batch else 1
        task = Task(own, left, right, ta, tb, many, math, c[0] if c else None, 0 if bias is None else address(bias), relu)
        yield Product(task, [*arrays, *_there(bias)], workspace, engine)


def _there(array: Array | None) -> list[Array]:
    return [] if array is None else [array]


def matmul_apart(y: Array, a: Array, b: Array, *, behind: Behind, **how: Any) -> Iterator[Step]:
    yield from matmul_cublas(y, a, b, **how)
    yield from following(behind)


def _ends(behind: Behind, y: Array) -> tuple[Array | None, Array | None, bool]:
    """The bias, what is added as it lies, and whether relu is applied."""
    function, sums = parts(behind.exprs[0])
    others = [array for leaf in sums if (array := behind.operands[leaf.leaf]) is not None]
    beside = next((array for array in others if array.shape == y.shape), None)
    return next((array for array in others if array is not beside), None), beside, function == "relu"
